import { call, native } from '../native/load.js';
import type { ImageSize, Masks } from './masks.js';
import { MasksByTile } from './masks-by-tile.js';

/** A label image in tiles that are created on request: the image as a whole never exists. */
export class LabelTiles {
  /** Tiles per row and per column. */
  readonly columns: number;
  readonly rows: number;
  readonly #masks: Masks;
  readonly #tile: ImageSize;
  readonly #bits: 16 | 32;
  readonly #overlapping: MasksByTile;

  /**
   * @param tile size of a tile in pixels.
   * @param bits of a label.
   */
  constructor(masks: Masks, tile: ImageSize, bits: 16 | 32) {
    this.#masks = masks;
    this.#tile = tile;
    this.#bits = bits;
    this.#overlapping = new MasksByTile(masks, tile);
    this.columns = this.#overlapping.columns;
    this.rows = this.#overlapping.rows;
  }

  /**
   * The labels of a tile in rows: 0 is background, k is mask k - 1, and the first mask has the pixels that several have.
   * Tiles at the right and lower side are filled with 0.
   */
  tile(column: number, row: number): Uint16Array | Uint32Array {
    const { width, height } = this.#tile;
    const labels = this.#bits === 16 ? new Uint16Array(width * height) : new Uint32Array(width * height);
    const indices = this.#overlapping.in(column, row);
    if (indices.length === 0) return labels;
    const ids = Uint32Array.from(indices, (index) => index + 1);
    const window = Uint32Array.of(column * width, row * height, width, height);
    const { batch } = this.#masks.select(indices);
    call(() => native().maskToLabelsIn(batch, ids, window, labels));
    return labels;
  }
}
