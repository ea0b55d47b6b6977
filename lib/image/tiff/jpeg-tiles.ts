import { mapAll } from '../../pool.js';
import { checkJpeg } from '../sharp.js';
import { TAG, type TiffDirectory, type TiffFile } from './directory.js';
import { JPEG, type TiffLayout } from './layout.js';

/** Start and end of a JPEG stream, two bytes each. */
const MARKER = 2;
/** Tiles in libuv's pool at a time. */
const AT_ONCE = 4;

/**
 * Refuses damaged JPEG tiles. libvips decodes them itself, not through libtiff, and ignores what libjpeg warns of; so
 * each is decoded by itself before.
 */
export async function checkJpegTiles(
  file: TiffFile,
  directory: TiffDirectory,
  { compression, tile, offsets, byteCounts }: TiffLayout,
): Promise<void> {
  if (compression !== JPEG || !tile) return;
  const stored = directory.get(TAG.jpegTables);
  const tables = stored ? file.bytes.subarray(stored.at, stored.at + stored.count - MARKER) : undefined;
  await mapAll(offsets, AT_ONCE, async (offset, i) => {
    const own = file.bytes.subarray(offset, offset + byteCounts[i]!);
    // Tables shared by all tiles, then the tile after its own start marker.
    await checkJpeg(tables ? Buffer.concat([tables, own.subarray(MARKER)]) : own, `its tile ${i}`);
  });
}
