import { refuse } from '../check.js';
import { type ClassifierConfig, classifierConfig } from '../config/classifier.js';
import type { Dataset } from '../data/dataset.js';
import { ClassifyLoader } from '../data/loader.js';
import type { ClassifySample } from '../data/types.js';
import type { CellClassifier } from '../inference/classifier.js';
import { type ClassifierTraining, classifierTraining, type PartialClassifierTraining } from './config.js';
import { type ClassifierEvaluation, classifierJudge } from './evaluate-classifier.js';
import { loaderOptions, nativeTraining, placeOfTraining } from './native-training.js';
import { ClassifierNetwork } from './network.js';
import { classifierNetworkConfig } from './network-config.js';
import {
  type Recipe,
  type ResumeOptions,
  type Resumption,
  resumption,
  Trainer,
  type TrainerOptions,
} from './trainer.js';

const recipe: Recipe<
  ClassifierTraining,
  PartialClassifierTraining,
  ClassifierConfig,
  ClassifySample,
  CellClassifier,
  ClassifierEvaluation
> = {
  name: 'classifier',
  read: classifierTraining,
  describe: classifierNetworkConfig,
  complete: ({ network }) => classifierConfig(network, 'network'),
  prepare: (data) => {
    const typed = data.filter({ where: ({ type }) => type !== undefined });
    const left = data.items.length - typed.items.length;
    if (typed.items.length === 0) throw refuse('data', 'images with a cell type', 'none that has one');
    return { data: typed, notices: left > 0 ? [`${left} images without a type are left out`] : [] };
  },
  create: async (config, network, data, options) => {
    const classWeights = weightsOf(config.classWeights, network.classNames, data);
    const trained = await ClassifierNetwork.create(
      network,
      { ...nativeTraining(config), classWeights },
      options,
      await placeOfTraining(config, options),
    );
    const { start } = config;
    const begin = async () => (start.kind === 'checkpoint' ? trained.start(start.path, options) : undefined);
    return { network: trained, begin };
  },
  loader: (config, { intensity, classNames, resize }, data) =>
    new ClassifyLoader(data, { ...loaderOptions(config), intensity, classNames, output: resize }),
  judge: ({ validation }, { classNames }, data) => classifierJudge(data, classNames, validation),
};

/** In the network's order; empty weighs all alike. */
function weightsOf(
  given: ClassifierTraining['classWeights'],
  classNames: readonly string[],
  data: Dataset,
): number[] {
  if (given === 'none') return [];
  if (given !== 'balanced') {
    if (given.length !== classNames.length) {
      throw refuse('classWeights', `${classNames.length} numbers, one a class`, given, 'INVALID_CONFIG');
    }
    return given;
  }
  const counts = classNames.map((name) => data.items.filter(({ type }) => type === name).length);
  const weights = counts.map((images) => (images === 0 ? 0 : 1 / images));
  const mean = weights.reduce((sum, weight) => sum + weight, 0) / counts.filter((count) => count > 0).length;
  return weights.map((weight) => weight / mean);
}

/**
 * Trains the classifier that names the cell type of an image, the router of an ensemble; its classes are the data
 * set's types.
 *
 * ```ts
 * const trainer = new ClassifierTrainer({ data: train, validation, folder: 'runs/router' });
 * for await (const event of trainer.run()) if (event.kind === 'validation') console.log(event.score);
 * const classifier = await CellClassifier.load('runs/router/classifier.safetensors');
 * ```
 */
export class ClassifierTrainer extends Trainer<
  ClassifierTraining,
  PartialClassifierTraining,
  ClassifierConfig,
  ClassifySample,
  CellClassifier,
  'loss',
  ClassifierEvaluation
> {
  /**
   * @param resumed is what `resume` says.
   * @throws {CellrouteError} INVALID_ARGUMENT, INVALID_CONFIG
   */
  constructor(options: TrainerOptions<PartialClassifierTraining>, resumed?: Resumption) {
    super(recipe, options, resumed);
  }

  /** As {@link SegmenterTrainer.resume}. */
  static async resume(
    folder: string,
    options: ResumeOptions<PartialClassifierTraining>,
  ): Promise<ClassifierTrainer> {
    return new ClassifierTrainer(...(await resumption(folder, options)));
  }
}
