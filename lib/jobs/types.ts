import type { Progress } from '../native/job.js';

/** `waiting` and `running` change; `done`, `failed` and `cancelled` are final. */
export type JobState = 'waiting' | 'running' | 'done' | 'failed' | 'cancelled';

/** States in the order in which a job may go through them. */
export const JOB_STATES: readonly JobState[] = ['waiting', 'running', 'done', 'failed', 'cancelled'];

/** Whether a job has ended. */
export const isFinal = (state: JobState): boolean => state !== 'waiting' && state !== 'running';

/** Why a job failed. */
export interface JobFailure {
  /** The `code` of a CellrouteError. */
  code: string;
  message: string;
}

/** What is known of a job, as plain data. */
export interface Job {
  id: string;
  state: JobState;
  /** ISO 8601. */
  submitted: string;
  started?: string;
  ended?: string;
  /** Of a running job, where it has reported any. */
  progress?: Progress;
  /** Of a failed job. */
  error?: JobFailure;
}

/** Options of {@link JobStore.submit}. */
export interface SubmitOptions {
  /**
   * A key that the caller has chosen. While the store knows a job with this key, the same request gives that job, and
   * another request is refused with JOB_CONFLICT.
   */
  key?: string | undefined;
  /** A digest of the request, which says whether two requests with one key are the same. Needed with `key`. */
  digest?: string | undefined;
}

/** Options of `submit` of stores that have priorities. */
export interface PrioritySubmitOptions extends SubmitOptions {
  /** 0 to 100; jobs with a higher priority run first, jobs with the same in the order of submission. Default 0. */
  priority?: number | undefined;
}

/** Range of a priority. */
export const PRIORITY_RANGE = { min: 0, max: 100, integer: true } as const;

/** How often a job fails, or its process ends while it runs, before it is given up. */
export const MAX_ATTEMPTS = 3;

/** A submitted job. */
export interface Submission {
  job: Job;
  /** False where the key belongs to an earlier job, which `job` then is. */
  created: boolean;
}

/**
 * Jobs and their results. {@link MemoryJobStore} keeps them in one process.
 *
 * Methods reject with JOB_NOT_FOUND for an id that the store does not know, or does not know any more.
 */
export interface JobStore<Input, Output> {
  /**
   * Adds a job.
   *
   * @throws {CellrouteError} BUSY where no more jobs may wait; JOB_CONFLICT.
   */
  submit(input: Input, options?: SubmitOptions): Promise<Submission>;
  /**
   * The job as it is now.
   *
   * @throws {CellrouteError} JOB_NOT_FOUND for an id that is not known, or no longer.
   */
  get(id: string): Promise<Job>;
  /** Cancels a job that has not ended; an ended job stays as it is. Returns the job afterwards. */
  cancel(id: string): Promise<Job>;
  /**
   * The job now and after each change, until it has ended. A slow reader skips changes and always gets the latest.
   * Ends without an error where the signal aborts.
   */
  events(id: string, options?: { signal?: AbortSignal }): AsyncIterable<Job>;
  /**
   * What the job has computed.
   *
   * @throws {CellrouteError} JOB_UNFINISHED, JOB_CANCELLED; of a failed job, its error.
   */
  result(id: string): Promise<Output>;
}
