import type { ImageSize } from '../mask/masks.js';

/** A rectangle of an image, in pixels: its left upper corner and its size. */
export interface ImageRegion {
  x: number;
  y: number;
  width: number;
  height: number;
}

/**
 * The largest part of an image with the shape of `target`, at its centre: what fastai's Resize(method="crop") cuts out
 * in validation. native/io/resize.cc cuts the same part; test/unit/explain.test.ts compares the two.
 */
export function centredPart({ width, height }: ImageSize, target: ImageSize): ImageRegion {
  const ratio = Math.min(width / target.width, height / target.height);
  // Truncated as in fastai; a strip thinner than one pixel becomes one pixel.
  const part = (side: number) => Math.max(1, Math.trunc(ratio * side));
  const seen = { width: part(target.width), height: part(target.height) };
  return { x: (width - seen.width) >> 1, y: (height - seen.height) >> 1, ...seen };
}
