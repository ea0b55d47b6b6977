import { setMaxListeners } from 'node:events';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { endIterator, onAbort } from './abort.js';
import { checkBoolean, checkIterable, checkNumber, refuse } from './check.js';

/** Number of inputs processed concurrently, and the order of their outcomes. */
export interface ProcessOptions {
  /**
   * Inputs in flight, 1 to 1024. Limits memory: an input counts from when it is read until its outcome is consumed.
   */
  concurrency?: number | undefined;
  /** Whether outcomes are in the order of the inputs (default) or in the order of completion. */
  ordered?: boolean | undefined;
  /** Stops the inputs in flight; the iteration then throws `signal.reason`. */
  signal?: AbortSignal | undefined;
}

export const PROCESS_OPTION_KEYS = ['concurrency', 'ordered', 'signal'] as const;

/** Outcome of one input: a result or an error. */
export type Outcome<T, R> = { input: T; index: number } & (
  | { result: R; error?: never }
  | { error: unknown; result?: never }
);

/** Number of outcomes between two turns of the event loop, which inputs that fail at once would not take. */
const OUTCOMES_PER_TURN = 64;

interface Task<T, R> {
  settled: boolean;
  outcome: Promise<Outcome<T, R>>;
}

/** @throws {CellrouteError} INVALID_ARGUMENT */
export function checkProcessOptions(inputs: unknown, { concurrency, ordered }: ProcessOptions): void {
  checkIterable('images', inputs, 'images');
  if (concurrency !== undefined) {
    checkNumber('concurrency', concurrency, { min: 1, max: 1024, integer: true });
  }
  if (ordered !== undefined) checkBoolean('ordered', ordered);
}

/**
 * Processes inputs while they arrive and while their outcomes are consumed. An input is read only if there is room for
 * it, so memory is bounded with a fast source or a slow consumer. A failed input does not stop the others. Leaving the
 * loop early aborts the inputs in flight, waits for them and closes the source.
 *
 * @param held maximum number of inputs that were read and whose outcomes are not consumed; default: `concurrency`.
 * @throws the error of the source, after the outcomes of earlier inputs; `signal.reason` after an abort.
 */
export async function* processAll<T, R>(
  inputs: Iterable<T> | AsyncIterable<T>,
  work: (input: T, signal: AbortSignal, index: number) => Promise<R>,
  { concurrency = 2, ordered = true, signal, held = concurrency }: ProcessOptions & { held?: number },
): AsyncGenerator<Outcome<T, R>, void, undefined> {
  signal?.throwIfAborted();
  // First, because it may throw.
  const source = Symbol.asyncIterator in inputs ? inputs[Symbol.asyncIterator]() : inputs[Symbol.iterator]();
  const stop = new AbortController();
  // All work listens to this one signal.
  setMaxListeners(0, stop.signal);
  // One promise per wait: Promise.race with a promise that lives as long as the loop would keep every wait in memory.
  let wake = () => {};
  const changed = () =>
    new Promise<void>((resolve) => {
      wake = resolve;
    });
  const removeListener = signal
    ? onAbort(signal, () => {
        stop.abort(signal.reason);
        wake();
      })
    : () => {};
  // In the order of the inputs.
  const tasks: Task<T, R>[] = [];
  let started = 0;
  let consumed = 0;
  let isTaking = false;
  /** Whether the consumer has an outcome. */
  let isOut = false;
  let failure: { error: unknown } | undefined;
  let ended = false;

  const start = (input: T) => {
    const index = started++;
    const task: Task<T, R> = { settled: false, outcome: run(input, index) };
    tasks.push(task);
    void task.outcome.then(() => {
      task.settled = true;
      fill();
      wake();
    });
  };
  const run = async (input: T, index: number): Promise<Outcome<T, R>> => {
    try {
      return { input, index, result: await work(input, stop.signal, index) };
    } catch (error) {
      return { input, index, error };
    }
  };
  const take = async () => {
    isTaking = true;
    try {
      const next: unknown = await source.next();
      // Otherwise the inputs would be undefined and never end.
      if (typeof next !== 'object' || next === null)
        throw refuse('images', 'an iterable whose iterator returns objects', next);
      const { done, value } = next as IteratorResult<T>;
      if (done) ended = true;
      else if (!stop.signal.aborted) start(value);
    } catch (error) {
      failure = { error };
      ended = true;
    }
    isTaking = false;
    fill();
    wake();
  };
  // Also called between two outcomes, so that work continues while the consumer uses one.
  const fill = () => {
    const running = tasks.filter(({ settled }) => !settled).length;
    const hasRoom = running < concurrency && tasks.length + (isOut ? 1 : 0) < held;
    if (hasRoom && !ended && !isTaking && !stop.signal.aborted) void take();
  };
  try {
    for (;;) {
      signal?.throwIfAborted();
      fill();
      const next = ordered ? (tasks[0]?.settled ? 0 : -1) : tasks.findIndex(({ settled }) => settled);
      if (next >= 0) {
        const [task] = tasks.splice(next, 1);
        isOut = true;
        if (++consumed % OUTCOMES_PER_TURN === 0) await nextTurn();
        yield await task!.outcome;
        isOut = false;
        continue;
      }
      if (!isTaking && tasks.length === 0) {
        if (failure) throw failure.error;
        return;
      }
      await changed();
    }
  } finally {
    removeListener();
    stop.abort(signal?.aborted ? signal.reason : undefined);
    await Promise.allSettled(tasks.map(({ outcome }) => outcome));
    if (!ended) endIterator(source);
  }
}

/** The results of outcomes. The first error is thrown, which stops the rest. */
export async function* resultsOf<R>(
  outcomes: AsyncIterable<Outcome<unknown, R>>,
): AsyncGenerator<R, void, undefined> {
  for await (const outcome of outcomes) {
    if ('error' in outcome) throw outcome.error;
    yield outcome.result;
  }
}

/** Results of `work` in the order of the values. Rejects with the first error when started work has ended. */
export async function mapAll<T, R>(
  values: readonly T[],
  concurrency: number,
  work: (value: T, index: number) => Promise<R>,
): Promise<R[]> {
  const results: R[] = [];
  const outcomes = processAll(values, (value, _, index) => work(value, index), { concurrency });
  for await (const result of resultsOf(outcomes)) results.push(result);
  return results;
}
