import { integer, list, literal, number, object, oneOf, type Read } from './schema.js';

const IMAGENET_MEAN = [0.485, 0.456, 0.406] as const;
const IMAGENET_STD = [0.229, 0.224, 0.225] as const;

/**
 * How pixel values become floats, before mean and std are applied.
 * - `type-range`: divided by the maximum of the type (255 or 65535; floats are unchanged), as torchvision's `to_tensor`.
 * - `min-max`: type range, then (x - min) / (max - min + 1e-6) over the whole image, all channels together.
 * - `percentile`: type range, then scaled from the `low`th to the `high`th percentile and clipped to 0..1.
 */
export const intensity = object({
  /** By the range of the type, by the minimum and maximum of the image, or by percentiles. */
  kind: oneOf('type-range', ['type-range', 'min-max', 'percentile']),
  /** Percentiles, 0 to 100; used only by `percentile`. */
  low: number(1, { min: 0, max: 100 }),
  /** See `low`. */
  high: number(99, { min: 0, max: 100 }),
});
/** How pixel values become floats: `type-range`, `min-max` or `percentile`. */
export type Intensity = Read<typeof intensity>;

/**
 * Normalisation layers. `frozen-batch` is torchvision's FrozenBatchNorm2d. `eps` is 0 in networks fine-tuned from
 * torchvision's COCO_V1 weights, and 1e-5 in networks trained from random weights.
 */
export const norm = (fallback: 'frozen-batch' | 'batch') =>
  object({
    /** Kind of the norm. */
    kind: oneOf(fallback, ['frozen-batch', 'batch', 'group']),
    /** Added to the variance. */
    eps: number(1e-5, { min: 0, max: 1 }),
    /** Number of groups; used only by `group`. */
    groups: integer(32, 1, 1024),
  });

const channel = number(0, {});
export const imageMean = list([...IMAGENET_MEAN], channel, { min: 3, max: 3 });
export const imageStd = list([...IMAGENET_STD], number(1, { min: 1e-12 }), { min: 3, max: 3 });
export const version = literal('1');
