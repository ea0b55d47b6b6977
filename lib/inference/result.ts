import { types } from 'node:util';
import { checkObject, checkString, refuse } from '../check.js';
import type { ImageSource } from '../image/types.js';
import { boxArray } from '../mask/boxes.js';
import { type MaskBatch, Masks } from '../mask/masks.js';
import { Cells } from './cells.js';

/** Whether a limit may have dropped cells. If so, raise that limit and segment again. */
export interface LimitsReached {
  /** `detectionsPerImage` was reached: there may be more cells. */
  detections: boolean;
  /**
   * `rpn.postNmsTopN` was reached, and more than a quarter of the proposals became cells: there may be more cells. With
   * fewer cells the limit drops proposals that contain none, which is common and not reported.
   */
  proposals: boolean;
}

/** Seams of an image that was segmented in tiles. A seam is the centre line of the overlap of two neighbouring tiles. */
export interface Seams {
  /** x of the vertical seams in pixels, ascending: one fewer than tiles per row. */
  x: readonly number[];
  /** y of the horizontal seams in pixels, ascending. */
  y: readonly number[];
  /**
   * Indices of the cells whose box contains a seam, ascending. These cells may differ from those of one pass over the
   * whole image.
   */
  cells: readonly number[];
}

/** How a slide was segmented. */
export interface SlideInfo {
  /** Index of the level. Width, height, boxes and masks of the result are in pixels of this level. */
  level: number;
  /** Pixels of level 0 per pixel of the level: x and y times this are positions in level 0. */
  downsample: number;
  /** Tiles: all, those that were skipped as background, and those that an earlier run had finished. */
  tiles: { count: number; skipped: number; resumed: number };
}

/**
 * Result of segmenting one image.
 *
 * A result can be sent to another thread with `postMessage` or copied with `structuredClone`. The copy is plain data;
 * {@link reviveResult} converts it to a result. `JSON.stringify` writes masks in COCO's run-length encoding.
 */
export interface Segmentation {
  /** Name of the image: the `name` option, or the file name of a path, URL or File. */
  name?: string;
  /** Width in pixels. */
  width: number;
  /** Height in pixels. */
  height: number;
  /** Cells by descending score. */
  cells: Cells;
  limitsReached: LimitsReached;
  /**
   * The scale that was used, relative to the network's own resize; 1 without an option for it. Boxes and masks are in
   * pixels of the image at any scale.
   */
  scale: number;
  /** Present if the image was segmented in tiles. */
  seams?: Seams;
  /** For a slide: the segmented level and its tiles. */
  slide?: SlideInfo;
  /** What was read from the file, and what else it contains. Absent for raw pixels. */
  source?: ImageSource;
  /** Remarks about the image, one sentence each, such as unread planes or values that use few bits. */
  notices?: readonly string[];
}

/** Result of the router for an image. */
export interface Route {
  /** The cell type with the highest probability, or the one that the caller selected. */
  cellType: string;
  /** Probability of each cell type, 0 to 1; their sum is 1. */
  probabilities: Record<string, number>;
}

/** The cells of one image that a {@link RoutedEnsemble} segmented. */
export interface RoutedSegmentation extends Segmentation, Route {
  /** Cell type whose segmenter was used; differs from `cellType` if the fallback was used. */
  segmenter: string;
}

/**
 * Converts a copy made by `structuredClone` or `postMessage` to a result.
 *
 * ```ts
 * worker.on('message', (message) => {
 *   const result = reviveResult(message);
 *   console.log(result.cells.length);
 * });
 * ```
 *
 * @throws {CellrouteError} INVALID_ARGUMENT if the value is not a copy of a result.
 */
export function reviveResult<T extends Segmentation>(copy: T): T {
  const given = checkObject('copy', copy);
  const cells = checkObject('copy.cells', given.cells);
  const batch = checkObject('copy.cells.masks', cells.masks).batch;
  const typed = <T>(name: string, is: (value: unknown) => value is T, type: string): T => {
    const value = cells[name];
    if (is(value)) return value;
    throw refuse(`copy.cells.${name}`, `a ${type}`, value);
  };
  const { classNames } = cells;
  if (!Array.isArray(classNames)) throw refuse('copy.cells.classNames', 'an array of names', classNames);
  return {
    ...copy,
    cells: new Cells({
      boxes: boxArray(typed('boxes', types.isFloat32Array, 'Float32Array'), 'copy.cells.boxes'),
      scores: typed('scores', types.isFloat32Array, 'Float32Array'),
      labels: typed('labels', types.isInt32Array, 'Int32Array'),
      areas: typed('areas', types.isUint32Array, 'Uint32Array'),
      masks: Masks.fromBatch(batch as MaskBatch),
      classNames: classNames.map((name, i) => checkString(`copy.cells.classNames[${i}]`, name)),
    }),
  };
}
