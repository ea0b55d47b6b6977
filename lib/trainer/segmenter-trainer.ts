import { refuse } from '../check.js';
import { type MaskRCNNConfig, maskRCNNConfig } from '../config/mask-rcnn.js';
import type { Dataset } from '../data/dataset.js';
import { SegmentLoader } from '../data/loader.js';
import type { TrainSample } from '../data/types.js';
import type { CellSegmenter } from '../inference/segmenter.js';
import type { CallOptions } from '../native/job.js';
import { type PartialSegmenterTraining, type SegmenterTraining, segmenterTraining } from './config.js';
import { type SegmenterEvaluation, segmenterValidator } from './evaluate-segmenter.js';
import type { SegmenterLossName } from './events.js';
import { loaderOptions, nativeTraining, placeOfTraining } from './native-training.js';
import { SegmenterNetwork, type StartReport } from './network.js';
import { isPartial, segmenterNetworkConfig, segmenterStartFile } from './network-config.js';
import { secondsPerStepOf, type TimedStep } from './progress.js';
import type { TrainingTask, TrainingTypes } from './task.js';
import { type ResumeOptions, type Resumption, resumption, Trainer, type TrainerOptions } from './trainer.js';

/** The types of training a segmenter. */
export interface SegmenterTypes extends TrainingTypes {
  config: SegmenterTraining;
  network: MaskRCNNConfig;
  sample: TrainSample;
  snapshot: CellSegmenter;
  loss: SegmenterLossName;
  evaluation: SegmenterEvaluation;
}

/** The network of a training, with random weights. */
async function networkOf(
  config: SegmenterTraining,
  network: MaskRCNNConfig,
  options: CallOptions,
): Promise<SegmenterNetwork> {
  const { sampling, resizeSamples } = config;
  const training = { ...nativeTraining(config), sampling: { ...sampling, skipResize: !resizeSamples } };
  return SegmenterNetwork.create(network, training, options, await placeOfTraining(config, options));
}

const loaderOf = (config: SegmenterTraining, { intensity }: MaskRCNNConfig, data: Dataset): SegmentLoader =>
  new SegmentLoader(data, { ...loaderOptions(config), minVisible: config.minVisible, intensity });

/**
 * Seconds that a step of a training takes here on average, from some steps after the first, on real samples. The network is
 * discarded.
 *
 * @param steps timed steps.
 */
export async function measureStep(
  given: PartialSegmenterTraining,
  data: Dataset,
  steps: number,
  options: CallOptions = {},
): Promise<number> {
  const config = segmenterTraining(given);
  const network = await segmenterNetworkConfig(config, data);
  const loader = loaderOf(config, network, data);
  const trained = await networkOf(config, network, options);
  try {
    await start(trained, config, options);
    const timed: TimedStep[] = [];
    let before = performance.now();
    for (let epoch = 0; timed.length <= steps; epoch++) {
      for await (const { samples } of loader.batches(epoch, 0, options.signal)) {
        const step = { lr: 0, momentum: 0.9, maxGradNorm: config.clipNorm, seed: timed.length };
        await trained.step(samples, step, options);
        const now = performance.now();
        // With the wait for samples, which are prepared on the same processor.
        timed.push({ images: samples.length, seconds: (now - before) / 1000 });
        before = now;
        if (timed.length > steps) break;
      }
    }
    return secondsPerStepOf(timed.slice(1), data.items.length / loader.stepsPerEpoch);
  } finally {
    await trained.dispose();
  }
}

/** With fewer images the statistics of a batch norm are mostly noise. */
const MIN_FOR_BATCH_NORM = 8;

function batchNormNotices({ start, batchSize }: SegmenterTraining, { backbone }: MaskRCNNConfig): string[] {
  const { kind } = backbone.norm;
  if (start.kind !== 'nothing' || kind !== 'batch' || batchSize >= MIN_FOR_BATCH_NORM) return [];
  return [
    `batch norms that start from random weights learn little from batches of ${batchSize}: ` +
      "use a start such as { kind: 'starter', type: 'fluorescence' }, network.backbone.norm { kind: 'group' }, or cellroute finetune",
  ];
}

/** Refuses scales that a resize by the shorter side would undo. */
function checkScales(
  data: Dataset,
  { resize }: MaskRCNNConfig,
  { resizeSamples }: SegmenterTraining,
): Dataset {
  const scaled = data.items.find(({ scale }) => scale !== undefined && scale !== 1);
  if (scaled && resizeSamples && resize && resize.scale === null) {
    throw refuse(
      'data',
      'images without a scale, or a network with resize.scale, or resizeSamples false, because a resize to minSize undoes a scale',
      `scale ${scaled.scale} of image ${scaled.id}`,
    );
  }
  return data;
}

/** Loads the start file, if there is one. */
async function start(
  network: SegmenterNetwork,
  config: SegmenterTraining,
  options: CallOptions,
): Promise<StartReport | undefined> {
  const file = await segmenterStartFile(config.start);
  if (file === undefined) return undefined;
  const how = { ...options, partial: isPartial(config.start) };
  return config.start.kind === 'classifier'
    ? network.startFromClassifier(file, how)
    : network.start(file, how);
}

const task: TrainingTask<SegmenterTypes> = {
  name: 'segmenter',
  readConfig: segmenterTraining,
  resolveNetwork: segmenterNetworkConfig,
  readNetwork: ({ network }) => maskRCNNConfig(network, 'network'),
  prepare: (data, network, config) => ({
    data: checkScales(data, network, config),
    notices: [
      ...data.summary({ detectionsPerImage: network.box.detectionsPerImage }).warnings,
      ...batchNormNotices(config, network),
    ],
  }),
  create: async (config, network, _data, options) => {
    const trained = await networkOf(config, network, options);
    return { network: trained, begin: () => start(trained, config, options) };
  },
  loader: loaderOf,
  validate: ({ validation }, _network, data) => segmenterValidator(data, validation),
};

/**
 * Trains a Mask R-CNN.
 *
 * @example
 * ```ts
 * const { train, validation } = (await openDataset('data')).split({ fraction: 0.2, seed: 1 });
 * const trainer = new SegmenterTrainer({ data: train, validation, folder: 'runs/first' });
 * for await (const event of trainer.run()) if (event.kind === 'epoch') console.log(event.epoch, event.total);
 * const segmenter = await CellSegmenter.load('runs/first/segmenter.safetensors');
 * ```
 */
export class SegmenterTrainer extends Trainer<SegmenterTypes> {
  /**
   * @param resumed set by `resume`.
   * @throws {CellrouteError} INVALID_ARGUMENT, INVALID_CONFIG
   */
  constructor(options: TrainerOptions<SegmenterTraining>, resumed?: Resumption) {
    super(task, options, resumed);
  }

  /**
   * Resumes the run in a folder from its last checkpoint. On the same machine with the same number of threads, the
   * result is bit-identical to that of a run that was never interrupted.
   *
   * ```ts
   * const trainer = await SegmenterTrainer.resume('runs/first', { data: train, validation });
   * for await (const event of trainer.run()) console.log(event.kind, event.step);
   * ```
   *
   * @param folder of the run.
   * @param options the data sets of the run.
   * @throws {CellrouteError} FILE_UNREADABLE if the folder contains no run; INVALID_ARGUMENT, INVALID_CONFIG. `run`
   *   throws RESUME_REFUSED if data or configuration have changed.
   */
  static async resume(folder: string, options: ResumeOptions<SegmenterTraining>): Promise<SegmenterTrainer> {
    return new SegmenterTrainer(...(await resumption(folder, options)));
  }
}
