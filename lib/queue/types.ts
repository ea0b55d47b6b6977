import type { ResultFormatName } from '../export/formats.js';
import type { RoutedSegmentOptions } from '../inference/ensemble.js';
import type { QueueOptions as CallQueueOptions } from '../inference/queue.js';
import type { SlideSegmentOptions } from '../inference/slide-options.js';
import type { TileSize } from '../inference/tiles.js';
import type { Job, JobStore, PrioritySubmitOptions, Submission } from '../jobs/types.js';
import type { ColumnNames } from '../measure/columns.js';
import type { CallOptions, Progress } from '../native/job.js';

/** Options of `segment` for a job: those that are plain data. */
export type TaskSegmentOptions = Omit<
  RoutedSegmentOptions,
  keyof CallOptions | keyof CallQueueOptions | 'name'
> &
  Pick<SlideSegmentOptions, 'level' | 'skipBackground'>;

/** A task: the image, the options and the files to write. It refers to the image and contains no pixels. */
export interface SegmentTask {
  /**
   * A path or `file:` URL, which must exist on the machine of the worker; an `http:` or `https:` URL; `s3://bucket/key`, whose
   * key is not encoded; or a key in the worker's store of images.
   */
  image: string | URL | { key: string };
  /** Whether the image is read as a slide, whose rows of tiles are distributed to workers. Default false. */
  slide?: boolean;
  /** Name of the image in results and of their files. Default: the last part of the reference. */
  name?: string;
  /** Formats of the written files: those of `cellroute segment --formats` with a file per image. Default `json`. */
  formats?: readonly ResultFormatName[];
  options?: TaskSegmentOptions;
  /** Column names of tables of measurements; default `skimage`. */
  columns?: ColumnNames;
  /** Micrometres per pixel in the files. Default: the value in the image's file. */
  outputPixelSize?: number;
}

/** Result of a job: a summary, and the keys of its files. */
export interface SegmentedTask {
  /**
   * SHA-256 of the image, the model's fingerprint, the options and the version of cellroute, as 64 hexadecimal digits. Files
   * with this key are written once.
   */
  key: string;
  /** Whether this job wrote the files; false if they existed. */
  created: boolean;
  /** Name of the image. */
  name: string;
  /** The cell type, and the number of cells. */
  cellType: string;
  cells: number;
  /** Key in the store of results, by format. */
  files: Partial<Record<ResultFormatName, string>>;
  notices?: readonly string[];
}

/** Options of {@link JobQueue.submit}. */
export interface QueueSubmitOptions extends Omit<PrioritySubmitOptions, 'digest'> {
  /** `reject` (default) rejects with BUSY if too many jobs wait; `wait` waits until there is room. */
  whenBusy?: 'wait' | 'reject' | undefined;
  /** Stops waiting. */
  signal?: AbortSignal | undefined;
}

/** Number of jobs by state. Cancelled jobs that have ended are counted as failed. */
export interface JobCounts {
  waiting: number;
  running: number;
  done: number;
  failed: number;
}

/**
 * A queue of jobs that segment images. A job is delivered at least once; its result has a key and is written once.
 *
 * Methods reject with JOB_NOT_FOUND for an unknown id or a deleted job, and with QUEUE_UNAVAILABLE if Redis refuses a
 * command. While Redis cannot be reached, they wait.
 */
export interface JobQueue extends Omit<JobStore<SegmentTask, SegmentedTask>, 'submit'> {
  /** Name of the queue. */
  readonly name: string;
  /**
   * Adds a job.
   *
   * @throws {CellrouteError} INVALID_ARGUMENT for a task or option; BUSY if no more jobs may wait; JOB_CONFLICT for a
   *   key of another task.
   */
  submit(task: SegmentTask, options?: QueueSubmitOptions): Promise<Submission>;
  /** Submits a failed or cancelled job again; other jobs do not change. Returns the job afterwards. */
  retry(id: string): Promise<Job>;
  /** Number of known jobs by state. The rows of slides are counted too. */
  counts(): Promise<JobCounts>;
  /** Closes the connections or the journal. Jobs are kept. */
  close(): Promise<void>;
  /** Calls {@link JobQueue.close}; for `await using`. */
  [Symbol.asyncDispose](): Promise<void>;
  /** Starts to process jobs. @internal */
  work(runner: TaskRunner, options: WorkOptions): Promise<StartedQueueWork>;
}

/** Reference to an image. @internal */
export type ImageReference =
  | { path: string }
  | { url: string }
  | { bucket: string; key: string }
  | { key: string };

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

/** Context of a job's work. @internal */
export interface TaskCall {
  signal: AbortSignal;
  onProgress: (progress: Progress) => void;
}

/** A slide whose rows are to be segmented. Plain data. @internal */
export interface PlannedSlide {
  /** Key of the result. */
  key: string;
  /** Rows of tiles. */
  rows: number;
  /** Tiles that replace those of the task, because memory was exhausted with them. */
  tiles?: TileSize;
  /** Tiles of the next plan, if memory is exhausted with these; absent where there are no smaller ones. */
  smaller?: TileSize;
  /** The plan with larger tiles that this one replaces. */
  replaces?: PlannedSlide;
}

/**
 * Processes jobs; called by a queue. If several workers share a queue, each row of a slide is a separate job. @internal
 */
export interface TaskRunner {
  /** Segments an image. */
  image(task: StoredTask, call: TaskCall): Promise<SegmentedTask>;
  /**
   * Makes the plan of a slide, or returns the existing result.
   *
   * @param exhausted the plan whose tiles need too much memory; the new one has its smaller tiles.
   */
  plan(task: StoredTask, call: TaskCall, exhausted?: PlannedSlide): Promise<PlannedSlide | SegmentedTask>;
  /** The rows of a planned slide that are not segmented yet. */
  missingRows(slide: PlannedSlide, call: TaskCall): Promise<number[]>;
  /** Segments one row of a planned slide, and writes its cells to the store of results. */
  row(task: StoredTask, slide: PlannedSlide, row: number, call: TaskCall): Promise<void>;
  /** Joins the rows of a slide. */
  stitch(task: StoredTask, slide: PlannedSlide, call: TaskCall): Promise<SegmentedTask>;
}

/** Settings of the work on a queue. @internal */
export interface WorkOptions {
  concurrency: number;
  lockSeconds: number;
  onError: (error: unknown) => void;
}

/** Running work on a queue. @internal */
export interface StartedQueueWork {
  /** Takes no more jobs and waits for running ones. After this number of seconds they are stopped and wait again. */
  stop(seconds: number): Promise<void>;
}
