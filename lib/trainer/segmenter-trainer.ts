import { type MaskRCNNConfig, maskRCNNConfig } from '../config/mask-rcnn.js';
import { SegmentLoader } from '../data/loader.js';
import type { TrainSample } from '../data/types.js';
import type { CellSegmenter } from '../inference/segmenter.js';
import { type SegmenterTraining, segmenterTraining } from './config.js';
import { type SegmenterEvaluation, segmenterValidator } from './evaluate-segmenter.js';
import type { SegmenterLossName } from './events.js';
import { loaderOptions, nativeTraining, placeOfTraining } from './native-training.js';
import { SegmenterNetwork } from './network.js';
import { segmenterNetworkConfig } from './network-config.js';
import type { TrainingTask, TrainingTypes } from './task.js';
import { type ResumeOptions, type Resumption, resumption, Trainer, type TrainerOptions } from './trainer.js';

/** What training a segmenter reads and gives. */
export interface SegmenterTypes extends TrainingTypes {
  config: SegmenterTraining;
  network: MaskRCNNConfig;
  sample: TrainSample;
  snapshot: CellSegmenter;
  loss: SegmenterLossName;
  evaluation: SegmenterEvaluation;
}

const task: TrainingTask<SegmenterTypes> = {
  name: 'segmenter',
  readConfig: segmenterTraining,
  resolveNetwork: segmenterNetworkConfig,
  readNetwork: ({ network }) => maskRCNNConfig(network, 'network'),
  prepare: (data, { box }) => ({
    data,
    notices: data.summary({ detectionsPerImage: box.detectionsPerImage }).warnings,
  }),
  create: async (config, network, _data, options) => {
    const { start, sampling, resizeSamples } = config;
    const training = { ...nativeTraining(config), sampling: { ...sampling, skipResize: !resizeSamples } };
    const trained = await SegmenterNetwork.create(
      network,
      training,
      options,
      await placeOfTraining(config, options),
    );
    const begin = async () => {
      if (start.kind === 'checkpoint') return trained.start(start.path, options);
      if (start.kind === 'classifier') return trained.startFromClassifier(start.path, options);
      return undefined;
    };
    return { network: trained, begin };
  },
  loader: (config, { intensity }, data) =>
    new SegmentLoader(data, { ...loaderOptions(config), minVisible: config.minVisible, intensity }),
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
   * @throws {CellrouteError} FILE_UNREADABLE if the folder contains no run. `run` throws RESUME_REFUSED if data or
   *   configuration have changed.
   */
  static async resume(folder: string, options: ResumeOptions<SegmenterTraining>): Promise<SegmenterTrainer> {
    return new SegmenterTrainer(...(await resumption(folder, options)));
  }
}
