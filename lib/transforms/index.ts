import { readTransform, type Transform, type TransformKind } from './transform.js';

export type { Transform, TransformKind } from './transform.js';
export { readTransforms } from './transform.js';

type Of<K extends TransformKind> = Extract<Transform, { kind: K }>;

const make = <K extends TransformKind>(kind: K, options: object): Of<K> =>
  readTransform({ ...options, kind }, '') as Of<K>;

/** Mirrors left and right with probability `p`, 0 to 1, default 0.5. */
export const flipHorizontal = (options: { p?: number } = {}) => make('flip-horizontal', options);

/** Mirrors top and bottom with probability `p`, 0 to 1, default 0.5. */
export const flipVertical = (options: { p?: number } = {}) => make('flip-vertical', options);

/** Turns by 0, 90, 180 or 270 degrees, each as likely. */
export const quarterTurns = () => make('quarter-turns', {});

/** A part of `width` × `height` pixels from a random place; a side shorter than that stays whole. */
export const randomCrop = (options: { width: number; height: number }) => make('random-crop', options);

/**
 * A part of `width` × `height` pixels from a random place, made `scale` (1 to 16) times as large: small cells become
 * large enough for the network. A side shorter than asked for stays whole and is scaled too.
 */
export const cropAndUpscale = (options: { width: number; height: number; scale: number }) =>
  make('crop-and-upscale', options);

/** Scales by a factor drawn evenly from `min` to `max`, 0.05 to 20. */
export const scaleJitter = (options: { min: number; max: number }) => make('scale-jitter', options);

/** Pads with the value `fill` (0 to 1, default 0) to at least `width` × `height`, the image in the middle. */
export const pad = (options: { width: number; height: number; fill?: number }) => make('pad', options);

/**
 * Scales to `width` × `height`. `method`: `crop` (default) first cuts out the largest part of that shape, from the
 * `position` `centre` (default) or `random`; `squish` takes the whole whatever its shape; `inside` keeps the whole
 * and its shape, and may end up smaller on one side.
 */
export const resize = (options: {
  width: number;
  height: number;
  method?: 'crop' | 'squish' | 'inside';
  position?: 'centre' | 'random';
}) => make('resize', options);

/**
 * Scales so that the shorter side has `minSize` pixels, or as many as leave the longer one `maxSize`: what a network's
 * `resize` does to an image. Before a crop, with `resizeSamples: false`, cells are as large in training as later.
 */
export const shortSide = (options: { minSize: number; maxSize: number }) => make('short-side', options);

/**
 * Jitters brightness (values times a factor), contrast (distance from the mean grey times a factor) and gamma (values
 * to a power), as torchvision's adjust_… functions do, in this order. Each factor is drawn evenly from 1 - x to 1 + x
 * of the strength given; 0, the default, leaves it out.
 */
export const intensity = (options: { brightness?: number; contrast?: number; gamma?: number } = {}) =>
  make('intensity', options);
