import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import { onAbort } from '../abort.js';
import { packageRoot } from '../native/find.js';
import {
  type ByteRange,
  type MetadataStore,
  reasonOf,
  type ZarrArray,
  type ZarrChunk,
} from './zarr-store.js';

/** Milliseconds without a request after which the thread is ended, which frees the memory of its decoders. */
const IDLE_MS = 10_000;

/** An array as the thread opens it. */
export interface ArrayInThread {
  id: number;
  path: string;
  /** Of Zarr. */
  version: 2 | 3;
}

/** An array whose chunks can be read. */
export interface ArrayToRead {
  inThread: ArrayInThread;
  store: MetadataStore;
}

/** A file, or a part of one, that the thread requests. */
export interface ZarrLoad {
  load: number;
  array: number;
  key: `/${string}`;
  range: ByteRange | undefined;
}

type Loaded = { bytes: Uint8Array | undefined } | { problem: string };

export type ToZarrThread =
  | { kind: 'open'; array: ArrayInThread }
  | { kind: 'close'; array: number }
  | { kind: 'read'; request: number; array: number; coordinates: number[] }
  | { kind: 'cancel'; request: number }
  | ({ kind: 'loaded'; load: number } & Loaded);

export type FromZarrThread =
  | ({ kind: 'read'; request: number } & ({ chunk: ZarrChunk } | { problem: string }))
  | ({ kind: 'load' } & ZarrLoad)
  | { kind: 'stop'; load: number };

interface Waiting {
  array: ArrayToRead;
  resolve(chunk: ZarrChunk): void;
  reject(error: Error): void;
}

/**
 * Decodes chunks of OME-Zarr in a thread of its own: a chunk is decoded in one piece, and one of a few megabytes would block
 * the event loop for longer than a call may. Their bytes are read here, because `fetch` of this thread may have a proxy or
 * credentials. The thread is shared by all slides and does not keep the process running.
 */
class ZarrThread {
  readonly #waiting = new Map<number, Waiting>();
  readonly #loads = new Map<number, AbortController>();
  /** Ids of the arrays that the thread has. */
  readonly #opened = new Set<number>();
  #worker: Worker | undefined;
  #idle: NodeJS.Timeout | undefined;
  #requests = 0;
  #arrays = 0;

  /** The thread opens the array when its first chunk is read. */
  add({ path, store }: ZarrArray): ArrayToRead {
    return { inThread: { id: this.#arrays++, path, version: store.versionOf(path) }, store };
  }

  /** Rejects if the chunk cannot be read. An abort ends the reading; the caller need not wait for it. */
  async read(array: ArrayToRead, coordinates: number[], signal: AbortSignal | undefined): Promise<ZarrChunk> {
    signal?.throwIfAborted();
    const { inThread } = array;
    const request = this.#requests++;
    const worker = this.#running();
    const answer = new Promise<ZarrChunk>((resolve, reject) => {
      this.#waiting.set(request, { array, resolve, reject });
    });
    if (!this.#opened.has(inThread.id)) send(worker, { kind: 'open', array: inThread });
    this.#opened.add(inThread.id);
    send(worker, { kind: 'read', request, array: inThread.id, coordinates });
    const remove = signal && onAbort(signal, () => send(worker, { kind: 'cancel', request }));
    try {
      return await answer;
    } finally {
      remove?.();
      this.#waiting.delete(request);
      if (this.#waiting.size === 0) this.#rest();
    }
  }

  /** The array is not needed any longer. Reading it again opens it again. */
  close({ inThread: { id } }: ArrayToRead): void {
    if (this.#worker && this.#opened.delete(id)) send(this.#worker, { kind: 'close', array: id });
  }

  #running(): Worker {
    clearTimeout(this.#idle);
    this.#worker ??= this.#start();
    this.#worker.ref();
    return this.#worker;
  }

  #start(): Worker {
    this.#opened.clear();
    const worker = new Worker(join(packageRoot, 'dist', 'image', 'zarr-worker.js'));
    const end = (reason: string) => {
      if (this.#worker !== worker) return;
      this.#worker = undefined;
      for (const { reject } of this.#waiting.values()) reject(new Error(reason));
      for (const stop of this.#loads.values()) stop.abort();
    };
    worker.on('message', (message: FromZarrThread) => {
      if (message.kind === 'load') void this.#load(worker, message);
      else if (message.kind === 'stop') this.#loads.get(message.load)?.abort();
      else {
        const waiting = this.#waiting.get(message.request);
        if ('chunk' in message) waiting?.resolve(message.chunk);
        else waiting?.reject(new Error(message.problem));
      }
    });
    worker.on('error', (error) => end(error.message));
    worker.on('exit', () => end('the thread that decodes it ended'));
    return worker;
  }

  async #load(worker: Worker, { load, array, key, range }: ZarrLoad): Promise<void> {
    const stop = new AbortController();
    this.#loads.set(load, stop);
    try {
      const options = { signal: stop.signal };
      // A read waits for these bytes, also where its slide was closed meanwhile.
      const { store } = [...this.#waiting.values()].find((one) => one.array.inThread.id === array)!.array;
      const bytes = await (range ? store.getRange(key, range, options) : store.get(key, options));
      const own = bytes && store.ownBytes(key, bytes);
      send(worker, { kind: 'loaded', load, bytes: own }, own && [own.buffer as ArrayBuffer]);
    } catch (error) {
      send(worker, { kind: 'loaded', load, problem: reasonOf(error) });
    } finally {
      this.#loads.delete(load);
    }
  }

  #rest(): void {
    this.#worker?.unref();
    clearTimeout(this.#idle);
    this.#idle = setTimeout(() => {
      const worker = this.#worker;
      this.#worker = undefined;
      worker?.terminate();
    }, IDLE_MS);
    this.#idle.unref();
  }
}

const send = (worker: Worker, message: ToZarrThread, moved?: ArrayBuffer[]) =>
  worker.postMessage(message, moved);

/** The thread of this process. */
export const zarrThread = new ZarrThread();
