import { availableParallelism } from 'node:os';
import { onAbort, type SignalOptions } from '../abort.js';
import type { CancelHandle, NativeCall } from './contract.js';
import { call, callAsync, native } from './load.js';

/** What an asynchronous call takes besides its own options. */
export interface CallOptions extends SignalOptions {
  /** Called with the stage and the fraction done (0 to 1), at most every 50 ms. */
  onProgress?: ((progress: Progress) => void) | undefined;
}

/** Progress of a call. */
export interface Progress {
  stage: string;
  /** 0 to 1. */
  fraction: number;
}

/** The names every options object accepts, for its unknown-key check. */
export const CALL_OPTION_KEYS = ['signal', 'onProgress'] as const;

/** Threads of the device's owner thread; a process has one team for all its models. */
export const threadCount = () => Number(process.env.CELLROUTE_THREADS) || availableParallelism();

/** The device that a native object lies on and its jobs run on. */
export interface ExecutionTarget {
  /** As native code names it: `cpu`, `cuda:0`. */
  device: string;
  /** Whether products of float32 may be TF32's. */
  tf32: boolean;
}

export const ON_CPU: ExecutionTarget = { device: 'cpu', tf32: false };

/** What a job is run with, besides the call that it belongs to. */
export interface JobOptions {
  place?: ExecutionTarget | undefined;
  /** Whether the job reports to the call's `onProgress`, or what it reports instead of its own progress; default true. */
  progress?: boolean | ((own: Progress) => Progress) | undefined;
}

/**
 * One call of the SDK. Its native jobs share a cancel flag and the call's place in the order of arrival. Close it when
 * it has settled.
 */
export class Call {
  readonly #cancel: CancelHandle;
  readonly #onProgress: CallOptions['onProgress'];
  readonly #signals: AbortSignal[] = [];
  readonly #removals: (() => void)[] = [];
  readonly #onStop = new Set<() => void>();
  #controller: AbortController | undefined;
  /** What the listener of progress threw: it stops the call. */
  #thrown: { error: unknown } | undefined;

  constructor({ signal, onProgress }: CallOptions) {
    signal?.throwIfAborted();
    this.#cancel = call(() => native().createCancel());
    this.#onProgress = onProgress;
    if (signal) this.stopOn(signal);
  }

  /** Stops the call when `signal` aborts, with its reason. Throws the reason if it is aborted already. */
  stopOn(signal: AbortSignal): void {
    signal.throwIfAborted();
    if (this.#signals.includes(signal)) return;
    this.#signals.push(signal);
    this.#removals.push(onAbort(signal, () => this.#stop()));
  }

  /** Aborts when the call is stopped, with what stopped it. */
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

  /** Runs a native job; rejects with what stopped the call if the job was cancelled. */
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

  /** Settles as `work`, or rejects as soon as the call is stopped; `work` then runs on unobserved. */
  async untilStopped<T>(work: Promise<T>): Promise<T> {
    // Its failure after a stop has no other observer.
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

  /** What stopped the call. */
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
      this.#onProgress?.(progress);
    } catch (error) {
      this.#thrown = { error };
      this.#stop();
    }
  };
}

/** Runs `body` as one call, and closes the call when it has settled. */
export async function withCall<T>(options: CallOptions, body: (call: Call) => Promise<T>): Promise<T> {
  const own = new Call(options);
  try {
    return await body(own);
  } finally {
    own.close();
  }
}

/**
 * Runs one native job as a call of its own. An abort rejects with `signal.reason`; an error thrown by `onProgress`
 * stops the job and rejects with that error.
 */
export function runJob<T>(
  options: CallOptions,
  job: (call: NativeCall) => Promise<T>,
  { place = ON_CPU }: { place?: ExecutionTarget } = {},
): Promise<T> {
  return withCall(options, (own) => own.run(job, { place }));
}
