import { mapAll } from '../../pool.js';
import { checkJpeg } from '../sharp.js';
import { TAG, type TiffDirectory, type TiffFile } from './directory.js';
import { JPEG, type TiffLayout } from './layout.js';

/** Length of the start and end markers of a JPEG stream in bytes. */
const MARKER = 2;
/** Number of tiles that are decoded concurrently. */
const CONCURRENT_TILES = 4;

/**
 * Refuses damaged JPEG tiles. libvips decodes tiles without libtiff and ignores warnings of libjpeg, so each tile is first
 * decoded separately.
 */
export async function checkJpegTiles(
  file: TiffFile,
  directory: TiffDirectory,
  { compression, tile, offsets, byteCounts }: TiffLayout,
): Promise<void> {
  if (compression !== JPEG || !tile) return;
  const stored = directory.get(TAG.jpegTables);
  const tables = stored ? file.bytes.subarray(stored.at, stored.at + stored.count - MARKER) : undefined;
  await mapAll(offsets, CONCURRENT_TILES, async (offset, i) => {
    const own = file.bytes.subarray(offset, offset + byteCounts[i]!);
    // Tables shared by all tiles, then the tile after its own start marker.
    await checkJpeg(tables ? Buffer.concat([tables, own.subarray(MARKER)]) : own, `its tile ${i}`);
  });
}
