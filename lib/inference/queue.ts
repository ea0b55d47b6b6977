import { checkKeys, checkNumber, checkObject, checkOneOf } from '../check.js';
import { CellrouteError } from '../errors.js';
import type { RoomHandle } from '../native/contract.js';
import type { Call } from '../native/job.js';
import { call, native } from '../native/load.js';
import { availableMemory } from '../native/memory.js';

/** Limits for all calls of a process, including worker threads. */
export interface QueueLimits {
  /** Bytes of decoded images; default an eighth of the machine's memory, 256 MiB to 1 GiB. */
  maxQueuedBytes: number;
  /** Number of calls that hold a decoded image. Default 64. */
  maxQueuedCalls: number;
}

/** The limits, and the current usage. */
export interface QueueState extends QueueLimits {
  bytes: number;
  calls: number;
}

/** Behaviour of a call when the limits of the queue are reached. */
export interface QueueOptions {
  /**
   * `wait` (default) waits for room before the image is decoded, in the order of the calls. `reject` rejects immediately
   * with BUSY.
   */
  whenBusy?: 'wait' | 'reject' | undefined;
}

export const QUEUE_OPTION_KEYS = ['whenBusy'] as const;

export function checkQueueOptions({ whenBusy }: QueueOptions): void {
  if (whenBusy !== undefined) checkOneOf('whenBusy', whenBusy, ['wait', 'reject']);
}

const MIB = 2 ** 20;

function defaultLimits(): QueueLimits {
  const memory = availableMemory();
  return {
    maxQueuedBytes: Math.floor(Math.min(1024 * MIB, Math.max(256 * MIB, memory / 8))),
    maxQueuedCalls: 64,
  };
}

/** Returns the addon with limits: the first use in a process sets the defaults. */
function limited() {
  const addon = native();
  if (call(() => addon.queueState()).maxQueuedCalls > Number.MAX_SAFE_INTEGER) {
    const { maxQueuedBytes, maxQueuedCalls } = defaultLimits();
    call(() => addon.setQueueLimits(maxQueuedBytes, maxQueuedCalls));
  }
  return addon;
}

/**
 * The limits of the queue, and what the calls of this process hold that have a decoded image, waiting or running.
 *
 * @returns bytes and numbers of calls, of all threads of the process.
 */
export function queueState(): QueueState {
  return call(() => limited().queueState());
}

/**
 * Changes the limits of the queue for the whole process. A call whose image alone exceeds `maxQueuedBytes` runs when no
 * other call holds an image.
 *
 * ```ts
 * setQueueLimits({ maxQueuedBytes: 512 * 2 ** 20 });
 * ```
 *
 * @param limits whole numbers from 1; limits that are not given do not change.
 * @throws {CellrouteError} INVALID_ARGUMENT.
 */
export function setQueueLimits(limits: Partial<QueueLimits>): void {
  checkKeys('', checkObject('limits', limits), ['maxQueuedBytes', 'maxQueuedCalls']);
  const whole = { min: 1, max: Number.MAX_SAFE_INTEGER, integer: true };
  const now = queueState();
  const bytes = checkNumber('maxQueuedBytes', limits.maxQueuedBytes ?? now.maxQueuedBytes, whole);
  const calls = checkNumber('maxQueuedCalls', limits.maxQueuedCalls ?? now.maxQueuedCalls, whole);
  call(() => native().setQueueLimits(bytes, calls));
}

/** Reserves room for an image of `bytes`, possibly after waiting. The caller releases it. */
export async function takeRoom(
  own: Call,
  bytes: number,
  { whenBusy = 'wait' }: QueueOptions,
): Promise<RoomHandle> {
  const addon = limited();
  own.throwIfStopped();
  const room = call(() => addon.tryRoom(bytes));
  if (room) return room;
  if (whenBusy === 'wait') {
    return own.run((nativeCall) => addon.requestRoom(bytes, nativeCall), { progress: false });
  }
  const { maxQueuedBytes, maxQueuedCalls, ...held } = queueState();
  throw new CellrouteError(
    'BUSY',
    `The queue is full: ${held.calls} calls hold ${held.bytes} bytes of images, and this image needs ${bytes}; the ` +
      `limits are maxQueuedCalls ${maxQueuedCalls} and maxQueuedBytes ${maxQueuedBytes}. Call again later, or pass ` +
      "whenBusy: 'wait'.",
    {
      expected: `at most ${maxQueuedBytes} bytes and ${maxQueuedCalls} calls`,
      got: `${held.bytes + bytes} bytes, ${held.calls + 1} calls`,
    },
  );
}
