// Segments one channel of an image and writes files that QuPath, ImageJ, napari and statistics programs open. Intensities of
// all channels are measured, in micrometres if the file states its pixel size.
//
//   node open-in-programs.mjs IMAGE OUT [CHANNEL]
import { createWriteStream } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { basename, extname, join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { RESULT_FORMATS, RoutedEnsemble } from 'cellroute';

const [path, out, channel = '0'] = process.argv.slice(2);
if (!path || !out) throw new Error('usage: node open-in-programs.mjs IMAGE OUT [CHANNEL]');

const stem = basename(path, extname(path));
await mkdir(out, { recursive: true });
const ensemble = await RoutedEnsemble.load();
try {
  const result = await ensemble.segment(path, { channels: Number(channel), removeOverlaps: true });
  // One context for all formats: the cells are measured once.
  const context = { name: basename(path), file: path };
  for (const { extension, write } of [
    RESULT_FORMATS.geojson,
    RESULT_FORMATS.imagej,
    RESULT_FORMATS.measurements,
    RESULT_FORMATS['label-tiff'],
  ]) {
    await pipeline(write(result, context), createWriteStream(join(out, `${stem}${extension}`)));
  }
  console.log(`${stem}: ${result.cells.length} cells`);
} finally {
  await ensemble.dispose();
}
