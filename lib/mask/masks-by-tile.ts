import { boxAt } from './boxes.js';
import type { ImageSize, Masks } from './masks.js';

/** Which masks of a set are in which tile of the image, by their boxes. */
export class MasksByTile {
  /** Tiles per row and per column. */
  readonly columns: number;
  readonly rows: number;
  readonly #indices = new Map<number, number[]>();

  /** @param tile size of a tile in pixels. */
  constructor(masks: Masks, tile: ImageSize) {
    this.columns = Math.ceil(masks.width / tile.width);
    this.rows = Math.ceil(masks.height / tile.height);
    const boxes = masks.boxes();
    for (let i = 0; i < masks.length; i++) {
      const { x1, y1, x2, y2 } = boxAt(boxes, i);
      for (let row = Math.floor(y1 / tile.height); row * tile.height < y2; row++) {
        for (let column = Math.floor(x1 / tile.width); column * tile.width < x2; column++) {
          const key = row * this.columns + column;
          const list = this.#indices.get(key);
          if (list) list.push(i);
          else this.#indices.set(key, [i]);
        }
      }
    }
  }

  /** Indices of the masks whose boxes overlap a tile, ascending. */
  in(column: number, row: number): readonly number[] {
    return this.#indices.get(row * this.columns + column) ?? [];
  }
}
