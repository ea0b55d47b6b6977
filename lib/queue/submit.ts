import { setTimeout as delay } from 'node:timers/promises';
import { checkOneOf } from '../check.js';
import { CellrouteError } from '../errors.js';
import type { QueueSubmitOptions } from './types.js';

/** Keys of {@link QueueSubmitOptions}. */
export const SUBMIT_KEYS = ['key', 'priority', 'whenBusy', 'signal'];

/** Milliseconds between attempts to submit to a full queue. */
const FULL_QUEUE_RETRY_MS = 200;

/**
 * Submits a task. If the queue is full, repeats it until there is room, unless `whenBusy` is `reject`.
 *
 * @throws {CellrouteError} BUSY with `whenBusy: 'reject'`; an abort rejects with `signal.reason`.
 */
export async function whenThereIsRoom<T>(
  { whenBusy = 'reject', signal }: QueueSubmitOptions,
  submit: () => Promise<T>,
): Promise<T> {
  checkOneOf('whenBusy', whenBusy, ['wait', 'reject']);
  for (;;) {
    signal?.throwIfAborted();
    try {
      return await submit();
    } catch (error) {
      if (whenBusy === 'reject' || !CellrouteError.is(error, 'BUSY')) throw error;
    }
    await delay(FULL_QUEUE_RETRY_MS, undefined, signal ? { signal } : {}).catch(() =>
      signal?.throwIfAborted(),
    );
  }
}
