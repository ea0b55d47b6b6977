import { checkOneOf, refuse } from '../check.js';
import { type ClassifierConfig, classifierConfig } from '../config/classifier.js';
import { fastaiClassifierConfig } from '../config/fastai.js';
import { inferClassifierConfig, inferMaskRCNNConfig } from '../config/infer.js';
import { type MaskRCNNConfig, maskRCNNConfig } from '../config/mask-rcnn.js';
import { mergeConfig, readStoredConfig } from '../config/stored.js';
import type { Dataset } from '../data/dataset.js';
import { cellSizes } from '../data/diameters.js';
import { openNetworkFile } from '../inference/model-file.js';
import { findClassifier, findSegmenter } from '../inference/model-path.js';
import { ownFactor } from '../inference/scale.js';
import { starterSegmenter } from '../inference/starter.js';
import type { ClassifierTraining, SegmenterTraining, Training } from './config.js';

/**
 * Complete network configuration of a training: the training configuration overrides the start file, which overrides
 * torchvision's defaults. Classes default to those of the data set.
 *
 * @throws {CellrouteError} INVALID_CONFIG under the path `network`, and the errors of opening the file.
 */
export async function segmenterNetworkConfig(
  { network, start }: SegmenterTraining,
  data: Dataset,
): Promise<MaskRCNNConfig> {
  const classes = { numClasses: data.classNames.length + 1, classNames: [...data.classNames] };
  const given = mergeConfig(mergeConfig(await segmenterBase(start), classes), network);
  const config = maskRCNNConfig(given, 'network');
  if (config.numClasses <= data.classNames.length) {
    const expected = `at least ${data.classNames.length + 1}: the background and the data set's ${data.classNames.join(', ')}`;
    throw refuse('network.numClasses', expected, config.numClasses, 'INVALID_CONFIG');
  }
  // `trainedOn` of the start does not apply to the trained network.
  return network.trainedOn === undefined ? { ...config, trainedOn: await trainedOn(config, data) } : config;
}

async function trainedOn(config: MaskRCNNConfig, { items }: Dataset): Promise<MaskRCNNConfig['trainedOn']> {
  const sizes = await cellSizes(items, {
    factorOf: (item) => ownFactor(config, item, false) * (item.scale ?? 1),
  });
  return { diameter: sizes ? Number(sizes.diameter.toPrecision(4)) : null, pixelSize: null };
}

async function segmenterBase(start: SegmenterTraining['start']): Promise<object> {
  // As in torchvision, norms are frozen only if they come with pretrained weights.
  if (start.kind === 'nothing') return { backbone: { norm: { kind: 'batch' } } };
  if (start.kind === 'classifier') return backboneBase(start);
  const file = await openStart((await segmenterStartFile(start))!, start);
  return readStoredConfig(file, 'mask-rcnn') ?? inferMaskRCNNConfig(file);
}

/**
 * File of the initial weights of a segmenter; undefined for a start from random weights. The path of a start is a model path.
 *
 * @throws {CellrouteError} those of `findSegmenter` and `findClassifier`; INVALID_CONFIG for a type that the starter lacks.
 */
export async function segmenterStartFile(start: SegmenterTraining['start']): Promise<string | undefined> {
  switch (start.kind) {
    case 'nothing':
      return undefined;
    case 'starter':
      return (await starterSegmenter(start.type, 'start.type', 'INVALID_CONFIG')).path;
    case 'checkpoint':
      return (await findSegmenter(start.path)).file;
    case 'classifier':
      return findClassifier(start.path);
  }
}

/** As {@link segmenterStartFile}, for a classifier. */
export async function classifierStartFile(start: ClassifierTraining['start']): Promise<string | undefined> {
  return start.kind === 'nothing' ? undefined : findClassifier(start.path);
}

type FileStart = Extract<Training['start'], { path: string }>;

/** Whether what does not fit is accepted; the starter's segmenters fit. */
export const isPartial = (start: Training['start']): boolean => 'partial' in start && start.partial;

const openStart = async (path: string, start: Training['start']) =>
  (await openNetworkFile(path, isPartial(start) ? 'accept' : 'refuse')).file;

async function backboneBase(start: FileStart): Promise<object> {
  const { backbone, intensity, imageMean, imageStd } = classifierConfig({
    classNames: ['any'],
    ...(await classifierBase(start)),
  });
  const { depth, width, norm } = backbone;
  return { backbone: { depth, width, norm: { eps: norm.eps } }, intensity, imageMean, imageStd };
}

/** The same for a classifier. */
export async function classifierNetworkConfig(
  { network, start }: ClassifierTraining,
  data: Dataset,
): Promise<ClassifierConfig> {
  const base = start.kind === 'nothing' ? {} : await classifierBase(start);
  const given = mergeConfig(mergeConfig(base, { classNames: [...data.cellTypes] }), network);
  const config = classifierConfig(given, 'network');
  // Images of a type that is not a class cannot be used for training.
  for (const type of data.cellTypes)
    checkOneOf('the data set’s types', type, config.classNames, 'INVALID_CONFIG');
  return config;
}

async function classifierBase(start: FileStart): Promise<object> {
  const file = await openStart(await findClassifier(start.path), start);
  return readStoredConfig(file, 'classifier') ?? fastaiClassifierConfig(file) ?? inferClassifierConfig(file);
}
