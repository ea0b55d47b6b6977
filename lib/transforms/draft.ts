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
