import type { ResultFormatName } from '../export/formats.js';
import type { RoutedSegmentOptions } from '../inference/ensemble.js';
import type { QueueOptions as CallQueueOptions } from '../inference/queue.js';
import type { SlideSegmentOptions } from '../inference/slide-options.js';
import type { Job, JobStore, PrioritySubmitOptions, Submission } from '../jobs/types.js';
import type { ColumnNames } from '../measure/columns.js';
import type { CallOptions, Progress } from '../native/job.js';

/** Options of `segment` that a job can have: those that are plain data. */
export type TaskSegmentOptions = Omit<
  RoutedSegmentOptions,
  keyof CallOptions | keyof CallQueueOptions | 'name'
> &
  Pick<SlideSegmentOptions, 'level' | 'skipBackground'>;

/** Which image is segmented, how, and which files are written. It has a reference to the image and no pixels. */
export interface SegmentTask {
  /**
   * A path or `file:` URL, which workers read as it is here; an `http:` or `https:` URL; or a key in the worker's store of
   * images.
   */
  image: string | URL | { key: string };
  /** Whether the image is read as a slide: row by row of tiles, by several workers. Default false. */
  slide?: boolean;
  /** Name of the image in results and of their files. Default: the last part of the reference. */
  name?: string;
  /** Files that are written, by the words of `cellroute segment --formats` that have a file per image. Default `json`. */
  formats?: readonly ResultFormatName[];
  options?: TaskSegmentOptions;
  /** Column names of tables of measurements; default `skimage`. */
  columns?: ColumnNames;
  /** Micrometres per pixel in the files; default: what the image's file states. */
  outputPixelSize?: number;
}

/** What a job has found, and the files with it. */
export interface SegmentedTask {
  /**
   * SHA-256 of the image, the model's fingerprint, the options and the version of cellroute, as 64 hexadecimal digits. Files
   * with this key are written once.
   */
  key: string;
  /** Whether this job wrote the files; false where they were there. */
  created: boolean;
  /** Name of the image. */
  name: string;
  /** The cell type, and the number of cells. */
  cellType: string;
  cells: number;
  /** Key in the store of results, of each format. */
  files: Partial<Record<ResultFormatName, string>>;
  notices?: readonly string[];
}

/** Options of {@link JobQueue.submit}. */
export interface QueueSubmitOptions extends Omit<PrioritySubmitOptions, 'digest'> {
  /** `reject` (default) rejects with BUSY where too many jobs wait; `wait` waits until there is room. */
  whenBusy?: 'wait' | 'reject' | undefined;
  /** Stops waiting. */
  signal?: AbortSignal | undefined;
}

/** Number of jobs by state; cancelled jobs that have ended are among the failed ones. */
export interface JobCounts {
  waiting: number;
  running: number;
  done: number;
  failed: number;
}

/**
 * Jobs that segment images. A job is delivered at least once; its result has a key and is written once.
 *
 * Methods reject with JOB_NOT_FOUND for an id that is not known, or not any more, and with QUEUE_UNAVAILABLE where Redis
 * refuses a command. While Redis cannot be reached they wait.
 */
export interface JobQueue extends Omit<JobStore<SegmentTask, SegmentedTask>, 'submit'> {
  /** Name of the queue. */
  readonly name: string;
  /**
   * Adds a job.
   *
   * @throws {CellrouteError} INVALID_ARGUMENT for a task or option; BUSY where no more jobs may wait; JOB_CONFLICT for a
   *   key of another task.
   */
  submit(task: SegmentTask, options?: QueueSubmitOptions): Promise<Submission>;
  /** Submits a job again that failed or was cancelled; other jobs stay as they are. Returns the job afterwards. */
  retry(id: string): Promise<Job>;
  /** Number of jobs that are known, by state. The rows of slides are counted too. */
  counts(): Promise<JobCounts>;
  /** Closes connections or the journal. Jobs stay. */
  close(): Promise<void>;
  /** Calls {@link JobQueue.close}; for `await using`. */
  [Symbol.asyncDispose](): Promise<void>;
  /** Begins to work on the jobs. @internal */
  work(runner: TaskRunner, options: WorkOptions): Promise<StartedQueueWork>;
}

/** Where an image is. @internal */
export type ImageReference = { path: string } | { url: string } | { key: string };

/** A {@link SegmentTask} with defaults, as plain data. @internal */
export interface StoredTask {
  image: ImageReference;
  slide: boolean;
  name: string;
  formats: ResultFormatName[];
  options: TaskSegmentOptions;
  columns: ColumnNames;
  outputPixelSize?: number;
}

/** What the work of a job is given by its queue. @internal */
export interface TaskCall {
  signal: AbortSignal;
  onProgress: (progress: Progress) => void;
}

/** A slide whose rows are to be segmented. @internal */
export interface PlannedSlide {
  /** Key of the result. */
  key: string;
  /** Rows of tiles. */
  rows: number;
}

/**
 * Does the work of jobs, for a queue that calls it. A row of a slide is a job of its own where several workers share one
 * queue. @internal
 */
export interface TaskRunner {
  /** Segments an image. */
  image(task: StoredTask, call: TaskCall): Promise<SegmentedTask>;
  /** Decides how a slide is segmented, or gives the result that is there. */
  plan(task: StoredTask, call: TaskCall): Promise<PlannedSlide | SegmentedTask>;
  /** The rows of a planned slide that are still to be segmented. */
  missingRows(slide: PlannedSlide, call: TaskCall): Promise<number[]>;
  /** Segments one row of a planned slide, and keeps its cells in the store of results. */
  row(task: StoredTask, slide: PlannedSlide, row: number, call: TaskCall): Promise<void>;
  /** Joins the rows of a slide. */
  stitch(task: StoredTask, slide: PlannedSlide, call: TaskCall): Promise<SegmentedTask>;
}

/** How a queue is worked on. @internal */
export interface WorkOptions {
  concurrency: number;
  lockSeconds: number;
  onError: (error: unknown) => void;
}

/** Work on a queue. @internal */
export interface StartedQueueWork {
  /** Takes no more jobs and waits for those that run; after so many seconds they are stopped and wait again. */
  stop(seconds: number): Promise<void>;
}
