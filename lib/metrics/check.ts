import { types } from 'node:util';
import { checkKeys, checkNumber, checkObject, checkString, refuse } from '../check.js';
import { maxLostOf } from '../inference/thresholds.js';
import { boxArray, toCocoBoxes } from '../mask/boxes.js';
import { Masks } from '../mask/masks.js';
import type { NativeEvaluatedImage, NativeMetricsOptions } from '../native/contract.js';
import { CALL_OPTION_KEYS } from '../native/job.js';
import type { BootstrapOptions, EvaluatedImage, EvaluateOptions } from './types.js';

/** IoU thresholds of COCO and of the Kaggle competition, for table headers. */
export const IOU_THRESHOLDS: readonly number[] = Object.freeze([
  0.5, 0.55, 0.6, 0.65, 0.7, 0.75, 0.8, 0.85, 0.9, 0.95,
]);

const OPTION_KEYS = [
  'minScore',
  'removeOverlaps',
  'iou',
  'maxDets',
  'bootstrap',
  ...CALL_OPTION_KEYS,
] as const;

const IMAGE_KEYS = [
  'id',
  'cellType',
  'groundTruth',
  'predicted',
  'scores',
  'groundTruthLabels',
  'labels',
  'crowd',
  'groundTruthBoxes',
  'boxes',
  'groundTruthAreas',
  'areas',
] as const;

export function checkOptions(options: EvaluateOptions): NativeMetricsOptions {
  checkKeys('', checkObject('options', options), OPTION_KEYS);
  const { minScore, maxDets, bootstrap } = options;
  const iou = checkNumber('iou', options.iou ?? 0.5, { min: 0, max: 1 });
  if (iou === 0) throw refuse('iou', 'a number above 0', iou);
  return {
    minScore: minScore === undefined ? Number.NEGATIVE_INFINITY : checkNumber('minScore', minScore),
    maxLost: maxLostOf(options.removeOverlaps ?? true),
    iou,
    maxDets: maxDets === undefined ? null : checkNumber('maxDets', maxDets, { min: 1, integer: true }),
    ...checkBootstrap(bootstrap),
  };
}

function checkBootstrap(bootstrap: EvaluateOptions['bootstrap']) {
  if (bootstrap === undefined) return { samples: 0, seed: 0, confidence: 0.95 };
  checkKeys('bootstrap', checkObject('bootstrap', bootstrap), ['samples', 'seed', 'confidence']);
  return checkResampling(bootstrap, 'bootstrap.');
}

/** @param prefix prefix of the option names in errors. */
export function checkResampling({ samples, seed = 0, confidence = 0.95 }: BootstrapOptions, prefix: string) {
  checkNumber(`${prefix}confidence`, confidence);
  if (confidence <= 0 || confidence >= 1) {
    throw refuse(`${prefix}confidence`, 'a number above 0 and below 1', confidence);
  }
  return {
    samples: checkNumber(`${prefix}samples`, samples, { min: 2, max: 1_000_000, integer: true }),
    seed: checkNumber(`${prefix}seed`, seed, { min: 0, max: Number.MAX_SAFE_INTEGER, integer: true }),
    confidence,
  };
}

/** An image for native code: copied, so that the caller may keep using its arrays. */
export function checkImage(image: EvaluatedImage, index: number): NativeEvaluatedImage {
  const at = (name: string) => `images[${index}].${name}`;
  checkKeys(`images[${index}]`, checkObject(`images[${index}]`, image), IMAGE_KEYS);
  const { groundTruth, predicted } = image;
  checkString(at('id'), image.id);
  if (image.cellType !== undefined) checkString(at('cellType'), image.cellType);
  if (!(groundTruth instanceof Masks)) throw refuse(at('groundTruth'), 'Masks', groundTruth);
  if (!(predicted instanceof Masks)) throw refuse(at('predicted'), 'Masks', predicted);
  if (groundTruth.width !== predicted.width || groundTruth.height !== predicted.height) {
    throw refuse(
      at('predicted'),
      `masks of ${groundTruth.width} x ${groundTruth.height} pixels, the size of the ground truth,`,
      `masks of ${predicted.width} x ${predicted.height} pixels`,
    );
  }
  const numbers = (name: keyof EvaluatedImage, length: number, integer = false) =>
    checkNumbers(at(name), image[name], length, integer);
  const optional = (name: keyof EvaluatedImage, length: number) =>
    image[name] === undefined ? new Float64Array(0) : numbers(name, length);
  const boxes = (name: 'groundTruthBoxes' | 'boxes', length: number) =>
    image[name] === undefined
      ? new Float64Array(0)
      : toCocoBoxes(boxArray(numbers(name, 4 * length), at(name)));
  const labels = (name: keyof EvaluatedImage, length: number) =>
    image[name] === undefined ? new Int32Array(length).fill(1) : Int32Array.from(numbers(name, length, true));
  return {
    groundTruth: groundTruth.toBatch(),
    predicted: predicted.toBatch(),
    scores: numbers('scores', predicted.length),
    groundTruthLabels: labels('groundTruthLabels', groundTruth.length),
    labels: labels('labels', predicted.length),
    crowd: crowdFlags(at('crowd'), image.crowd, groundTruth.length),
    groundTruthBoxes: boxes('groundTruthBoxes', groundTruth.length),
    boxes: boxes('boxes', predicted.length),
    groundTruthAreas: optional('groundTruthAreas', groundTruth.length),
    areas: optional('areas', predicted.length),
  };
}

/** Copies numbers after a check: finite, or 32-bit integers if `integer`. The error names the index. */
function checkNumbers(option: string, values: unknown, length: number, integer: boolean): Float64Array {
  if (!(Array.isArray(values) || (types.isTypedArray(values) && typeof values[0] !== 'bigint'))) {
    throw refuse(option, `an array of ${length} numbers`, values);
  }
  const list = values as ArrayLike<unknown>;
  if (list.length !== length) throw refuse(option, `${length} numbers`, `${list.length}`);
  const range = integer ? { min: -(2 ** 31), max: 2 ** 31 - 1, integer: true } : {};
  const copy = new Float64Array(length);
  for (let i = 0; i < length; i++) {
    const value = list[i];
    copy[i] =
      typeof value === 'number' && Number.isFinite(value) && !integer
        ? value
        : checkNumber(`${option}[${i}]`, value, range);
  }
  return copy;
}

function crowdFlags(option: string, crowd: unknown, length: number): Uint8Array {
  if (crowd === undefined) return new Uint8Array(0);
  if (!(Array.isArray(crowd) || types.isTypedArray(crowd)) || crowd.length !== length) {
    throw refuse(option, `an array of ${length} flags`, crowd);
  }
  return Uint8Array.from(crowd as ArrayLike<unknown>, (flag) => (flag ? 1 : 0));
}
