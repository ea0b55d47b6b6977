import type { Progress } from '../native/job.js';

/** `waiting` and `running` change; `done`, `failed` and `cancelled` are final. */
export type JobState = 'waiting' | 'running' | 'done' | 'failed' | 'cancelled';

/** States in the order in which a job may have them. */
export const JOB_STATES: readonly JobState[] = ['waiting', 'running', 'done', 'failed', 'cancelled'];

/** Whether a job has ended. */
export const isFinal = (state: JobState): boolean => state !== 'waiting' && state !== 'running';

/** Why a job failed. */
export interface JobFailure {
  /** The `code` of a CellrouteError. */
  code: string;
  message: string;
}

/** State of a job, as plain data. */
export interface Job {
  id: string;
  state: JobState;
  /** ISO 8601. */
  submitted: string;
  started?: string;
  ended?: string;
  /** Progress of a running job, if it has reported any. */
  progress?: Progress;
  /** Reason of the failure; only for a failed job. */
  error?: JobFailure;
}

/** Number of jobs by state. */
export function countStates(entries: Iterable<{ readonly job: Job }>): Record<JobState, number> {
  const counts = { waiting: 0, running: 0, done: 0, failed: 0, cancelled: 0 };
  for (const { job } of entries) counts[job.state]++;
  return counts;
}

/** Options of {@link JobStore.submit}. */
export interface SubmitOptions {
  /**
   * A key chosen by the caller. While the store has a job with this key, the same request returns that job, and another
   * request is refused with JOB_CONFLICT.
   */
  key?: string | undefined;
  /** A digest of the request, by which two requests with the same key are compared. Required with `key`. */
  digest?: string | undefined;
}

/** Options of `submit` of stores with priorities. */
export interface PrioritySubmitOptions extends SubmitOptions {
  /** 0 to 100. Jobs with a higher priority run first; jobs with equal priority run in the order of submission. Default 0. */
  priority?: number | undefined;
}

/** Range of a priority. */
export const PRIORITY_RANGE = { min: 0, max: 100, integer: true } as const;

/** Number of failures of a job, or of ends of its process while it runs, after which it is not retried. */
export const MAX_ATTEMPTS = 3;

/** A submitted job. */
export interface Submission {
  job: Job;
  /** false if the key belongs to an earlier job, which is then in `job`. */
  created: boolean;
}

/**
 * Jobs and their results. {@link MemoryJobStore} keeps them in one process.
 *
 * Methods reject with JOB_NOT_FOUND for an unknown id or a deleted job.
 */
export interface JobStore<Input, Output> {
  /**
   * Adds a job.
   *
   * @throws {CellrouteError} BUSY if no more jobs may wait; JOB_CONFLICT.
   */
  submit(input: Input, options?: SubmitOptions): Promise<Submission>;
  /**
   * Returns the current state of a job.
   *
   * @throws {CellrouteError} JOB_NOT_FOUND for an unknown id or a deleted job.
   */
  get(id: string): Promise<Job>;
  /** Cancels a job that has not ended; an ended job does not change. Returns the job afterwards. */
  cancel(id: string): Promise<Job>;
  /**
   * Yields the job now and after each change, until it has ended. A slow reader skips changes and always gets the latest.
   * Ends without an error if the signal aborts.
   */
  events(id: string, options?: { signal?: AbortSignal }): AsyncIterable<Job>;
  /**
   * Returns the result of a job.
   *
   * @throws {CellrouteError} JOB_UNFINISHED, JOB_CANCELLED; for a failed job, its error.
   */
  result(id: string): Promise<Output>;
}
