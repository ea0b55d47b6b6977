import { checkOptions, checkString, refuse } from '../check.js';
import { checkJobLimits, JOB_LIMITS, type JobLimits } from '../jobs/limits.js';
import { BullQueue } from './bull.js';
import { LocalQueue } from './local.js';
import { checkRedisUrl } from './redis.js';
import type { JobQueue } from './types.js';

/** Options of {@link createQueue}. One of `redis` and `journal` is needed. */
export interface CreateQueueOptions extends JobLimits {
  /** URL of a Redis server: `redis://127.0.0.1:6379`, or `rediss://` with TLS. Workers on several machines can use it. */
  redis?: string | undefined;
  /** Folder of a journal, created if missing. Submission and work are then in one process, and jobs survive its end. */
  journal?: string | undefined;
  /** Name of the queue in Redis: letters, digits, `-` and `_`; default `segment`. All workers of a queue have the same model. */
  name?: string | undefined;
  /** Called with errors of the connection, which is restored automatically. */
  onError?: ((error: unknown) => void) | undefined;
}

/**
 * Opens a queue of jobs that segment images.
 *
 * ```ts
 * const queue = await createQueue({ journal: 'jobs' });
 * const worker = await createWorker(queue, { results: 'results' });
 * const { job } = await queue.submit({ image: 'nuclei.png' });
 * for await (const { state } of queue.events(job.id)) console.log(state);
 * const { cells, files } = await queue.result(job.id);
 * await worker.close();
 * await queue.close();
 * ```
 *
 * @throws {CellrouteError} INVALID_ARGUMENT; PACKAGE_MISSING and QUEUE_UNAVAILABLE with `redis`; RUN_LOCKED if another
 *   process has opened the journal; FILE_UNREADABLE, FILE_UNWRITABLE, DATA_INVALID.
 */
export async function createQueue(options: CreateQueueOptions): Promise<JobQueue> {
  checkOptions(options, ['redis', 'journal', 'name', 'onError', ...JOB_LIMITS]);
  const { redis, journal, name = 'segment', onError = () => {} } = options;
  if ((redis === undefined) === (journal === undefined)) {
    throw refuse('redis and journal', 'one of both', redis === undefined ? undefined : [redis, journal]);
  }
  if (!/^[\w-]{1,100}$/.test(checkString('name', name))) {
    throw refuse('name', '1 to 100 letters, digits, - and _', name);
  }
  if (typeof onError !== 'function') throw refuse('onError', 'a function', onError);
  const limits = checkJobLimits(options);
  if (redis !== undefined) return BullQueue.open(name, checkRedisUrl('redis', redis), limits, onError);
  return LocalQueue.open(name, checkString('journal', journal), limits);
}
