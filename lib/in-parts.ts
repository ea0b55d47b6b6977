import { setImmediate } from 'node:timers';
import { setImmediate as nextTurn } from 'node:timers/promises';

/** Bytes copied in one turn of the event loop: about a millisecond on a slow machine. */
export const PART_BYTES = 512 * 1024;
/** Values computed by a loop of JavaScript in one turn: a few milliseconds on a slow machine. */
export const PART_VALUES = 2 ** 18;

/** A task of this share of a part is done at once, until such tasks together make up a part in one turn. */
const SMALL = 8;

/** Parts that small tasks made up in this turn. */
let doneAtOnce = 0;

/** Whether a task may be done in this turn. A loop that awaits small tasks would otherwise do all of them in one turn. */
function fitsTurn(parts: number): boolean {
  if (parts > 1 / SMALL || doneAtOnce + parts > 1) return false;
  if (doneAtOnce === 0) {
    setImmediate(() => {
      doneAtOnce = 0;
    });
  }
  doneAtOnce += parts;
  return true;
}

/** The last task that was started. */
let last: Promise<unknown> = Promise.resolve();

/**
 * Calls `work` for parts of [0, count), each in a separate turn of the event loop; small tasks at once. Tasks run
 * one after the other, so that a turn has one part, however many calls have a task.
 *
 * @param part the most that `work` is called for.
 * @param check throws if the task is not wanted any more.
 */
export async function inParts(
  count: number,
  part: number,
  work: (begin: number, end: number) => void,
  check: () => void = () => {},
): Promise<void> {
  if (fitsTurn(count / part)) {
    check();
    work(0, count);
    return;
  }
  const task = last.then(async () => {
    for (let begin = 0; begin < count; begin += part) {
      await nextTurn();
      check();
      work(begin, Math.min(begin + part, count));
    }
  });
  last = task.catch(() => {});
  await task;
}

/** Copies bytes to `to` at `at`, in parts. */
export const copyInParts = (from: Uint8Array, to: Uint8Array, at = 0, check?: () => void): Promise<void> =>
  inParts(from.byteLength, PART_BYTES, (begin, end) => to.set(from.subarray(begin, end), at + begin), check);

/** Milliseconds of steps before the event loop runs other work. */
const TURN_MS = 12;

/** Calls `step` for 0 to count - 1. The event loop has a turn after each 12 ms, and the signal is checked then. */
export async function inTurns(
  count: number,
  step: (index: number) => void,
  signal?: AbortSignal | undefined,
): Promise<void> {
  let began = performance.now();
  for (let i = 0; i < count; i++) {
    step(i);
    if (performance.now() - began <= TURN_MS) continue;
    await nextTurn();
    signal?.throwIfAborted();
    began = performance.now();
  }
}
