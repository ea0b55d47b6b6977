import { refuse } from '../check.js';
import { type ClassifierConfig, classifierConfig } from '../config/classifier.js';
import type { Dataset } from '../data/dataset.js';
import { ClassifyLoader } from '../data/loader.js';
import type { ClassifySample } from '../data/types.js';
import type { CellClassifier } from '../inference/classifier.js';
import { type ClassifierTraining, classifierTraining } from './config.js';
import { type ClassifierEvaluation, classifierValidator } from './evaluate-classifier.js';
import { loaderOptions, nativeTraining, placeOfTraining } from './native-training.js';
import { ClassifierNetwork } from './network.js';
import { classifierNetworkConfig, classifierStartFile, isPartial } from './network-config.js';
import type { TrainingTask, TrainingTypes } from './task.js';
import { type ResumeOptions, type Resumption, resumption, Trainer, type TrainerOptions } from './trainer.js';

/** The types of training a classifier. */
export interface ClassifierTypes extends TrainingTypes {
  config: ClassifierTraining;
  network: ClassifierConfig;
  sample: ClassifySample;
  snapshot: CellClassifier;
  loss: 'loss';
  evaluation: ClassifierEvaluation;
}

const task: TrainingTask<ClassifierTypes> = {
  name: 'classifier',
  readConfig: classifierTraining,
  resolveNetwork: classifierNetworkConfig,
  readNetwork: ({ network }) => classifierConfig(network, 'network'),
  prepare: (data) => {
    const typed = data.filter({ where: ({ cellType }) => cellType !== undefined });
    const left = data.items.length - typed.items.length;
    if (typed.items.length === 0) throw refuse('data', 'images with a cell type', 'no image with a type');
    return { data: typed, notices: left > 0 ? [`${left} images without a type are skipped`] : [] };
  },
  create: async (config, network, data, options) => {
    const classWeights = weightsOf(config.classWeights, network.classNames, data);
    const trained = await ClassifierNetwork.create(
      network,
      { ...nativeTraining(config), classWeights },
      options,
      await placeOfTraining(config, options),
    );
    const begin = async () => {
      const file = await classifierStartFile(config.start);
      return file === undefined
        ? undefined
        : trained.start(file, { ...options, partial: isPartial(config.start) });
    };
    return { network: trained, begin };
  },
  loader: (config, { intensity, classNames, resize }, data) =>
    new ClassifyLoader(data, { ...loaderOptions(config), intensity, classNames, output: resize }),
  validate: ({ validation }, { classNames }, data) => classifierValidator(data, classNames, validation),
};

/** Class weights in the network's order; empty means equal weights. */
function weightsOf(
  given: ClassifierTraining['classWeights'],
  classNames: readonly string[],
  data: Dataset,
): number[] {
  if (given === 'none') return [];
  if (given !== 'balanced') {
    if (given.length !== classNames.length) {
      throw refuse('classWeights', `${classNames.length} numbers, one per class`, given, 'INVALID_CONFIG');
    }
    return given;
  }
  const counts = classNames.map((name) => data.items.filter(({ cellType }) => cellType === name).length);
  const weights = counts.map((images) => (images === 0 ? 0 : 1 / images));
  const mean = weights.reduce((sum, weight) => sum + weight, 0) / counts.filter((count) => count > 0).length;
  return weights.map((weight) => weight / mean);
}

/**
 * Trains the classifier that predicts the cell type of an image, the router of an ensemble. Its classes are the types
 * of the data set.
 *
 * @example
 * ```ts
 * const trainer = new ClassifierTrainer({ data: train, validation, folder: 'runs/router' });
 * for await (const event of trainer.run()) if (event.kind === 'validation') console.log(event.score);
 * const classifier = await CellClassifier.load('runs/router/classifier.safetensors');
 * ```
 */
export class ClassifierTrainer extends Trainer<ClassifierTypes> {
  /**
   * @param resumed set by `resume`.
   * @throws {CellrouteError} INVALID_ARGUMENT, INVALID_CONFIG
   */
  constructor(options: TrainerOptions<ClassifierTraining>, resumed?: Resumption) {
    super(task, options, resumed);
  }

  /**
   * Resumes the run in a folder from its last checkpoint, as {@link SegmenterTrainer.resume} does.
   *
   * @param folder of the run.
   * @param options the data sets of the run.
   * @throws {CellrouteError} FILE_UNREADABLE if the folder contains no run; INVALID_ARGUMENT, INVALID_CONFIG. `run`
   *   throws RESUME_REFUSED if data or configuration have changed.
   */
  static async resume(
    folder: string,
    options: ResumeOptions<ClassifierTraining>,
  ): Promise<ClassifierTrainer> {
    return new ClassifierTrainer(...(await resumption(folder, options)));
  }
}
