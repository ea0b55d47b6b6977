import { integer, object, type Read, type Reader, required } from '../config/schema.js';
import type { Random } from '../data/random.js';
import type { Frame } from './frame.js';

/** Factors for pixel values; 1 changes nothing. Applied in this order, to values in 0..1. */
export interface Photometric {
  /** Multiplies values: torchvision's adjust_brightness. */
  brightness: number;
  /** Multiplies the distance from the mean grey value: torchvision's adjust_contrast. */
  contrast: number;
  /** Exponent of values: torchvision's adjust_gamma. */
  gamma: number;
}

/** A sample while it is planned: the result of the transforms so far. */
export interface Draft {
  readonly frame: Frame;
  readonly photometric: readonly Photometric[];
  /** Value of pixels outside the image. */
  readonly fill: number;
}

/** Maximum side of a sample, in pixels. */
export const MAX_SIDE = 16_384;

/** A kind of transform: the reader of its JSON, with defaults and checks, and its effect on a sample. */
export interface Kind<Spec> {
  read: Reader<Spec>;
  apply(spec: Spec, draft: Draft, random: Random): Draft;
}

export const kind = <S extends Record<string, Reader<unknown>>>(
  shape: S,
  apply: Kind<{ [K in keyof S]: Read<S[K]> }>['apply'],
): Kind<{ [K in keyof S]: Read<S[K]> }> => ({ read: object(shape), apply });

/** A required width or height. */
export const side = required(integer(1, 1, MAX_SIDE));
