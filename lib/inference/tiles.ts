import { checkKeys, checkNumber, checkObject, refuse } from '../check.js';
import type { MaskRCNNConfig } from '../config/mask-rcnn.js';
import type { ImageSize } from '../mask/masks.js';
import type { NativeTiling } from '../native/contract.js';

/** Square tiles that an image is cut into, in pixels of the image. */
export interface TileSize {
  /**
   * Side of a tile, 64 to 65536. A network that resizes by the shorter side (`resize.minSize`) sees each tile as it would
   * a square image of this size: choose the shorter side of the images it was trained on.
   */
  size: number;
  /**
   * What neighbouring tiles share at least, at most half of `size`; as wide as the largest cells, at best. By default a
   * quarter of `size`, but not above 128.
   */
  overlap?: number;
}

/**
 * Whether an image is cut into tiles. `auto` cuts those of more than 2048 × 2048 pixels, as they come or as a network
 * with a fixed scale sees them: into tiles of 1024 pixels of the network's input, or where the network resizes by the
 * shorter side, of `resize.minSize` pixels of the image, which are then neither shrunk nor enlarged.
 */
export type Tiles = 'auto' | false | TileSize;

const MOST_WHOLE = 2048 ** 2;
const INPUT_SIZE = 1024;
const MOST_OVERLAP = 128;

/** Refuses what is no way to cut an image. */
export function checkTiles(tiles: unknown): asserts tiles is Tiles | undefined {
  if (tiles === undefined || tiles === 'auto' || tiles === false) return;
  if (typeof tiles !== 'object' || tiles === null) {
    throw refuse('tiles', "'auto', false or {size, overlap}", tiles);
  }
  const { size, overlap } = checkObject('tiles', tiles);
  checkKeys('tiles', tiles, ['size', 'overlap']);
  const side = checkNumber('tiles.size', size, { min: 64, max: 1 << 16, integer: true });
  if (overlap !== undefined) {
    checkNumber('tiles.overlap', overlap, { min: 0, max: Math.floor(side / 2), integer: true });
  }
}

/**
 * How a network cuts an image of this size; null leaves it whole.
 *
 * @param limit cells of the whole image at most, where the caller says so; the model's own limit holds a tile.
 * @param factor pixels of the network's input per pixel of the image; null where the network's own resize applies.
 */
export function tilingOf(
  { resize }: MaskRCNNConfig,
  { width, height }: ImageSize,
  tiles: Tiles = 'auto',
  limit?: number,
  factor: number | null = null,
): NativeTiling | null {
  if (tiles === false) return null;
  // null where it follows from the size: the network resizes by the shorter side.
  const fixed = factor ?? (resize ? resize.scale : 1);
  if (tiles === 'auto') {
    if (width * height * Math.max(1, fixed ?? 0) ** 2 <= MOST_WHOLE) return null;
    tiles = { size: fixed === null ? resize!.minSize : Math.round(INPUT_SIZE / fixed) };
  }
  const { size, overlap = Math.min(Math.floor(size / 4), MOST_OVERLAP) } = tiles;
  const scale = fixed ?? resize!.minSize / size;
  return {
    scale,
    size: Math.round(size * scale),
    overlap: Math.round(overlap * scale),
    limit: limit ?? null,
  };
}
