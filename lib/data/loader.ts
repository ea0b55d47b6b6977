import { availableParallelism } from 'node:os';
import { checkBoolean, checkKeys, checkNumber, checkObject, checkOneOf, refuse } from '../check.js';
import { checkPercentiles } from '../config/mask-rcnn.js';
import { type Intensity, intensity } from '../config/shared.js';
import type { Complete } from '../defined.js';
import { processAll, resultsOf } from '../pool.js';
import { readTransforms, resize, type Transform } from '../transforms/index.js';
import { nativePlan, planSample } from '../transforms/plan.js';
import { Dataset } from './dataset.js';
import { type Prepared, prepareItem } from './prepare.js';
import { random } from './random.js';
import type { Batch, ClassifySample, DatasetItem, TrainSample } from './types.js';

export interface LoaderOptions {
  /** Images per step. */
  batchSize: number;
  /** Whether each epoch has its own random order; otherwise the order is that of the data set. */
  shuffle: boolean;
  /** Seed of the order and the transforms, an integer below 2^53. */
  seed: number;
  /** The model's intensity rule, applied to whole images before cropping. */
  intensity: Intensity;
  /** Transforms, applied in this order. */
  transforms: readonly Transform[];
  /** Number of images prepared at the same time. Default: the number of processors, at most 4 (libuv's thread pool). */
  threads?: number | undefined;
  /** Number of prefetched batches. Default 2. */
  ahead?: number | undefined;
  /** Minimum share of its pixels, 0 to 1, that a cell must keep in a crop. Default 0: one pixel is enough. */
  minVisible?: number | undefined;
}

/** Input size of the classifier with its `resize` method (crop or squish); null if the transforms produce one size. */
export type ClassifyOutput = { width: number; height: number; method?: string } | null;

export interface ClassifyLoaderOptions extends LoaderOptions {
  /** Class names in the order of the network's outputs. The type of every image must be one of them. */
  classNames: readonly string[];
  output: ClassifyOutput;
}

const LOADER_KEYS = [
  'batchSize',
  'shuffle',
  'seed',
  'intensity',
  'transforms',
  'threads',
  'ahead',
  'minVisible',
] as const;

/** libuv's default number of threads; more images at once would only wait. */
const POOL_THREADS = Number(process.env.UV_THREADPOOL_SIZE) || 4;

/**
 * Batches of a data set, prefetched on other threads. Order, transforms and batches depend only on the seed, the epoch and
 * the position of the image in the data set, not on earlier batches or the number of threads.
 */
abstract class Loader<Sample> {
  /** Number of steps per epoch. The last one may have fewer images. */
  readonly stepsPerEpoch: number;
  readonly #items: readonly DatasetItem[];
  readonly #options: Complete<LoaderOptions>;
  #hasNotice = false;

  protected constructor(dataset: Dataset, options: LoaderOptions) {
    if (!(dataset instanceof Dataset)) throw refuse('dataset', 'a Dataset', dataset);
    if (dataset.items.length === 0) throw refuse('dataset', 'at least one image', dataset.items);
    this.#items = dataset.items;
    this.#options = checkOptions(options);
    this.stepsPerEpoch = Math.ceil(dataset.items.length / this.#options.batchSize);
  }

  /** Creates the network's sample of a prepared image. */
  protected abstract sample(item: DatasetItem, prepared: Prepared): Sample;

  /** Factor of an image before its transforms. */
  protected scaleOf(_item: DatasetItem): number {
    return 1;
  }

  /** Refuses samples that cannot form a batch. */
  protected checkBatch(_batch: Batch<Sample>): void {}

  /**
   * Yields the batches of an epoch from step `fromStep` (the first is 0). At most `ahead` batches are prefetched. Leaving
   * the loop early cancels the preparation and waits for it.
   *
   * @throws {CellrouteError} at the step whose image cannot be used, with its id; an abort rejects with
   *   `signal.reason`.
   */
  async *batches(epoch: number, fromStep = 0, signal?: AbortSignal): AsyncGenerator<Batch<Sample>> {
    checkNumber('epoch', epoch, { min: 0, integer: true });
    checkNumber('fromStep', fromStep, { min: 0, max: this.stepsPerEpoch, integer: true });
    const { batchSize, threads, ahead } = this.#options;
    const order = this.#order(epoch);
    const first = fromStep * batchSize;
    const outcomes = processAll(
      order.slice(first),
      (index, stop) => this.#prepare(epoch, index, stop),
      // One more than the number of prefetched samples: the sample that is needed next.
      { concurrency: threads, held: ahead * batchSize + 1, signal },
    );
    let batch: Batch<Sample> = { samples: [], ids: [], notices: [] };
    let left = order.length - first;
    for await (const { sample, id, notices } of resultsOf(outcomes)) {
      batch.samples.push(sample);
      batch.ids.push(id);
      const [notice] = notices;
      if (notice !== undefined && !this.#hasNotice) {
        this.#hasNotice = true;
        batch.notices.push(`image ${id}: ${notice}; further images of this kind are not reported`);
      }
      left--;
      if (batch.samples.length < batchSize && left > 0) continue;
      this.checkBatch(batch);
      const full = batch;
      batch = { samples: [], ids: [], notices: [] };
      yield full;
    }
  }

  /** Indices into the data set in the order of an epoch. */
  #order(epoch: number): number[] {
    const { shuffle, seed } = this.#options;
    const order = [...this.#items.keys()];
    return shuffle ? random(seed, 'order', epoch).shuffle(order) : order;
  }

  async #prepare(
    epoch: number,
    index: number,
    signal: AbortSignal,
  ): Promise<{ sample: Sample; id: string; notices: readonly string[] }> {
    const { seed, transforms, intensity, minVisible } = this.#options;
    const item = this.#items[index]!;
    const plan = (size: { width: number; height: number }) =>
      nativePlan(
        planSample(transforms, size, random(seed, 'transforms', epoch, index), this.scaleOf(item)),
        intensity,
        minVisible,
      );
    const prepared = await prepareItem(item, plan, signal);
    return { sample: this.sample(item, prepared), id: item.id, notices: prepared.notices };
  }
}

