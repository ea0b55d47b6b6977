import { basename } from 'node:path';
import { checkObject, checkOptions, checkString, refuse } from '../check.js';
import { classifierConfig, type PartialClassifierConfig } from '../config/classifier.js';
import { fastaiClassifierConfig } from '../config/fastai.js';
import { inferClassifierConfig, inferMaskRCNNConfig } from '../config/infer.js';
import { maskRCNNConfig, type PartialMaskRCNNConfig } from '../config/mask-rcnn.js';
import { mergeConfig, readStoredConfig } from '../config/stored.js';
import { CellrouteError } from '../errors.js';
import { openNetworkFile } from '../inference/model-file.js';
import { findWeights } from '../inference/model-path.js';
import { checkThresholds, type SegmentThresholds } from '../inference/thresholds.js';
import { packageVersion } from '../package-version.js';
import { hasFastaiNames } from '../weights/names.js';
import type { WeightsFile } from '../weights/table.js';
import { classifierScript } from './classifier-script.js';
import { scriptName } from './load-part.js';
import { segmenterScript } from './segmenter-script.js';

/** Options of {@link exportPython}. */
export interface ExportPythonOptions {
  /** Values of the network's configuration that override those of the file, as for `load`. */
  config?: PartialMaskRCNNConfig | PartialClassifierConfig | undefined;
  /** Thresholds of the script; those of the network where missing. For a segmenter only. */
  thresholds?: SegmentThresholds | undefined;
  /** Path of the weights, relative to the folder of the script. Default: the name of the file. */
  weights?: string | undefined;
  /** Name of the script, which its docstring has. Default: the name of the file with `.py`. */
  script?: string | undefined;
}

/**
 * Writes the Python script that rebuilds a network in torchvision, prepares an image as cellroute does, and prints its
 * cells or its cell type. The network needs no cellroute there.
 *
 * ```ts
 * const script = await exportPython('segmenter.safetensors', { thresholds: { minScore: 0.7 } });
 * await writeFile('segmenter.py', script);
 * ```
 *
 * @param path model path of a segmenter or a classifier, as safetensors: a file, the folder of a run, or an ensemble with one
 *   segmenter.
 * @returns the text of the script; docs/to-python.md describes it.
 * @throws {CellrouteError} INVALID_ARGUMENT, INVALID_CONFIG; FILE_UNREADABLE, WEIGHTS_FORMAT, WEIGHTS_DAMAGED,
 *   WEIGHTS_REFUSED; WEIGHTS_MISMATCH for weights of networks that cellroute does not run.
 */
export async function exportPython(path: string, options: ExportPythonOptions = {}): Promise<string> {
  checkString('path', path);
  checkOptions(options, ['config', 'thresholds', 'weights', 'script']);
  const weightsPath = await findWeights(path);
  const name = basename(weightsPath);
  const { config, thresholds, weights, script = scriptName(name) } = options;
  if (config !== undefined) checkObject('config', config);
  if (thresholds !== undefined) {
    checkObject('thresholds', thresholds);
    checkThresholds(thresholds, 'thresholds');
  }
  if (weights !== undefined) checkString('weights', weights);
  checkString('script', script);
  const { file, removed } = await openNetworkFile(weightsPath);
  checkFormat(file);
  const described = {
    name,
    script,
    weights: weights ?? name,
    prefix: removed,
    isFastai: hasFastaiNames(file.tensors),
    version: packageVersion(),
  };
  if (kindOf(file) === 'mask-rcnn') {
    const own = readStoredConfig(file, 'mask-rcnn') ?? inferMaskRCNNConfig(file);
    return segmenterScript(maskRCNNConfig(mergeConfig(own, config)), thresholds ?? {}, described);
  }
  if (thresholds !== undefined) throw refuse('thresholds', 'none for a classifier', thresholds);
  const own =
    readStoredConfig(file, 'classifier') ?? fastaiClassifierConfig(file) ?? inferClassifierConfig(file);
  return classifierScript(classifierConfig(mergeConfig(own, config)), described);
}

/** Refuses what the script could not load: it reads safetensors alone. */
function checkFormat({ path, format }: WeightsFile): void {
  if (format === 'safetensors') return;
  const remedy =
    format === 'fastai'
      ? 'in Python, load_learner of fastai reads it'
      : `convert it first: cellroute convert ${path} ${path.replace(/\.[^.]*$/, '')}.safetensors`;
  throw new CellrouteError(
    'WEIGHTS_FORMAT',
    `${path} is not a safetensors file, which the script needs; ${remedy}`,
    { file: path },
  );
}

function kindOf({ path, tensors }: WeightsFile): 'mask-rcnn' | 'classifier' {
  const has = (pattern: RegExp) => tensors.some(({ name }) => pattern.test(name));
  if (has(/^roi_heads\.mask_/)) return 'mask-rcnn';
  if (hasFastaiNames(tensors) || (has(/^conv1\./) && has(/^(fc|head)\./))) return 'classifier';
  throw new CellrouteError(
    'WEIGHTS_MISMATCH',
    `${path} contains neither a Mask R-CNN nor a ResNet classifier; \`cellroute inspect\` lists what the file holds`,
    { file: path },
  );
}
