import { refuse } from '../check.js';
import type { Masks } from '../mask/masks.js';

/** One cell, made when it is asked for; the arrays behind it are in {@link Cells}. */
export interface Cell {
  /** Place in its image's list, which is by falling score. */
  index: number;
  /** x1, y1, x2, y2 in pixels of the image; x2 and y2 lie past the last pixel. */
  box: [number, number, number, number];
  /** 0 to 1. */
  score: number;
  /** Class of the segmenter, from 1; 0 is the background and never appears. */
  label: number;
  /** Pixels in the mask. */
  area: number;
  /** The mask alone, as a set of one. */
  readonly mask: Masks;
}

export interface CellArrays {
  /** [4 n]: x1, y1, x2, y2 of each cell, in pixels. */
  boxes: Float32Array;
  /** [n], falling. */
  scores: Float32Array;
  /** [n], from 1. */
  labels: Int32Array;
  /** [n], pixels. */
  areas: Uint32Array;
  /** n masks of the image's size, run-length encoded. */
  masks: Masks;
}

/** The cells of one image: typed arrays underneath, an object for a cell only when one is asked for. */
export class Cells implements Iterable<Cell> {
  readonly boxes: Float32Array;
  readonly scores: Float32Array;
  readonly labels: Int32Array;
  readonly areas: Uint32Array;
  readonly masks: Masks;

  constructor(arrays: CellArrays) {
    this.boxes = arrays.boxes;
    this.scores = arrays.scores;
    this.labels = arrays.labels;
    this.areas = arrays.areas;
    this.masks = arrays.masks;
  }

  get length(): number {
    return this.scores.length;
  }

  /** Cell `index`, from 0; negative counts from the end. */
  at(index: number): Cell {
    const i = index < 0 ? index + this.length : index;
    if (!Number.isInteger(i) || i < 0 || i >= this.length)
      throw refuse('index', `an integer below ${this.length}`, index);
    const { boxes, masks } = this;
    return {
      index: i,
      box: [boxes[4 * i]!, boxes[4 * i + 1]!, boxes[4 * i + 2]!, boxes[4 * i + 3]!],
      score: this.scores[i]!,
      label: this.labels[i]!,
      area: this.areas[i]!,
      get mask() {
        return masks.select([i]);
      },
    };
  }

  *[Symbol.iterator](): IterableIterator<Cell> {
    for (let i = 0; i < this.length; i++) yield this.at(i);
  }
}
