import { call, native } from '../native/load.js';
import { boxAt } from './boxes.js';
import type { Masks } from './masks.js';

/** A label image in tiles, each made when it is asked for: the image as a whole never exists. */
export class LabelTiles {
  /** Tiles per row and per column. */
  readonly columns: number;
  readonly rows: number;
  readonly #masks: Masks;
  readonly #width: number;
  readonly #height: number;
  readonly #bits: 16 | 32;
  /** Indices of the masks whose boxes overlap each tile, rising. */
  readonly #overlapping = new Map<number, number[]>();

  /**
   * @param tile size of a tile in pixels.
   * @param bits of a label.
   */
  constructor(masks: Masks, tile: { width: number; height: number }, bits: 16 | 32) {
    this.#masks = masks;
    this.#width = tile.width;
    this.#height = tile.height;
    this.#bits = bits;
    this.columns = Math.ceil(masks.width / tile.width);
    this.rows = Math.ceil(masks.height / tile.height);
    const boxes = masks.boxes();
    for (let i = 0; i < masks.length; i++) {
      const { x1, y1, x2, y2 } = boxAt(boxes, i);
      for (let row = Math.floor(y1 / tile.height); row * tile.height < y2; row++) {
        for (let column = Math.floor(x1 / tile.width); column * tile.width < x2; column++) {
          const key = row * this.columns + column;
          const list = this.#overlapping.get(key);
          if (list) list.push(i);
          else this.#overlapping.set(key, [i]);
        }
      }
    }
  }

  /**
   * The labels of a tile in rows: 0 is background, k is mask k - 1, and the first mask has the pixels that several have.
   * Tiles at the right and lower side are filled with 0.
   */
  tile(column: number, row: number): Uint16Array | Uint32Array {
    const pixels = this.#width * this.#height;
    const labels = this.#bits === 16 ? new Uint16Array(pixels) : new Uint32Array(pixels);
    const indices = this.#overlapping.get(row * this.columns + column);
    if (!indices) return labels;
    const ids = Uint32Array.from(indices, (index) => index + 1);
    const window = Uint32Array.of(column * this.#width, row * this.#height, this.#width, this.#height);
    const { batch } = this.#masks.select(indices);
    call(() => native().maskToLabelsIn(batch, ids, window, labels));
    return labels;
  }
}
