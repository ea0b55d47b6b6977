import type { ImageSize } from '../mask/masks.js';
import { call, native } from '../native/load.js';

/** A rectangle of an image, in pixels: its left upper corner and its size. */
export interface ImageRegion {
  x: number;
  y: number;
  width: number;
  height: number;
}

/**
 * The largest part of an image with the aspect ratio of `target`, at its centre: what fastai's Resize(method="crop") crops
 * in validation. native/io/resize.cc defines it.
 */
export const centredPart = (image: ImageSize, target: ImageSize): ImageRegion =>
  call(() => native().centredPart(image, target));
