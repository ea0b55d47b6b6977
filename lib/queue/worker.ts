import { checkNumber, checkOptions, refuse } from '../check.js';
import { type LoadEnsembleOptions, RoutedEnsemble } from '../inference/ensemble.js';
import { checkModelSource } from '../inference/model-source.js';
import { watchListener } from '../listener.js';
import type { CallOptions } from '../native/job.js';
import type { ObjectStore } from './objects.js';
import { isResult, SegmentRunner } from './runner.js';
import { checkS3Options, type S3Options } from './s3-client.js';
import { ImageSources } from './source.js';
import { checkObjectStore } from './stores.js';
import type { JobQueue, SegmentedTask, StartedQueueWork, StoredTask, TaskCall, TaskRunner } from './types.js';

/** A step of a worker. */
export interface WorkEvent {
  /** Name of the image. */
  name: string;
  /** `image`; for a slide its plan, a row of tiles, or the joining of its rows. */
  step: 'image' | 'plan' | 'row' | 'stitch';
  /** Index of a row. */
  row?: number;
  seconds: number;
  /** Result of a finished image or slide. */
  result?: SegmentedTask;
  /** Error of a failed attempt; the job may be retried. */
  error?: unknown;
}

/** Options of {@link createWorker}. */
export interface WorkerOptions extends Pick<LoadEnsembleOptions, 'precision' | 'device'> {
  /** Store of the files of results: a folder, created if missing; `s3://bucket/prefix`; or a store of your own. */
  results: string | ObjectStore;
  /** Store of images that tasks refer to by key: a folder, bucket or store of your own. Default: such tasks are refused. */
  images?: string | ObjectStore | undefined;
  /** How the `s3:` URLs of `results`, `images` and tasks are reached. Default: as the AWS SDK finds it. */
  s3?: S3Options | undefined;
  /** Path of a model, which the worker loads and disposes. Default: the starter ensemble. */
  model?: string | undefined;
  /** A loaded ensemble in place of `model`. The worker does not dispose it. */
  ensemble?: RoutedEnsemble | undefined;
  /** Maximum number of jobs that run at the same time, 1 to 64; default 2: one is computed while the next is read. */
  concurrency?: number | undefined;
  /**
   * Seconds until a job whose worker has ended is given to another one, 1 to 3600; default 30. A worker renews its lock
   * twice as often. Use the same value for all workers of a queue. Ignored with a journal.
   */
  lockSeconds?: number | undefined;
  /** Seconds to finish jobs when the worker closes, 0 to 3600; default 30. Then they are stopped and wait for another worker. */
  drainSeconds?: number | undefined;
  /** Seconds between attempts to write a file while the disk is full, 0.01 to 3600; default 10. */
  fullSeconds?: number | undefined;
  /** Called after each step of work. Its errors are passed to `onError`, and do not affect the job. */
  onWork?: ((event: WorkEvent) => void) | undefined;
  /** Called with errors of the connection, which is made again, and with those of `onWork`. It must not throw. */
  onError?: ((error: unknown) => void) | undefined;
  /** Stops loading the model. */
  signal?: AbortSignal | undefined;
}

const KEYS = [
  'results',
  'images',
  's3',
  'model',
  'ensemble',
  'precision',
  'device',
  'concurrency',
  'lockSeconds',
  'drainSeconds',
  'fullSeconds',
  'onWork',
  'onError',
  'signal',
];

/** Processes the jobs of a queue; created by {@link createWorker}. */
export class QueueWorker {
  readonly #work: StartedQueueWork;
  readonly #owned: RoutedEnsemble | undefined;
  readonly #drainSeconds: number;
  #closing: Promise<void> | undefined;

  /** @internal */
  constructor(work: StartedQueueWork, owned: RoutedEnsemble | undefined, drainSeconds: number) {
    this.#work = work;
    this.#owned = owned;
    this.#drainSeconds = drainSeconds;
  }

