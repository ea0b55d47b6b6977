// A worker of a queue over Redis: takes jobs, processes them and reports their outcome.
import type { Worker } from 'bullmq';
import type { Redis } from 'ioredis';
import { CellrouteError } from '../errors.js';
import { failureAsError, jobAbandoned } from '../jobs/errors.js';
import { MAX_ATTEMPTS } from '../jobs/types.js';
import type { Progress } from '../native/job.js';
import { type JobData, type KeptJob, rowPrefix } from './bull-job.js';
import { failureIn, failureText, isRetried } from './failure.js';
import { Gate } from './gate.js';
import { queuePackages } from './packages.js';
import { KEY_PREFIX, redisOptions } from './redis.js';
import { isResult, needsSmallerTiles } from './runner.js';
import type {
  PlannedSlide,
  SegmentedTask,
  StartedQueueWork,
  TaskCall,
  TaskRunner,
  WorkOptions,
} from './types.js';

/** The queue of a worker. */
export interface WorkedQueue {
  readonly name: string;
  isCancelled(id: string): Promise<boolean>;
  cancelledOf(ids: readonly string[]): Promise<string[]>;
  addRows(parent: KeptJob, slide: PlannedSlide, rows: readonly number[]): Promise<void>;
  ownKey(name: string): string;
}

/** A job that this worker processes. */
interface ActiveJob {
  /** The job whose cancellation applies to this one: the job itself, or that of its slide. */
  root: string;
  stop: AbortController;
}

/** Milliseconds between checks for cancelled jobs. */
const CANCELLED_MS = 500;
/** Milliseconds between reports of progress. */
const PROGRESS_MS = 500;
/** Milliseconds until a command that failed because of a lost connection is retried. */
const RETRY_MS = 1000;
/**
 * Number of times that the lock of a job may be lost. It is high, because a suspended worker and an unreachable Redis lose
 * locks too. Ends of workers are counted separately.
 */
const MAX_STALLED = 100;

/** Reason of an abort after which the job waits again. */
const RETURNED = Symbol('returned');

export class BullWork implements StartedQueueWork {
  readonly #queue: WorkedQueue;
  readonly #client: Redis;
  readonly #runner: TaskRunner;
  readonly #worker: Worker<JobData, SegmentedTask | null>;
  readonly #active = new Map<string, ActiveJob>();
  readonly #gate = new Gate();
  readonly #look: NodeJS.Timeout;
  #stopping: Promise<void> | undefined;

