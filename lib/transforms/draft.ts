import type { Frame } from './frame.js';

/** Factors of an image's values: 1 leaves them as they are. Applied in this order, each to values within 0..1. */
export interface Photometric {
  /** Values times this: torchvision's adjust_brightness. */
  brightness: number;
  /** Distance from the mean grey times this: torchvision's adjust_contrast. */
  contrast: number;
  /** Values to this power: torchvision's adjust_gamma. */
  gamma: number;
}

/** A sample as it is being planned: what the transforms so far made of the image. */
export interface Draft {
  readonly frame: Frame;
  readonly photometric: readonly Photometric[];
  /** Value of the pixels past the image's edge. */
  readonly fill: number;
}
