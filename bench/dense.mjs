// A dense image: 2,500 real nuclei on 2048 × 2048 pixels, segmented with `tiles: 'auto'` and with explicit tiles, and
// compared with the ground truth. node bench/dense.mjs --data FOLDER, with the data set of nuclei (label images).
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import sharp from 'sharp';
import { random } from '../dist/data/random.js';
import { CellSegmenter, decodeImage, Masks } from '../dist/index.js';
import { packageRoot } from '../dist/native/find.js';
import { openDataset } from '../dist/train.js';

const { values: flags } = parseArgs({
  options: {
    data: { type: 'string' },
    side: { type: 'string', default: '2048' },
    cells: { type: 'string', default: '2500' },
    model: {
      type: 'string',
      default: join(packageRoot, 'models/starter/segmenter-fluorescence.safetensors'),
    },
    image: { type: 'string' },
  },
});
if (flags.data === undefined) throw new Error('--data FOLDER is missing: a data set of fluorescent nuclei');
const [side, wanted] = [Number(flags.side), Number(flags.cells)];

/** Nuclei cut out of images, each brightened to one peak: pixels, mask, size. */
async function nucleiOf(items, maxSide, count) {
  const nuclei = [];
  for (const item of items) {
    if (nuclei.length >= count) break;
    const { image, masks } = await item.load();
    const { data, channels, width } = await decodeImage(image);
    const boxes = masks.boxes();
    for (let cell = 0; cell < masks.length; cell++) {
      const [left, top, right, bottom] = boxes.subarray(4 * cell, 4 * cell + 4);
      const [w, h] = [right - left, bottom - top];
      if (Math.max(w, h) > maxSide || Math.min(w, h) < 8) continue;
      const own = masks.select([cell]).toLabels();
      const inside = new Uint8Array(w * h);
      const shade = new Float32Array(w * h);
      let peak = 0;
      for (let y = 0; y < h; y++) {
        for (let x = 0; x < w; x++) {
          const at = (top + y) * width + left + x;
          if (!own[at]) continue;
          inside[y * w + x] = 1;
          shade[y * w + x] = data[at * channels];
          peak = Math.max(peak, data[at * channels]);
        }
      }
      if (peak > 40) nuclei.push({ w, h, inside, shade: shade.map((value) => (value / peak) * 200) });
    }
  }
  return nuclei;
}

const data = await openDataset(flags.data, { cellTypeColumn: 'modality' });
const items = data.filter({
  where: ({ cellType, columns }) => cellType === 'fluorescence' && columns.split === 'val',
}).items;
const columns = Math.ceil(Math.sqrt(wanted));
const pitch = Math.floor(side / columns);
const nuclei = await nucleiOf(items, pitch - 4, 2000);
const draw = random(3011, 'dense');
const pixels = new Uint8Array(side * side);
const labels = new Uint16Array(side * side);
for (let i = 0; i < pixels.length; i++) pixels[i] = 8 + Math.floor(6 * draw.uniform());
for (let cell = 0; cell < wanted; cell++) {
  const { w, h, inside, shade } = nuclei[Math.floor(nuclei.length * draw.uniform())];
  const left = (cell % columns) * pitch + Math.floor((pitch - w) * draw.uniform());
  const top = Math.floor(cell / columns) * pitch + Math.floor((pitch - h) * draw.uniform());
  for (let y = 0; y < h; y++) {
    for (let x = 0; x < w; x++) {
      if (!inside[y * w + x]) continue;
      const at = (top + y) * side + left + x;
      pixels[at] = Math.min(255, pixels[at] + shade[y * w + x]);
      labels[at] = cell + 1;
    }
  }
}
const groundTruth = Masks.fromLabels(labels, { width: side, height: side }).masks;
const image = { data: pixels, width: side, height: side, channels: 1 };
if (flags.image !== undefined) {
  await sharp(pixels, { raw: { width: side, height: side, channels: 1 } })
    .png()
    .toFile(flags.image);
}
console.log(`${groundTruth.length} nuclei of ${nuclei.length} kinds on ${side} × ${side} pixels`);

const segmenter = await CellSegmenter.load(flags.model);
const limits = `${segmenter.config.box.detectionsPerImage} detections, ${segmenter.config.rpn.postNmsTopN} proposals`;
console.log(`limits of the model: ${limits}`);
for (const tiles of ['auto', false, { size: 1024 }, { size: 512 }]) {
  const began = performance.now();
  const { cells, limitsReached } = await segmenter.segment(image, { tiles, minScore: 0.5 });
  const seconds = (performance.now() - began) / 1000;
  const found = new Uint8Array(groundTruth.length);
  const iou = groundTruth.iou(cells.masks);
  for (let i = 0; i < groundTruth.length; i++) {
    for (let j = 0; j < cells.length; j++) if (iou[i * cells.length + j] >= 0.5) found[i] = 1;
  }
  const recall = found.reduce((sum, one) => sum + one, 0) / groundTruth.length;
  const peak = Math.round(process.resourceUsage().maxRSS / 1024);
  console.log(
    `tiles ${JSON.stringify(tiles)}: ${cells.length} cells, ${(100 * recall).toFixed(1)} % of the ground truth at IoU 0.5, ` +
      `${seconds.toFixed(1)} s, peak ${peak} MiB, limits reached ${JSON.stringify(limitsReached)}`,
  );
}
await segmenter.dispose();