  constructor(
    queue: WorkedQueue,
    url: string,
    client: Redis,
    runner: TaskRunner,
    { concurrency, lockSeconds, onError }: WorkOptions,
  ) {
    this.#queue = queue;
    this.#client = client;
    this.#runner = runner;
    const { bullmq } = queuePackages();
    this.#worker = new bullmq.Worker(queue.name, (job, token) => this.#process(job, token ?? ''), {
      connection: redisOptions(url),
      prefix: KEY_PREFIX,
      concurrency,
      lockDuration: lockSeconds * 1000,
      stalledInterval: lockSeconds * 1000,
      maxStalledCount: MAX_STALLED,
      runRetryDelay: RETRY_MS,
    });
    this.#worker.on('error', onError);
    this.#look = setInterval(() => {
      this.#stopCancelled().catch(onError);
    }, CANCELLED_MS);
  }

  stop(seconds: number): Promise<void> {
    this.#stopping ??= this.#stop(seconds);
    return this.#stopping;
  }

  async #stop(seconds: number): Promise<void> {
    const closed = this.#worker.close();
    const late = setTimeout(() => {
      for (const { stop } of this.#active.values()) stop.abort(RETURNED);
    }, seconds * 1000);
    try {
      await closed;
    } finally {
      clearTimeout(late);
      clearInterval(this.#look);
    }
  }

  async #stopCancelled(): Promise<void> {
    const active = [...this.#active.values()];
    if (active.length === 0) return;
    const cancelled = new Set(await this.#queue.cancelledOf([...new Set(active.map(({ root }) => root))]));
    for (const { root, stop } of active) if (cancelled.has(root)) stop.abort(cancelledJob());
  }

  async #process(job: KeptJob, token: string): Promise<SegmentedTask | null> {
    const { bullmq } = queuePackages();
    const id = job.id!;
    const stop = new AbortController();
    const { signal } = stop;
    const root = job.data.parent ?? id;
    this.#active.set(id, { root, stop });
    try {
      if (await this.#queue.isCancelled(root)) throw cancelledJob();
      return await this.#counted(id, signal, () => this.#run(job, token, callOf(job, signal)));
    } catch (error) {
      // The job already waits for its rows.
      if (error instanceof bullmq.WaitingChildrenError) throw error;
      if (signal.reason === RETURNED) {
        await job.moveToWait(token);
        throw new bullmq.WaitingError();
      }
      const failure = signal.aborted ? signal.reason : error;
      const text = failureText(failure);
      // Another attempt at a row would need as much memory; the job of the slide plans smaller tiles.
      const { slide, row } = job.data;
      const isFinal = row !== undefined && needsSmallerTiles(slide!, failure);
      throw isRetried(failure) && !isFinal ? new Error(text) : new bullmq.UnrecoverableError(text);
    } finally {
      this.#active.delete(id);
    }
  }

  /**
   * Counts the start of the work, and removes the count at its end. A remaining count means that a worker ended during the
   * work. Such a job runs alone, so that no other job is counted as the cause of the next end.
   *
   * @throws {CellrouteError} JOB_ABANDONED
   */
  async #counted<T>(id: string, signal: AbortSignal, work: () => Promise<T>): Promise<T> {
    const starts = this.#queue.ownKey('starts');
    const deaths = Number((await this.#client.hget(starts, id)) ?? 0);
    const leave = await this.#gate.enter(deaths > 0);
    try {
      signal.throwIfAborted();
      if (deaths >= MAX_ATTEMPTS) throw jobAbandoned(deaths);
      await this.#client.hincrby(starts, id, 1);
      return await work();
    } finally {
      await this.#client.hdel(starts, id).finally(leave);
    }
  }

  async #run(job: KeptJob, token: string, call: TaskCall): Promise<SegmentedTask | null> {
    const { task, slide, row } = job.data;
    if (!task.slide) return this.#runner.image(task, call);
    if (row === undefined) return this.#slide(job, token, call);
    await this.#runner.row(task, slide!, row, call);
    return null;
  }

  /** Runs when the slide is submitted, and again when the jobs of its rows have ended. */
  async #slide(job: KeptJob, token: string, call: TaskCall): Promise<SegmentedTask> {
    const { WaitingChildrenError } = queuePackages().bullmq;
    const { task } = job.data;
    let { slide } = job.data;
    const failed = slide && (await failureOfRow(job, slide));
    if (failed) await job.removeUnprocessedChildren();
    if (failed && !needsSmallerTiles(slide!, failed)) throw failed;
    if (!slide || failed) {
      const planned = await this.#runner.plan(task, call, slide);
      if (isResult(planned)) return planned;
      slide = planned;
      await job.updateData({ ...job.data, slide });
    }
    const missing = await this.#runner.missingRows(slide, call);
    if (missing.length > 0) await this.#queue.addRows(job, slide, missing);
    // Also for rows of a replaced plan that still run: their files are deleted with the others.
    if (missing.length > 0 || slide.replaces) {
      if (await job.moveToWaitingChildren(token)) throw new WaitingChildrenError();
    }
    return this.#runner.stitch(task, slide, call);
  }
}

/** Why a row of this plan failed, if one did; rows of a plan that it replaces do not count. */
async function failureOfRow(job: KeptJob, slide: PlannedSlide): Promise<CellrouteError | undefined> {
  const failures = Object.entries(await job.getFailedChildrenValues());
  const own = failures.find(([key]) => key.includes(`:${rowPrefix(job.id!, slide)}`));
  return own && failureAsError(failureIn(own[1]));
}

const cancelledJob = () => new CellrouteError('JOB_CANCELLED', 'The job was cancelled.');

/** Context of a job's work. Progress is stored in Redis at limited intervals. */
function callOf(job: KeptJob, signal: AbortSignal): TaskCall {
  let reported = Number.NEGATIVE_INFINITY;
  const onProgress = ({ stage, fraction }: Progress) => {
    // Not the time of day, which can be set back.
    const now = performance.now();
    if (now - reported < PROGRESS_MS) return;
    reported = now;
    // A job whose lock was lost may have been deleted.
    job.updateProgress({ stage, fraction }).catch(() => {});
  };
  return { signal, onProgress };
}
