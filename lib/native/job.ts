import { availableParallelism } from 'node:os';
import { onAbort, type SignalOptions } from '../abort.js';
import { watchListener } from '../listener.js';
import type { CancelHandle, NativeCall } from './contract.js';
import { call, callAsync, native } from './load.js';

/** Options of every asynchronous call. */
export interface CallOptions extends SignalOptions {
  /**
   * Called with the stage and the fraction done (0 to 1), at most every 50 ms. An error that it throws, or a promise of it that
   * is rejected, stops the call, which then rejects with that error.
   */
  onProgress?: ((progress: Progress) => void) | undefined;
}

/** Progress of a call. */
export interface Progress {
  stage: string;
  /** 0 to 1. */
  fraction: number;
}

/** Keys of CallOptions, for the check of unknown keys. */
export const CALL_OPTION_KEYS = ['signal', 'onProgress'] as const;

/** Number of threads of a device's owner thread; a process has one OpenMP team for all its models. */
export const threadCount = () => Number(process.env.CELLROUTE_THREADS) || availableParallelism();

/** Device of a native object and its jobs, and its arithmetic. */
export interface ExecutionTarget {
  /** Name in native code: `cpu`, `cuda:0`. */
  device: string;
  /** Whether float32 products may be computed in TF32. */
  tf32: boolean;
}

export const ON_CPU: ExecutionTarget = { device: 'cpu', tf32: false };

/** Options of a job in addition to those of its call. */
export interface JobOptions {
  place?: ExecutionTarget | undefined;
  /** Whether the job reports to the call's `onProgress`, or what it reports instead of its own progress; default true. */
  progress?: boolean | ((own: Progress) => Progress) | undefined;
}

/**
 * One call of the SDK. Its native jobs share a cancel flag and the position of the call in the order of arrival. Must be
 * closed when it has settled.
 */
export class Call {
  readonly #cancel: CancelHandle;
  readonly #onProgress: CallOptions['onProgress'];
  readonly #signals: AbortSignal[] = [];
  readonly #removals: (() => void)[] = [];
  readonly #onStop = new Set<() => void>();
  #controller: AbortController | undefined;
  /** Error thrown by the progress listener, which cancels the call. */
  #thrown: { error: unknown } | undefined;

  constructor({ signal, onProgress }: CallOptions) {
    signal?.throwIfAborted();
    this.#cancel = call(() => native().createCancel());
    this.#onProgress = onProgress;
    if (signal) this.stopOn(signal);
  }

  /** Cancels the call with the signal's reason when it aborts. Throws the reason if it is already aborted. */
  stopOn(signal: AbortSignal): void {
    signal.throwIfAborted();
    if (this.#signals.includes(signal)) return;
    this.#signals.push(signal);
    this.#removals.push(onAbort(signal, () => this.#stop()));
  }

  /** Aborts when the call is cancelled, with the same reason. */
  get signal(): AbortSignal {
    if (!this.#controller) {
      const controller = new AbortController();
      this.#controller = controller;
      this.#onStop.add(() => controller.abort(this.#reason()));
    }
    return this.#controller.signal;
  }

  throwIfStopped(): void {
    if (this.#thrown) throw this.#thrown.error;
    for (const signal of this.#signals) signal.throwIfAborted();
  }

  /** Runs a native job. If it was cancelled, rejects with the reason of the call's cancellation. */
  async run<T>(
    job: (call: NativeCall) => Promise<T>,
    { place = ON_CPU, progress = true }: JobOptions = {},
  ): Promise<T> {
    this.throwIfStopped();
    const map = typeof progress === 'function' ? progress : (own: Progress) => own;
    const onProgress =
      progress && this.#onProgress
        ? (stage: string, fraction: number) => this.#report(map({ stage, fraction }))
        : undefined;
    try {
      return await callAsync(() =>
        job({ cancel: this.#cancel, threads: threadCount(), ...place, ...(onProgress && { onProgress }) }),
      );
    } catch (error) {
      if ((error as { code?: unknown }).code === 'CANCELLED') this.throwIfStopped();
      throw error;
    }
  }

  /** Settles as `work`, or rejects as soon as the call is cancelled. `work` then continues unobserved. */
  async untilStopped<T>(work: Promise<T>): Promise<T> {
    // After a cancellation, nothing else observes its failure.
    work.catch(() => {});
    this.throwIfStopped();
    let wake = () => {};
    const stopped = new Promise<never>((_, reject) => {
      wake = () => reject(this.#reason());
    });
    this.#onStop.add(wake);
    try {
      return await Promise.race([work, stopped]);
    } finally {
      this.#onStop.delete(wake);
    }
  }

  /** Removes all listeners. */
  close(): void {
    for (const remove of this.#removals.splice(0)) remove();
  }

  /** The reason of the cancellation. */
  #reason(): unknown {
    return this.#thrown ? this.#thrown.error : this.#signals.find(({ aborted }) => aborted)?.reason;
  }

  #stop(): void {
    native().cancel(this.#cancel);
    for (const wake of [...this.#onStop]) wake();
  }

  readonly #report = (progress: Progress): void => {
    if (this.#thrown) return;
    try {
      watchListener(this.#onProgress?.(progress), (error) => this.#fail(error));
    } catch (error) {
      this.#fail(error);
    }
  };

  /** Cancels the call because of its progress listener; the first error counts. */
  #fail(error: unknown): void {
    if (this.#thrown) return;
    this.#thrown = { error };
    this.#stop();
  }
}

/** Runs `body` as one call, and closes the call afterwards. */
export async function withCall<T>(options: CallOptions, body: (call: Call) => Promise<T>): Promise<T> {
  const own = new Call(options);
  try {
    return await body(own);
  } finally {
    own.close();
  }
}

/**
 * Runs one native job as a separate call. An abort rejects with `signal.reason`; an error thrown by `onProgress` cancels the
 * job and rejects with that error.
 */
export function runJob<T>(
  options: CallOptions,
  job: (call: NativeCall) => Promise<T>,
  { place = ON_CPU }: { place?: ExecutionTarget } = {},
): Promise<T> {
  return withCall(options, (own) => own.run(job, { place }));
}
