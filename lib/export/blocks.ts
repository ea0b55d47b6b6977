import type { Cell, Cells } from '../inference/cells.js';
import type { Masks } from '../mask/masks.js';

/** Cells that are written together, in one turn of the event loop: about ten milliseconds for outlines. */
const BLOCK = 256;

/** Consecutive cells of a result. */
export interface CellBlock {
  /** Index of the first. */
  first: number;
  cells: Cell[];
  /** Their masks. */
  masks: Masks;
}

/** The cells of a result, block by block. */
export function* cellBlocks(cells: Cells): Generator<CellBlock, void, undefined> {
  for (let first = 0; first < cells.length; first += BLOCK) {
    const indices = Array.from({ length: Math.min(BLOCK, cells.length - first) }, (_, i) => first + i);
    yield { first, cells: indices.map((i) => cells.at(i)!), masks: cells.masks.select(indices) };
  }
}
