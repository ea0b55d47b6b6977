import { CellrouteError } from '../errors.js';
import type { TileSize, Tiles } from '../inference/tiles.js';
import type { ImageSize } from '../mask/masks.js';

/** Side of the first tiles that are tried, in pixels; those of `auto` have about this many. */
const FIRST = 1024;
const SMALLEST = 128;

/** Tiles with less memory each time, where an image with these tiles needed too much. */
export function* smallerTiles(
  tiles: Tiles | undefined,
  { width, height }: ImageSize,
): Generator<TileSize, void, undefined> {
  // The caller asked for one pass.
  if (tiles === false) return;
  const asked = typeof tiles === 'object' ? tiles : undefined;
  for (let size = asked ? Math.floor(asked.size / 2) : FIRST; size >= SMALLEST; size = Math.floor(size / 2)) {
    // One tile that holds the whole image saves nothing.
    if (size >= Math.max(width, height)) continue;
    const overlap = asked?.overlap === undefined ? undefined : Math.min(asked.overlap, Math.floor(size / 2));
    yield { size, ...(overlap !== undefined && { overlap }) };
  }
}

/**
 * Segments an image, and again with smaller tiles where memory is exhausted.
 *
 * @param segment with tiles instead of those that were asked for, or as asked.
 * @throws what the last attempt rejected with.
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
        const notice = `Memory was exhausted, so the image was segmented in tiles of ${smaller.size} pixels.`;
        return { ...result, notices: [...(result.notices ?? []), notice] };
      } catch (again) {
        last = again;
      }
    }
    throw last;
  }
}
