import type { Cells } from './cells.js';

/** Whether a limit of the model dropped cells: raise that limit and ask again. */
export interface Capped {
  /** `box.detectionsPerImage` was reached. */
  detections: boolean;
  /** `rpn.postNmsTopN` was reached. Common, and harmless while cells are fewer: most proposals are of no cell. */
  proposals: boolean;
}

/** What a segmenter found in one picture. */
export interface Segmentation {
  width: number;
  height: number;
  cells: Cells;
  capped: Capped;
}

/** What the router said of a picture. */
export interface Route {
  /** The cell type with the highest probability. */
  cellType: string;
  /** Of each type, 0 to 1, summing to 1. */
  probabilities: Record<string, number>;
}

/** A routed picture: the type it was taken for, and the cells its segmenter found. */
export interface RoutedSegmentation extends Segmentation, Route {
  /** The segmenter that was used; another type's where the ensemble has a fallback. */
  segmenter: string;
}
