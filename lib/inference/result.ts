import type { Cells } from './cells.js';

/** Whether a limit of the model dropped cells: raise that limit and ask again. */
export interface Capped {
  /** `box.detectionsPerImage` was reached. */
  detections: boolean;
  /** `rpn.postNmsTopN` was reached. Common, and harmless while cells are fewer: most proposals are of no cell. */
  proposals: boolean;
}

/** Where an image was cut. A seam runs halfway through what two neighbouring tiles share. */
export interface Seams {
  /** Of the upright seams, pixels, rising: one fewer than there are tiles side by side. */
  x: readonly number[];
  /** Of the level seams. */
  y: readonly number[];
  /**
   * Cells with a seam through their box, by rising index. They may differ from what one pass over the whole image would
   * find; the others are the same, but for what a network sees of an image's far side.
   */
  cells: readonly number[];
}

/** What a segmenter found in one image. */
export interface Segmentation {
  width: number;
  height: number;
  cells: Cells;
  capped: Capped;
  /** Where the image was segmented in tiles. */
  seams?: Seams;
}

/** What the router said of an image. */
export interface Route {
  /** The cell type with the highest probability. */
  cellType: string;
  /** Of each type, 0 to 1, summing to 1. */
  probabilities: Record<string, number>;
}

/** A routed image: the type it was taken for, and the cells its segmenter found. */
export interface RoutedSegmentation extends Segmentation, Route {
  /** The segmenter that was used; another type's where the ensemble has a fallback. */
  segmenter: string;
}
