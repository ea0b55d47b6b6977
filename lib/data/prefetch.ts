import { setMaxListeners } from 'node:events';

export interface PrefetchLimits {
  /** Pieces of work that run at once. */
  concurrent: number;
  /** Results that are held or being made besides the one that was asked for. */
  ahead: number;
}

/**
 * The results of `work` for every input, in the inputs' order, made ahead of the one who asks. A failure is thrown
 * when its turn comes. Work in progress is always stopped and awaited at the end.
 */
export async function* prefetch<Input, Result>(
  inputs: readonly Input[],
  work: (input: Input, signal: AbortSignal) => Promise<Result>,
  { concurrent, ahead }: PrefetchLimits,
  signal?: AbortSignal,
): AsyncGenerator<Result> {
  const stop = new AbortController();
  // All work listens to this one signal, as much of it as runs at once.
  setMaxListeners(0, stop.signal);
  const onAbort = () => stop.abort(signal?.reason);
  signal?.throwIfAborted();
  signal?.addEventListener('abort', onAbort, { once: true });
  const started = new Map<number, Promise<Result>>();
  const running = new Set<Promise<unknown>>();
  let next = 0;
  let taken = 0;

  const startMore = () => {
    while (
      !stop.signal.aborted &&
      running.size < concurrent &&
      next < inputs.length &&
      next <= taken + ahead
    ) {
      const result = work(inputs[next]!, stop.signal);
      started.set(next++, result);
      const settled = result.then(
        () => {},
        () => {},
      );
      running.add(settled);
      void settled.then(() => {
        running.delete(settled);
        startMore();
      });
    }
  };

  try {
    for (; taken < inputs.length; taken++) {
      startMore();
      const result = await started.get(taken)!;
      started.delete(taken);
      signal?.throwIfAborted();
      yield result;
    }
  } finally {
    signal?.removeEventListener('abort', onAbort);
    stop.abort(new Error('no longer wanted'));
    await Promise.all(running);
  }
}
