import { checkNumber, refuse } from '../check.js';
import { type Box, type BoxArray, boxArray, boxAt } from '../mask/boxes.js';
import type { Polygon } from '../mask/contours.js';
import type { Masks } from '../mask/masks.js';

/** One cell of an image. The object is created on request from the arrays of {@link Cells}. */
export interface Cell {
  /** Index in {@link Cells}, which are ordered by descending score. */
  readonly index: number;
  /** The detected box, in pixels of the image. */
  readonly box: Box;
  /** 0 to 1. */
  readonly score: number;
  /** Class of the segmenter, from 1. 0 is the background and does not occur. */
  readonly label: number;
  /** Name of the class: `classNames[label - 1]` of the segmenter. */
  readonly className: string;
  /** Number of pixels in the mask. */
  readonly area: number;
  /** The mask, as a set with one mask. */
  readonly mask: Masks;
  /**
   * Outlines of the mask along pixel edges: one polygon per connected component, each an outer ring and its holes, as
   * [x, y] corners in pixels. A ring ends with its first corner, as in GeoJSON.
   */
  polygons(): Polygon[];
  /** The cell as plain data. `JSON.stringify` calls it. */
  toJSON(): CellJson;
}

/** A cell as plain data. */
export interface CellJson {
  index: number;
  box: Box;
  score: number;
  label: number;
  className: string;
  area: number;
  /** COCO's run-length encoding of the mask; `size` is height, width. */
  mask: { size: [number, number]; counts: string };
}

/** Data of {@link Cells}: one entry per cell in each array, by descending score. */
export interface CellArrays {
  /** x1, y1, x2, y2 of each cell in pixels; see {@link boxArray}. */
  boxes: BoxArray<Float32Array>;
  /** Scores, 0 to 1, in descending order. */
  scores: Float32Array;
  /** Classes, from 1. */
  labels: Int32Array;
  /** Areas in pixels. */
  areas: Uint32Array;
  /** Masks with the size of the image. */
  masks: Masks;
  /** Names of the classes: label k is `classNames[k - 1]`. Default ['cell']. */
  classNames?: readonly string[];
}

/**
 * The cells of one image by descending score. The data are typed arrays; an object per cell is created on request.
 *
 * ```ts
 * for (const cell of result.cells) console.log(cell.className, cell.score, cell.area);
 * const large = result.cells.filter((cell) => cell.area > 100);
 * ```
 */
export class Cells implements Iterable<Cell> {
  readonly boxes: BoxArray<Float32Array>;
  readonly scores: Float32Array;
  readonly labels: Int32Array;
  readonly areas: Uint32Array;
  readonly masks: Masks;
  readonly classNames: readonly string[];

  /** @throws {CellrouteError} INVALID_ARGUMENT if the arrays do not have one entry per cell. */
  constructor(arrays: CellArrays) {
    const { boxes, scores, labels, areas, masks, classNames = ['cell'] } = arrays;
    const { length } = scores;
    const lengths = {
      boxes: boxes.length / 4,
      labels: labels.length,
      areas: areas.length,
      masks: masks.length,
    };
    for (const [name, own] of Object.entries(lengths)) {
      if (own !== length) throw refuse(name, `${length} entries, one per score,`, own);
    }
    this.boxes = boxes;
    this.scores = scores;
    this.labels = labels;
    this.areas = areas;
    this.masks = masks;
    this.classNames = classNames;
  }

  /** Number of cells. */
  get length(): number {
    return this.scores.length;
  }

  /**
   * One cell.
   *
   * ```ts
   * const best = cells.at(0); // cells are ordered by descending score
   * ```
   *
   * @param index from 0; a negative index counts from the end.
   * @returns undefined out of range, as `Array.at`.
   * @throws {CellrouteError} INVALID_ARGUMENT for what is not an integer.
   */
  at(index: number): Cell | undefined {
    checkNumber('index', index, { integer: true });
    const i = index < 0 ? index + this.length : index;
    return i >= 0 && i < this.length ? new CellView(this, i) : undefined;
  }

  /** The values that `callback` returns for each cell, by descending score. */
  map<T>(callback: (cell: Cell, index: number) => T): T[] {
    return Array.from(this, callback);
  }

  /** The cells for which `callback` returns true, as a new set, whose indices start from 0. */
  filter(callback: (cell: Cell, index: number) => boolean): Cells {
    const kept = Array.from(this)
      .filter(callback)
      .map(({ index }) => index);
    const { boxes, scores, labels, areas, masks, classNames } = this;
    return new Cells({
      boxes: boxArray(Float32Array.from(kept.flatMap((i) => Array.from(boxes.subarray(4 * i, 4 * i + 4))))),
      scores: Float32Array.from(kept, (i) => scores[i]!),
      labels: Int32Array.from(kept, (i) => labels[i]!),
      areas: Uint32Array.from(kept, (i) => areas[i]!),
      masks: masks.select(kept),
      classNames,
    });
  }

  /** All cells as an array of objects, by descending score. */
  toArray(): Cell[] {
    return Array.from(this);
  }

  /** Returns all cells as plain data. `JSON.stringify` calls it. */
  toJSON(): CellJson[] {
    const counts = this.masks.toCoco();
    const size: [number, number] = [this.masks.height, this.masks.width];
    return this.map(({ index, box, score, label, className, area }) => ({
      index,
      box,
      score,
      label,
      className,
      area,
      mask: { size, counts: counts[index]! },
    }));
  }

  /** Iterates over the cells by descending score. */
  *[Symbol.iterator](): IterableIterator<Cell> {
    for (let i = 0; i < this.length; i++) yield new CellView(this, i);
  }
}

class CellView implements Cell {
  readonly index: number;
  readonly box: Box;
  readonly score: number;
  readonly label: number;
  readonly className: string;
  readonly area: number;
  readonly #masks: Masks;

  constructor(cells: Cells, index: number) {
    this.index = index;
    this.box = boxAt(cells.boxes, index);
    this.score = cells.scores[index]!;
    this.label = cells.labels[index]!;
    this.className = cells.classNames[this.label - 1] ?? `class ${this.label}`;
    this.area = cells.areas[index]!;
    this.#masks = cells.masks;
  }

  get mask(): Masks {
    return this.#masks.select([this.index]);
  }

  polygons(): Polygon[] {
    return this.mask.contours().polygons(0);
  }

  toJSON(): CellJson {
    const { index, box, score, label, className, area, mask } = this;
    return {
      index,
      box,
      score,
      label,
      className,
      area,
      mask: { size: [mask.height, mask.width], counts: mask.toCoco()[0]! },
    };
  }
}
