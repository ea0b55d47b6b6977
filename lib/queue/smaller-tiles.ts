import { CellrouteError } from '../errors.js';
import type { TileSize, Tiles } from '../inference/tiles.js';
import type { ImageSize } from '../mask/masks.js';

/** Side of the first tiles that are tried, in pixels: about that of `auto`. */
const FIRST = 1024;
const SMALLEST = 128;

/** Increasingly small tiles, for an image that needs too much memory with the given tiles. */
export function* smallerTiles(
  tiles: Tiles | undefined,
  { width, height }: ImageSize,
): Generator<TileSize, void, undefined> {
  // The caller requested one pass.
  if (tiles === false) return;
  const asked = typeof tiles === 'object' ? tiles : undefined;
  for (let size = asked ? Math.floor(asked.size / 2) : FIRST; size >= SMALLEST; size = Math.floor(size / 2)) {
    // A single tile that contains the whole image needs as much memory.
    if (size >= Math.max(width, height)) continue;
    const overlap = asked?.overlap === undefined ? undefined : Math.min(asked.overlap, Math.floor(size / 2));
    yield { size, ...(overlap !== undefined && { overlap }) };
  }
}

/** Notice of a result whose tiles are smaller than requested. */
export const smallerTilesNotice = (what: 'image' | 'slide', { size }: TileSize): string =>
  `Memory was exhausted, so the ${what} was segmented in tiles of ${size} pixels.`;

/**
 * Segments an image, and repeats it with smaller tiles if memory is exhausted.
 *
 * @param segment segments with the given tiles; undefined means the requested ones.
 * @throws the error of the last attempt.
 */
export async function withinMemory<Result extends { notices?: readonly string[] }>(
  tiles: Tiles | undefined,
  image: ImageSize,
  segment: (tiles?: TileSize) => Promise<Result>,
): Promise<Result> {
  try {
    return await segment();
  } catch (error) {
    let last: unknown = error;
    for (const smaller of smallerTiles(tiles, image)) {
      if (!CellrouteError.is(last, 'OUT_OF_MEMORY')) break;
      try {
        const result = await segment(smaller);
        const notice = smallerTilesNotice('image', smaller);
        return { ...result, notices: [...(result.notices ?? []), notice] };
      } catch (again) {
        last = again;
      }
    }
    throw last;
  }
}
