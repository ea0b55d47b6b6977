// Makes a slide, or segments one in a separate process. Prints one line of JSON.
//   node bench/ours_slide.mjs make SLIDE SIDE IMAGES
//   node bench/ours_slide.mjs segment SLIDE [RESUME]      a line on stderr for each tile that is started
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { performance } from 'node:perf_hooks';
import { CellSegmenter, openSlide } from 'cellroute';
import sharp from 'sharp';

const [task, path, ...args] = process.argv.slice(2);
const mb = (bytes) => Math.round(bytes / 1e6);
const peak = () => mb(process.resourceUsage().maxRSS * 1024);
const load = () => CellSegmenter.load(join(import.meta.dirname, '../test/ensemble/fluorescence.safetensors'));

if (task === 'make') await make(path, Number(args[0]), args[1]);
else await segment(path, args[0]);

/** Grey images side by side at their original sizes. */
async function make(slide, side, folder) {
  const rows = readFileSync(join(folder, 'index.csv'), 'utf8').trim().split('\n').slice(1);
  const ids = rows.map((row) => row.split(',')).filter(([, modality]) => modality === 'fluorescence');
  const images = [];
  for (const [id] of ids.slice(0, 200)) {
    const image = sharp(join(folder, 'images', `${id}.png`))
      .removeAlpha()
      .toColourspace('b-w')
      .raw();
    images.push(await image.toBuffer({ resolveWithObject: true }));
  }
  const pixels = Buffer.alloc(side * side);
  let next = 0;
  // In blocks of the most common size; larger images are cut to it.
  const block = 256;
  for (let top = 0; top < side; top += block) {
    for (let left = 0; left < side; left += block) {
      // Another order in each row of blocks.
      const { data, info } = images[(next++ * 7 + Math.floor(top / block)) % images.length];
      const width = Math.min(block, info.width, side - left);
      for (let y = 0; y < Math.min(block, info.height, side - top); y++) {
        for (let x = 0; x < width; x++) {
          pixels[(top + y) * side + left + x] = data[(y * info.width + x) * info.channels];
        }
      }
    }
  }
  await sharp(pixels, { raw: { width: side, height: side, channels: 1 }, limitInputPixels: false })
    .toColourspace('b-w')
    .tiff({
      tile: true,
      tileWidth: 512,
      tileHeight: 512,
      pyramid: true,
      bigtiff: true,
      compression: 'deflate',
    })
    .toFile(slide);
  console.log('{}');
}

async function segment(path, resume) {
  const segmenter = await load();
  const slide = await openSlide(path);
  const loaded = process.memoryUsage().rss;
  const started = performance.now();
  let stage = '';
  const result = await segmenter.segment(slide, {
    ...(resume && { resume }),
    onProgress: (progress) => {
      if (progress.stage === stage) return;
      stage = progress.stage;
      const seconds = Math.round((performance.now() - started) / 1000);
      process.stderr.write(`${stage}, ${seconds} s, peak ${peak()} MB\n`);
    },
  });
  const seconds = Math.round(performance.now() - started) / 1000;
  const { boxes, scores, labels, masks } = result.cells;
  const hash = createHash('sha256');
  for (const { buffer, byteOffset, byteLength } of [boxes, scores, labels, masks.toBatch().counts]) {
    hash.update(new Uint8Array(buffer, byteOffset, byteLength));
  }
  console.log(
    JSON.stringify({
      megapixels: (slide.width * slide.height) / 1e6,
      seconds,
      loaded_mb: mb(loaded),
      peak_mb: peak(),
      cells: result.cells.length,
      tiles: result.slide.tiles.count,
      resumed: result.slide.tiles.resumed,
      hash: hash.digest('hex'),
    }),
  );
  await slide.close();
  await segmenter.dispose();
}
