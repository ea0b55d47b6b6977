import { readTransform, type Transform, type TransformKind } from './transform.js';

export type { Transform, TransformKind } from './transform.js';
export { readTransforms, transformsSchema } from './transform.js';

type Of<K extends TransformKind> = Extract<Transform, { kind: K }>;

const make = <K extends TransformKind>(kind: K, options: object): Of<K> =>
  readTransform({ ...options, kind }, '') as Of<K>;

/** Flips left and right with probability `p`, 0 to 1, default 0.5. */
export const flipHorizontal = (options: { p?: number } = {}) => make('flip-horizontal', options);

/** Flips top and bottom with probability `p`, 0 to 1, default 0.5. */
export const flipVertical = (options: { p?: number } = {}) => make('flip-vertical', options);

/** Rotates by 0, 90, 180 or 270 degrees with equal probability. */
export const quarterTurns = () => make('quarter-turns', {});

/** Crops `width` × `height` pixels at a random position. A shorter side is not cropped. */
export const randomCrop = (options: { width: number; height: number }) => make('random-crop', options);

/**
 * Crops `width` × `height` pixels at a random position and enlarges the crop by `scale` (1 to 16), so that small cells
 * become large enough for the network. A shorter side is not cropped, but scaled too.
 */
export const cropAndUpscale = (options: { width: number; height: number; scale: number }) =>
  make('crop-and-upscale', options);

/** Scales by a random factor between `min` and `max` (each 0.05 to 20), uniformly distributed. */
export const scaleJitter = (options: { min: number; max: number }) => make('scale-jitter', options);

/** Pads to at least `width` × `height` pixels with the value `fill` (0 to 1, default 0); the image is centred. */
export const pad = (options: { width: number; height: number; fill?: number }) => make('pad', options);

/**
 * Scales to `width` × `height` pixels. `method`: `crop` (default) first crops the largest part with that aspect ratio,
 * at the `position` `centre` (default) or `random`; `squish` scales the whole image and ignores its aspect ratio;
 * `inside` keeps the whole image and its aspect ratio, so one side may be smaller.
 */
export const resize = (options: {
  width: number;
  height: number;
  method?: 'crop' | 'squish' | 'inside';
  position?: 'centre' | 'random';
}) => make('resize', options);

/**
 * Scales the shorter side to `minSize` pixels, with the longer side at most `maxSize`, as a network's `resize` does. Used
 * before a crop, with `resizeSamples: false`, it makes cells as large in training as in inference.
 */
export const shortSide = (options: { minSize: number; maxSize: number }) => make('short-side', options);

/**
 * Changes brightness (multiplies values), contrast (multiplies the distance from the mean grey value) and gamma (raises
 * values to a power), in this order, as torchvision's adjust_… functions. Each factor is uniformly distributed between
 * 1 - x and 1 + x, where x is the given strength; 0, the default, disables it.
 */
export const intensity = (options: { brightness?: number; contrast?: number; gamma?: number } = {}) =>
  make('intensity', options);
