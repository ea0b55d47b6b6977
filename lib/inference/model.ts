import { setMaxListeners } from 'node:events';
import { availableParallelism } from 'node:os';
import { CellrouteError } from '../errors.js';
import type { ModelHandle, NativeCall } from '../native/contract.js';
import { call, callAsync, native } from '../native/load.js';

/** What an asynchronous call takes besides its own options. */
export interface CallOptions {
  /** Stops the work between two stages; the promise rejects with `signal.reason`. */
  signal?: AbortSignal;
  /** Told the stage and the part done (0 to 1), at most every 50 ms. */
  onProgress?: (progress: Progress) => void;
}

export interface Progress {
  stage: string;
  /** 0 to 1. */
  fraction: number;
}

/** The names every options object accepts, for its unknown-key check. */
export const CALL_OPTION_KEYS = ['signal', 'onProgress'] as const;

/** Threads of the device's owner thread; a process has one team for all its models. */
export const threadCount = () => Number(process.env.CELLROUTE_THREADS) || availableParallelism();

/** Where a native object lives, and so where its jobs run. */
export interface Place {
  /** As native code names it: `cpu`, `cuda:0`. */
  device: string;
  /** Whether products of float32 may be TF32's. */
  tf32: boolean;
}

export const ON_CPU: Place = { device: 'cpu', tf32: false };

/**
 * Runs one native job: wires the signal to a native flag and the listener to progress, and takes both off again.
 * What the listener throws stops the job and is what the promise rejects with.
 */
export async function runJob<T>(
  options: CallOptions,
  job: (call: NativeCall) => Promise<T>,
  { end, place = ON_CPU }: { end?: AbortSignal; place?: Place } = {},
): Promise<T> {
  const { signal, onProgress } = options;
  const signals = [signal, end].filter((one) => one !== undefined);
  for (const one of signals) one.throwIfAborted();
  const addon = native();
  const cancel = call(() => addon.createCancel());
  const stop = () => addon.cancel(cancel);
  let thrown: { error: unknown } | undefined;
  const listener =
    onProgress &&
    ((stage: string, fraction: number) => {
      if (thrown) return;
      try {
        onProgress({ stage, fraction });
      } catch (error) {
        thrown = { error };
        stop();
      }
    });
  for (const one of signals) one.addEventListener('abort', stop, { once: true });
  try {
    return await callAsync(() =>
      job({ cancel, threads: threadCount(), ...place, ...(listener ? { onProgress: listener } : {}) }),
    );
  } catch (error) {
    if ((error as { code?: unknown }).code !== 'CANCELLED') throw error;
    if (thrown) throw thrown.error;
    const aborted = signals.find((one) => one.aborted);
    throw aborted ? aborted.reason : error;
  } finally {
    for (const one of signals) one.removeEventListener('abort', stop);
  }
}

/**
 * A native object and the calls in flight on it. Disposing stops those calls, waits for them, and lets the memory go;
 * every later use is refused with DISPOSED.
 */
export class NativeObject<Handle> {
  readonly #name: string;
  readonly #release: (handle: Handle) => void;
  readonly #end = new AbortController();
  readonly #inFlight = new Set<Promise<unknown>>();
  readonly place: Place;
  #handle: Handle | undefined;

  constructor(name: string, handle: Handle, place: Place, release: (handle: Handle) => void) {
    // All calls in flight listen to it, and Node would take more than ten for a leak.
    setMaxListeners(0, this.#end.signal);
    this.#name = name;
    this.place = place;
    this.#handle = handle;
    this.#release = release;
  }

  get disposed(): boolean {
    return this.#end.signal.aborted;
  }

  /** The handle, for a synchronous call. */
  get handle(): Handle {
    if (!this.#handle || this.disposed) throw this.#refusal();
    return this.#handle;
  }

  async run<T>(options: CallOptions, job: (handle: Handle, call: NativeCall) => Promise<T>): Promise<T> {
    const handle = this.handle;
    const work = runJob(options, (nativeCall) => job(handle, nativeCall), {
      end: this.#end.signal,
      place: this.place,
    });
    this.#inFlight.add(work);
    try {
      return await work;
    } finally {
      this.#inFlight.delete(work);
    }
  }

  async dispose(): Promise<void> {
    if (!this.disposed) this.#end.abort(this.#refusal());
    await Promise.allSettled(this.#inFlight);
    if (!this.#handle) return;
    const handle = this.#handle;
    this.#handle = undefined;
    call(() => this.#release(handle));
  }

  #refusal(): CellrouteError {
    return new CellrouteError('DISPOSED', `This ${this.#name} was disposed; load it again to use it.`);
  }
}

/** A network that answers, and never changes. */
export class LoadedModel extends NativeObject<ModelHandle> {
  constructor(name: string, handle: ModelHandle, place: Place) {
    super(name, handle, place, (model) => native().releaseModel(model));
  }
}
