import { availableParallelism } from 'node:os';
import type { NativeCall } from './contract.js';
import { call, callAsync, native } from './load.js';

/** What an asynchronous call takes besides its own options. */
export interface CallOptions {
  /** Stops the work between two stages; the promise rejects with `signal.reason`. */
  signal?: AbortSignal;
  /** Told the stage and the part done (0 to 1), at most every 50 ms. */
  onProgress?: (progress: Progress) => void;
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

/**
 * Runs one native job: wires the signal to a native flag and the listener to progress, and takes both off again.
 * What the listener throws stops the job and is what the promise rejects with.
 */
export async function runJob<T>(
  options: CallOptions,
  job: (call: NativeCall) => Promise<T>,
  { end, place = ON_CPU }: { end?: AbortSignal; place?: ExecutionTarget } = {},
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