function checkOptions(options: LoaderOptions): Complete<LoaderOptions> {
  const rule = intensity(checkObject('intensity', options.intensity), 'intensity');
  checkPercentiles(rule, 'intensity');
  return {
    batchSize: checkNumber('batchSize', options.batchSize, { min: 1, max: 65_536, integer: true }),
    shuffle: checkBoolean('shuffle', options.shuffle),
    seed: checkNumber('seed', options.seed, { min: 0, max: Number.MAX_SAFE_INTEGER, integer: true }),
    intensity: rule,
    transforms: readTransforms(options.transforms, 'transforms'),
    threads: checkNumber('threads', options.threads ?? Math.min(availableParallelism(), POOL_THREADS), {
      min: 1,
      max: 1024,
      integer: true,
    }),
    ahead: checkNumber('ahead', options.ahead ?? 2, { min: 1, max: 1024, integer: true }),
    minVisible: checkNumber('minVisible', options.minVisible ?? 0, { min: 0, max: 1 }),
  };
}

/** Batches for training a segmenter: images with their cells, of different sizes. */
export class SegmentLoader extends Loader<TrainSample> {
  constructor(dataset: Dataset, options: LoaderOptions) {
    checkKeys('', checkObject('options', options), LOADER_KEYS);
    super(dataset, options);
  }

  protected override scaleOf({ scale = 1 }: DatasetItem): number {
    return scale;
  }

  protected override sample(
    _item: DatasetItem,
    { pixels, width, height, masks, labels }: Prepared,
  ): TrainSample {
    return { pixels, width, height, masks, labels };
  }
}

/** Batches for training a classifier: images of one size with the index of their class. */
export class ClassifyLoader extends Loader<ClassifySample> {
  readonly #classNames: readonly string[];

  /** @throws {CellrouteError} INVALID_ARGUMENT for an image whose type is not a class, with its id. */
  constructor(dataset: Dataset, options: ClassifyLoaderOptions) {
    checkKeys('', checkObject('options', options), [...LOADER_KEYS, 'classNames', 'output']);
    const { classNames, output, ...rest } = options;
    super(dataset, { ...rest, transforms: withOutput(rest.transforms, output) });
    for (const { id, cellType } of dataset.items) {
      checkOneOf(`cell type of image ${id}`, cellType, classNames);
    }
    this.#classNames = classNames;
  }

  protected override sample({ cellType }: DatasetItem, { pixels, width, height }: Prepared): ClassifySample {
    return { pixels, width, height, label: this.#classNames.indexOf(cellType!) };
  }

  protected override checkBatch({ samples, ids }: Batch<ClassifySample>): void {
    const [{ width, height }] = samples as [ClassifySample];
    const other = samples.findIndex((sample) => sample.width !== width || sample.height !== height);
    if (other < 0) return;
    const { width: otherWidth, height: otherHeight } = samples[other]!;
    throw refuse(
      'output',
      `a size, because the images of a batch differ (${ids[0]}: ${width} × ${height}, ${ids[other]}: ${otherWidth} × ${otherHeight})`,
      null,
    );
  }
}

/** Appends a resize to the output size to the transforms. */
export function withOutput(transforms: readonly Transform[], output: ClassifyOutput): readonly Transform[] {
  if (output === null) return transforms;
  const { width, height, method = 'crop' } = checkObject('output', output) as NonNullable<ClassifyOutput>;
  return [
    ...transforms,
    resize({ width, height, method: checkOneOf('output.method', method, ['crop', 'squish']) }),
  ];
}
