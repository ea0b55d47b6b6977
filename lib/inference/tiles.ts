import { checkKeys, checkNumber, checkObject, refuse } from '../check.js';
import type { MaskRCNNConfig } from '../config/mask-rcnn.js';
import type { ImageSize } from '../mask/masks.js';
import type { NativeTiling } from '../native/contract.js';

/** Size of the square tiles into which an image is cut, in pixels of the image. */
export interface TileSize {
  /**
   * Side of a tile, 64 to 65536. A network that resizes by the shorter side (`resize.minSize`) resizes each tile like a
   * square image of this size: use the shorter side of its training images.
   */
  size: number;
  /**
   * Minimum overlap of neighbouring tiles, at most half of `size`, ideally the diameter of the largest cells. Default: a
   * quarter of `size`, at most 128.
   */
  overlap?: number | undefined;
}

/**
 * Whether an image is cut into tiles. `auto` cuts images of more than 2048 × 2048 pixels (after the resize, if the network
 * has a fixed scale). A tile then has 1024 pixels of the network's input; or, if the network resizes by the shorter side,
 * `resize.minSize` pixels of the image, so that tiles are not resized.
 */
export type Tiles = 'auto' | false | TileSize;

const MAX_WHOLE_PIXELS = 2048 ** 2;
const INPUT_SIZE = 1024;
const MAX_DEFAULT_OVERLAP = 128;

/** Checks the `tiles` option. */
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
 * Tiling of an image of this size for a network; null for one pass over the whole image.
 *
 * @param limit the caller's maximum number of cells of the whole image; the model's own limit applies to each tile.
 * @param factor pixels of the network's input per pixel of the image; null if the network's own resize applies.
 */
export function tilingOf(
  { resize }: MaskRCNNConfig,
  { width, height }: ImageSize,
  tiles: Tiles = 'auto',
  limit?: number,
  factor: number | null = null,
): NativeTiling | null {
  if (tiles === false) return null;
  // null if the scale depends on the size, because the network resizes by the shorter side.
  const fixed = factor ?? (resize ? resize.scale : 1);
  if (tiles === 'auto') {
    if (width * height * Math.max(1, fixed ?? 0) ** 2 <= MAX_WHOLE_PIXELS) return null;
    tiles = { size: fixed === null ? resize!.minSize : Math.round(INPUT_SIZE / fixed) };
  }
  const { size, overlap = Math.min(Math.floor(size / 4), MAX_DEFAULT_OVERLAP) } = tiles;
  const scale = fixed ?? resize!.minSize / size;
  return {
    scale,
    size: Math.round(size * scale),
    overlap: Math.round(overlap * scale),
    limit: limit ?? null,
  };
}
