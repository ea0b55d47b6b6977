// A queue over Redis, for workers on several machines.
import { createHash, randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import type { JobsOptions, Queue, QueueEvents } from 'bullmq';
import type { Redis } from 'ioredis';
import type { SignalOptions } from '../abort.js';
import { checkNumber, checkOptions, checkString } from '../check.js';
import { CellrouteError } from '../errors.js';
import { busy, failureAsError, jobConflict, jobNotFound, unfinished } from '../jobs/errors.js';
import type { CheckedJobLimits } from '../jobs/limits.js';
import { isFinal, type Job, MAX_ATTEMPTS, PRIORITY_RANGE, type Submission } from '../jobs/types.js';
import type { Progress } from '../native/job.js';
import { type JobData, type KeptJob, rowPrefix } from './bull-job.js';
import { BullWork, type WorkedQueue } from './bull-work.js';
import { failureIn } from './failure.js';
import { queuePackages } from './packages.js';
import { connectRedis, KEY_PREFIX, redisOptions, unavailable } from './redis.js';
import { SUBMIT_KEYS, whenThereIsRoom } from './submit.js';
import { checkTask, taskDigest } from './task.js';
import type {
  JobCounts,
  JobQueue,
  PlannedSlide,
  QueueSubmitOptions,
  SegmentedTask,
  SegmentTask,
  StartedQueueWork,
  TaskRunner,
  WorkOptions,
} from './types.js';

/** Milliseconds after which the state of a job is read, if no event has reported a change. */
const POLL_MS = 1000;

/** Number of cancelled jobs that are checked at each cancellation, to delete those that Redis has removed. */
const MAX_CHECKED_CANCELLED = 10;

export class BullQueue implements JobQueue, WorkedQueue {
  readonly name: string;
  readonly #url: string;
  readonly #client: Redis;
  readonly #queue: Queue<JobData, SegmentedTask | null>;
  readonly #limits: CheckedJobLimits;
  readonly #onError: (error: unknown) => void;
  readonly #listeners = new Map<string, Set<() => void>>();
  #events: QueueEvents | undefined;
  #work: BullWork | undefined;

  private constructor(
    name: string,
    url: string,
    client: Redis,
    limits: CheckedJobLimits,
    onError: (error: unknown) => void,
  ) {
    this.name = name;
    this.#url = url;
    this.#client = client;
    this.#limits = limits;
    this.#onError = onError;
    const { bullmq } = queuePackages();
    this.#queue = new bullmq.Queue(name, { connection: redisOptions(url), prefix: KEY_PREFIX });
    this.#queue.on('error', onError);
  }

  static async open(
    name: string,
    url: string,
    limits: CheckedJobLimits,
    onError: (error: unknown) => void,
  ): Promise<BullQueue> {
    return new BullQueue(name, url, await connectRedis(url, onError), limits, onError);
  }

  async submit(task: SegmentTask, options: QueueSubmitOptions = {}): Promise<Submission> {
    checkOptions(options, SUBMIT_KEYS);
    const stored = checkTask(task);
    const { key, priority = 0 } = options;
    checkNumber('priority', priority, PRIORITY_RANGE);
    if (key !== undefined) checkString('key', key);
    const digest = taskDigest(stored);
    // BullMQ refuses ids with colons.
    const id = key === undefined ? randomUUID() : createHash('sha256').update(key).digest('hex');
    return whenThereIsRoom(options, async () => {
      const known = key === undefined ? undefined : await this.#job(id);
      if (known) return this.#same(key!, digest, known);
      await this.#checkRoom();
      const submission = randomUUID();
      const data = { task: stored, digest, submission };
      await this.#add(id, data, this.#optionsOf(priority));
      if (key !== undefined) {
        // Of two concurrent submissions, one has created the job.
        const kept = await this.#job(id);
        if (kept && kept.data.submission !== submission) return this.#same(key, digest, kept);
      }
      return { job: await this.get(id), created: true };
    });
  }

  async get(id: string): Promise<Job> {
    // The state is read first: if the job has ended by then, its result exists.
    const state = await this.#asked(this.#queue.getJobState(id));
    const [job, cancelled] = await Promise.all([this.#job(id), this.isCancelled(id)]);
    if (!job || state === 'unknown') throw jobNotFound(id, this.#limits.keepSeconds);
    return jobOf(job, state, cancelled, state === 'waiting-children' ? await rowsDone(job) : undefined);
  }

  async cancel(id: string): Promise<Job> {
    const before = await this.get(id);
    if (isFinal(before.state)) return before;
    await this.#forgetCancelled();
    await this.#asked(this.#client.zadd(this.#cancelledKey, Date.now(), id));
    const state = await this.#asked(this.#queue.getJobState(id));
    // The job ended before the cancellation.
    if (state === 'completed' || state === 'failed')
      await this.#asked(this.#client.zrem(this.#cancelledKey, id));
    return this.get(id);
  }

  async retry(id: string): Promise<Job> {
    const { state } = await this.get(id);
    if (state !== 'failed' && state !== 'cancelled') return this.get(id);
    const job = await this.#job(id);
    // A cancelled job that has not ended yet is replaced by a new one when it has.
    if (!job || (await this.#asked(job.getState())) !== 'failed') return this.get(id);
    const { slide: _, ...data } = job.data;
    await this.#asked(job.remove());
    await this.#asked(this.#client.zrem(this.#cancelledKey, id));
    await this.#add(id, data, job.opts);
    return this.get(id);
  }

  async *events(id: string, options: SignalOptions = {}): AsyncGenerator<Job, void, undefined> {
    checkOptions(options, ['signal']);
    const { signal } = options;
    let seen = '';
    while (!signal?.aborted) {
      const next = this.#nextChange(id);
      try {
        const job = await this.get(id);
        const text = JSON.stringify(job);
        if (text !== seen) yield job;
        seen = text;
        if (isFinal(job.state)) return;
        await next.wait(signal);
      } finally {
        next.close();
      }
    }
  }

  async result(id: string): Promise<SegmentedTask> {
    const job = await this.get(id);
    const kept = job.state === 'done' ? await this.#job(id) : undefined;
    if (kept?.returnvalue) return kept.returnvalue;
    throw job.error ? failureAsError(job.error) : unfinished(job);
  }

  async counts(): Promise<JobCounts> {
    const counts = await this.#asked(this.#queue.getJobCounts());
    const sum = (...states: string[]) => states.reduce((total, state) => total + (counts[state] ?? 0), 0);
    return {
      waiting: sum('waiting', 'prioritized', 'delayed'),
      running: sum('active', 'waiting-children'),
      done: sum('completed'),
      failed: sum('failed'),
    };
  }

  async work(runner: TaskRunner, options: WorkOptions): Promise<StartedQueueWork> {
    this.#work = new BullWork(this, this.#url, this.#client, runner, options);
    return this.#work;
  }

  async close(): Promise<void> {
    await this.#work?.stop(0);
    await this.#events?.close();
    await this.#queue.close();
    this.#client.disconnect();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  /** Whether a job was cancelled. */
  async isCancelled(id: string): Promise<boolean> {
    return (await this.#asked(this.#client.zscore(this.#cancelledKey, id))) !== null;
  }

  /** The cancelled ones among these jobs. */
  async cancelledOf(ids: readonly string[]): Promise<string[]> {
    const scores = await this.#client.zmscore(this.#cancelledKey, ...ids);
    return ids.filter((_, i) => scores[i] !== null);
  }

  /** Adds jobs for the rows of a slide. The job of the slide waits for them. */
  async addRows(parent: KeptJob, slide: PlannedSlide, rows: readonly number[]): Promise<void> {
    const { task, digest, submission } = parent.data;
    const id = parent.id!;
    await this.#queue.addBulk(
      rows.map((row) => ({
        name: `${task.name} row ${row}`,
        data: { task, digest, submission, slide, parent: id, row },
        opts: {
          ...this.#optionsOf(0),
          ...(parent.opts.priority !== undefined && { priority: parent.opts.priority }),
          jobId: `${rowPrefix(id, slide)}${row}`,
          parent: { id, queue: this.#queue.qualifiedName },
          // The slide's job reports the failure of a row.
          continueParentOnFailure: true,
          removeOnComplete: true,
          removeOnFail: true,
        },
      })),
    );
  }

  /** A key of cellroute beside those of BullMQ. */
  ownKey(name: string): string {
    return `${KEY_PREFIX}:${this.name}:own:${name}`;
  }

  get #cancelledKey(): string {
    return this.ownKey('cancelled');
  }

  async #add(id: string, data: JobData, options: JobsOptions): Promise<void> {
    await this.#asked(this.#queue.add(data.task.name, data, { ...options, jobId: id }));
  }

  #optionsOf(priority: number): JobsOptions {
    const { keepSeconds, maxEnded, retrySeconds } = this.#limits;
    const keep = { age: keepSeconds, count: maxEnded };
    return {
      // BullMQ runs 1 first.
      priority: PRIORITY_RANGE.max + 1 - priority,
      attempts: MAX_ATTEMPTS,
      backoff: { type: 'exponential', delay: retrySeconds * 1000 },
      removeOnComplete: keep,
      removeOnFail: keep,
      stackTraceLimit: 0,
    };
  }

  async #checkRoom(): Promise<void> {
    const { waiting } = await this.counts();
    const { maxWaiting } = this.#limits;
    if (waiting >= maxWaiting) throw busy(`${waiting} jobs wait; the limit is maxWaiting ${maxWaiting}`);
  }

  async #same(key: string, digest: string, job: KeptJob): Promise<Submission> {
    if (job.data.digest !== digest) throw jobConflict(key, job.id!);
    return { job: await this.get(job.id!), created: false };
  }

  async #job(id: string): Promise<KeptJob | undefined> {
    return (await this.#asked(this.#queue.getJob(id))) as KeptJob | undefined;
  }

  /** Deletes the marks of some cancelled jobs that Redis has removed. */
  async #forgetCancelled(): Promise<void> {
    const oldest = await this.#asked(this.#client.zrange(this.#cancelledKey, 0, MAX_CHECKED_CANCELLED - 1));
    for (const id of oldest) {
      const state = await this.#asked(this.#queue.getJobState(id));
      if (state === 'unknown') await this.#asked(this.#client.zrem(this.#cancelledKey, id));
    }
  }

  /** Result of a Redis command. A refusal, for example because memory is full, becomes an error with a code. */
  async #asked<T>(answer: Promise<T>): Promise<T> {
    try {
      return await answer;
    } catch (error) {
      if (CellrouteError.is(error)) throw error;
      throw unavailable(`Redis refused a command: ${(error as Error).message}`, error);
    }
  }

  /** Listens for a change of a job from now on. */
  #nextChange(id: string) {
    this.#listen();
    const changed = new AbortController();
    const wake = () => changed.abort();
    const listeners = this.#listeners.get(id) ?? new Set();
    this.#listeners.set(id, listeners.add(wake));
    return {
      wait: async (signal: AbortSignal | undefined) => {
        const either = AbortSignal.any(signal ? [changed.signal, signal] : [changed.signal]);
        await delay(POLL_MS, undefined, { signal: either }).catch(() => {});
      },
      close: () => {
        listeners.delete(wake);
        if (listeners.size === 0) this.#listeners.delete(id);
      },
    };
  }

  #listen(): void {
    if (this.#events) return;
    const { bullmq } = queuePackages();
    const events = new bullmq.QueueEvents(this.name, {
      connection: redisOptions(this.#url),
      prefix: KEY_PREFIX,
    });
    events.on('error', this.#onError);
    const report = ({ jobId }: { jobId: string }) => {
      for (const wake of this.#listeners.get(jobId) ?? []) wake();
    };
    for (const event of ['active', 'progress', 'completed', 'failed', 'waiting-children'] as const) {
      events.on(event, report);
    }
    this.#events = events;
  }
}

/** Number of finished rows of a slide, and number of all rows that its job waits for. */
async function rowsDone(job: KeptJob): Promise<Progress | undefined> {
  const total = job.data.slide?.rows;
  if (total === undefined) return undefined;
  const { unprocessed = 0 } = await job.getDependenciesCount({ unprocessed: true });
  // Rows of a plan with larger tiles may still run.
  return { stage: 'rows of tiles', fraction: Math.max(0, total - unprocessed) / total };
}

function jobOf(job: KeptJob, kept: string, cancelled: boolean, rows: Progress | undefined): Job {
  const time = (ms: number | undefined) => (ms ? new Date(ms).toISOString() : undefined);
  const error = kept === 'failed' ? failureIn(job.failedReason) : undefined;
  const wasCancelled = cancelled || error?.code === 'JOB_CANCELLED';
  const state = wasCancelled ? 'cancelled' : (STATES[kept] ?? 'waiting');
  const started = state === 'waiting' ? undefined : time(job.processedOn);
  const ended = isFinal(state) ? time(job.finishedOn) : undefined;
  const progress = rows ?? (typeof job.progress === 'object' ? (job.progress as Progress) : undefined);
  return {
    id: job.id!,
    state,
    submitted: new Date(job.timestamp).toISOString(),
    ...(started && { started }),
    ...(ended && { ended }),
    ...(state === 'running' && progress && { progress }),
    ...(state === 'failed' && error && { error }),
  };
}

/** States by BullMQ's names; all other states are `waiting`. */
const STATES: Readonly<Record<string, Job['state']>> = {
  active: 'running',
  'waiting-children': 'running',
  completed: 'done',
  failed: 'failed',
};