  /**
   * Takes no more jobs, waits for running ones and disposes the model. Jobs that are not finished after `drainSeconds` are
   * stopped and wait for another worker; this is not counted as an attempt.
   */
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  /** Calls {@link close}; for `await using`. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  async #close(): Promise<void> {
    await this.#work.stop(this.#drainSeconds);
    await this.#owned?.dispose();
  }
}

/**
 * Loads a model and starts to process the jobs of a queue.
 *
 * @throws {CellrouteError} INVALID_ARGUMENT, and the codes of {@link RoutedEnsemble.load}; PACKAGE_MISSING for a bucket, and
 *   FILE_UNREADABLE for one that cannot be reached.
 */
export async function createWorker(queue: JobQueue, options: WorkerOptions): Promise<QueueWorker> {
  checkOptions(options, KEYS);
  if (typeof queue?.work !== 'function') throw refuse('queue', 'a queue, as createQueue returns it', queue);
  const { ensemble, model, precision, device, signal, onWork, onError = () => {} } = options;
  for (const [name, value] of Object.entries({ onWork, onError })) {
    if (value !== undefined && typeof value !== 'function') throw refuse(name, 'a function', value);
  }
  checkModelSource(options);
  const s3 = options.s3 === undefined ? {} : checkS3Options('s3', options.s3);
  const results = checkObjectStore('results', options.results, s3);
  const images = options.images === undefined ? undefined : checkObjectStore('images', options.images, s3);
  const number = (
    name: 'concurrency' | 'lockSeconds' | 'drainSeconds' | 'fullSeconds',
    fallback: number,
    min: number,
    max: number,
  ) => checkNumber(name, options[name] ?? fallback, { min, max, integer: name === 'concurrency' });
  const concurrency = number('concurrency', 2, 1, 64);
  const lockSeconds = number('lockSeconds', 30, 1, 3600);
  const drainSeconds = number('drainSeconds', 30, 0, 3600);
  const fullSeconds = number('fullSeconds', 10, 0.01, 3600);
  const load: LoadEnsembleOptions & CallOptions = {
    ...(precision !== undefined && { precision }),
    ...(device !== undefined && { device }),
    ...(signal && { signal }),
  };
  for (const store of [results, images]) await store?.check?.(signal ? { signal } : {});
  const loaded = ensemble ?? (await RoutedEnsemble.load(model, load));
  const owned = ensemble ? undefined : loaded;
  try {
    // Computed now, because the first job would have to wait for it.
    await loaded.fingerprint(signal ? { signal } : {});
    const runner = new SegmentRunner({
      ensemble: loaded,
      results,
      images: new ImageSources(images, s3),
      fullSeconds,
    });
    const report = (event: WorkEvent) => {
      try {
        watchListener(onWork?.(event), onError);
      } catch (error) {
        onError(error);
      }
    };
    const work = await queue.work(onWork ? reporting(runner, report) : runner, {
      concurrency,
      lockSeconds,
      onError,
    });
    return new QueueWorker(work, owned, drainSeconds);
  } catch (error) {
    await owned?.dispose();
    throw error;
  }
}

/** Reports each step of a runner. */
function reporting(runner: TaskRunner, report: (event: WorkEvent) => void): TaskRunner {
  const step = async <T>(
    task: StoredTask,
    what: Pick<WorkEvent, 'step' | 'row'>,
    { signal }: TaskCall,
    work: () => Promise<T>,
  ): Promise<T> => {
    const started = performance.now();
    const event = () => ({ name: task.name, ...what, seconds: (performance.now() - started) / 1000 });
    try {
      const value = await work();
      const result = isDone(value) ? { result: value } : {};
      report({ ...event(), ...result });
      return value;
    } catch (error) {
      // Stopped work has not failed.
      if (!signal.aborted) report({ ...event(), error });
      throw error;
    }
  };
  return {
    image: (task, call) => step(task, { step: 'image' }, call, () => runner.image(task, call)),
    plan: (task, call, exhausted) =>
      step(task, { step: 'plan' }, call, () => runner.plan(task, call, exhausted)),
    missingRows: (slide, call) => runner.missingRows(slide, call),
    row: (task, slide, row, call) =>
      step(task, { step: 'row', row }, call, () => runner.row(task, slide, row, call)),
    stitch: (task, slide, call) =>
      step(task, { step: 'stitch' }, call, () => runner.stitch(task, slide, call)),
  };
}

const isDone = (value: unknown): value is SegmentedTask =>
  typeof value === 'object' && value !== null && isResult(value as SegmentedTask);
