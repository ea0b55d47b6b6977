import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import { onAbort } from '../abort.js';
import { packageRoot } from '../native/find.js';
import type { Metadata, ZarrArray, ZarrChunk } from './zarr-store.js';

/** Milliseconds without a request after which the thread is ended, which frees the memory of its decoders. */
const IDLE_MS = 10_000;

/** An array that the thread opens with the metadata that were read when the slide was opened. */
export interface ArrayInThread {
  id: number;
  place: { folder: string } | { url: string };
  path: string;
  metadata: Metadata;
}

export type ToZarrThread =
  | { kind: 'open'; array: ArrayInThread }
  | { kind: 'close'; array: number }
  | { kind: 'read'; request: number; array: number; coordinates: number[] }
  | { kind: 'cancel'; request: number };

export type FromZarrThread = { request: number } & ({ chunk: ZarrChunk } | { problem: string });

interface Waiting {
  resolve(chunk: ZarrChunk): void;
  reject(error: Error): void;
}

/**
 * Reads and decodes chunks of OME-Zarr in a thread of its own: a chunk is decoded in one piece, and one of a few megabytes
 * would block the event loop for longer than a call may. The thread is shared by all slides and does not keep the process
 * running.
 */
class ZarrThread {
  readonly #waiting = new Map<number, Waiting>();
  /** Ids of the arrays that the thread has. */
  readonly #opened = new Set<number>();
  #worker: Worker | undefined;
  #idle: NodeJS.Timeout | undefined;
  #requests = 0;
  #arrays = 0;

  /** Describes an array to the thread, which opens it when its first chunk is read. */
  add(place: string | URL, { path, store }: ZarrArray): ArrayInThread {
    return {
      id: this.#arrays++,
      place: typeof place === 'string' ? { folder: place } : { url: place.href },
      path,
      metadata: store.metadataOf(path),
    };
  }

  /** Rejects if the chunk cannot be read. An abort ends the reading; the caller need not wait for it. */
  async read(
    array: ArrayInThread,
    coordinates: number[],
    signal: AbortSignal | undefined,
  ): Promise<ZarrChunk> {
    signal?.throwIfAborted();
    const request = this.#requests++;
    const worker = this.#running();
    const answer = new Promise<ZarrChunk>((resolve, reject) => {
      this.#waiting.set(request, { resolve, reject });
    });
    if (!this.#opened.has(array.id)) send(worker, { kind: 'open', array });
    this.#opened.add(array.id);
    send(worker, { kind: 'read', request, array: array.id, coordinates });
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
  close({ id }: ArrayInThread): void {
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
    };
    worker.on('message', (message: FromZarrThread) => {
      const waiting = this.#waiting.get(message.request);
      if ('chunk' in message) waiting?.resolve(message.chunk);
      else waiting?.reject(new Error(message.problem));
    });
    worker.on('error', (error) => end(error.message));
    worker.on('exit', () => end('the thread that decodes it ended'));
    return worker;
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

const send = (worker: Worker, message: ToZarrThread) => worker.postMessage(message);

/** The thread of this process. */
export const zarrThread = new ZarrThread();
