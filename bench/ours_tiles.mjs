// Measures time and peak memory of one large image, in tiles or in one pass. Prints one line of JSON.
//   node bench/ours_tiles.mjs IMAGE SIDE tiled|whole PRECISION
import { join, resolve } from 'node:path';
import { performance } from 'node:perf_hooks';
import { fileURLToPath } from 'node:url';
import { CellSegmenter } from 'cellroute';
import { repeated } from './repeated.mjs';

const [file, sideText, way, precision] = process.argv.slice(2);
const side = Number(sideText);
const mb = (bytes) => Math.round(bytes / 1e5) / 10;

const image = await repeated(file, side);
const weights = join(fileURLToPath(import.meta.url), '../../test/ensemble/fluorescence.safetensors');
const segmenter = await CellSegmenter.load(resolve(weights), { precision });

const before = process.memoryUsage().rss;
const started = performance.now();
const { cells, seams } = await segmenter.segment(image, {
  tiles: way === 'tiled' ? { size: 1024 } : false,
  detectionsPerImage: 1_000_000,
});
console.log(
  JSON.stringify({
    seconds: Math.round(performance.now() - started) / 1000,
    image_mb: mb(image.data.length),
    before_mb: mb(before),
    peak_mb: mb(process.resourceUsage().maxRSS * 1024),
    tiles: seams ? (seams.x.length + 1) * (seams.y.length + 1) : 1,
    cells: cells.length,
    on_seams: seams?.cells.length ?? 0,
    result_mb: mb(cells.masks.toBatch().counts.byteLength),
  }),
);
await segmenter.dispose();
