// The accuracy of `scale: 'auto'`: the score of a starter segmenter on images and on magnified copies of them, at scale 1, at the
// chosen scale, and at fixed scales.
//
//   node experiments/auto-scale.mjs --data DATA --out FOLDER [--sets histology,fluorescence,phase-contrast,sartorius]
//       [--split val] [--max-images 100] [--magnifications 0.5,0.7,1,1.4,2] [--scales 0.5,0.7,1,1.4,2,2.8,4] [--precision float32]
//
// DATA has the folders `nuclei` and `t98g` as for models/starter/training, whose column `split` selects images, and for the set
// `sartorius` that folder with train.csv: the first 14 of its images by id are `train`, the others `val`. They are segmented as phase
// contrast and not magnified. Without --scales only 1 and auto are measured; with them, the best scale per
// image (which needs the ground truth) and the best one for all images follow. FOLDER gets auto-scale.json and auto-scale.md.
import { mkdirSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import sharp from 'sharp';
import { random } from '../dist/data/random.js';
import { CellSegmenter, decodeImage, Masks } from '../dist/index.mjs';
import { starterSegmenters } from '../dist/inference/starter.js';
import { evaluate } from '../dist/metrics.mjs';
import { openDataset } from '../dist/train.mjs';

const text = { type: 'string' };
const { values } = parseArgs({
  options: {
    data: text,
    out: text,
    sets: { ...text, default: 'histology,fluorescence,phase-contrast' },
    split: { ...text, default: 'val' },
    'max-images': { ...text, default: '100' },
    magnifications: { ...text, default: '1,0.5,0.7,1.4,2' },
    scales: { ...text, default: '' },
    precision: { ...text, default: 'float32' },
  },
});
if (!values.data || !values.out) throw new Error('--data and --out are needed');
const out = resolve(values.out);
mkdirSync(out, { recursive: true });
const numbers = (list) => list.split(',').filter(Boolean).map(Number);
const fixed = numbers(values.scales);
const SEED = 3011;
/** Images of Sartorius on which the constants of the rule were chosen: the first ones by id. */
const SARTORIUS_TRAIN = 14;

/** Images of a set, and the cell type as which they are segmented. */
async function itemsOf(set) {
  if (set === 'sartorius') {
    const data = await openDataset(join(values.data, 'sartorius'));
    const { items } = data;
    const own = values.split === 'val' ? items.slice(SARTORIUS_TRAIN) : items.slice(0, SARTORIUS_TRAIN);
    return { items: own.slice(0, Number(values['max-images'])), type: 'phase-contrast' };
  }
  const folder = set === 'phase-contrast' ? 't98g' : 'nuclei';
  const data = await openDataset(join(values.data, folder), { cellTypeColumn: 'modality' });
  const { items } = data.filter({
    where: ({ cellType, columns }) => cellType === set && columns.split === values.split,
  });
  return {
    items: random(SEED, set)
      .shuffle([...items])
      .slice(0, Number(values['max-images'])),
    type: set,
  };
}

/** An image and its cells, both larger by a factor: bicubic for the image, the nearest pixel for the cells. */
async function magnified({ image, masks }, factor) {
  const decoded = await decodeImage(image);
  if (factor === 1) return { image: decoded, masks };
  const { data, channels } = decoded;
  const width = Math.round(decoded.width * factor);
  const height = Math.round(decoded.height * factor);
  const bytes = Buffer.from(data.buffer, data.byteOffset, data.byteLength);
  const raw = { width: decoded.width, height: decoded.height, channels };
  const resized = await sharp(bytes, { raw })
    .resize(width, height, { fit: 'fill', kernel: 'cubic' })
    .raw()
    .toBuffer({ resolveWithObject: true });
  const own = masks.toLabels();
  const labels = new Uint32Array(width * height);
  const from = (at, length) => Math.min(length - 1, Math.floor((at + 0.5) / factor));
  for (let y = 0; y < height; y++) {
    const row = from(y, decoded.height) * decoded.width;
    for (let x = 0; x < width; x++) labels[y * width + x] = own[row + from(x, decoded.width)];
  }
  return {
    image: { data: new Uint8Array(resized.data), width, height, channels: resized.info.channels },
    masks: Masks.fromLabels(labels, { width, height }).masks,
  };
}

async function scoreOf(segmenter, { image, masks }, id, thresholds, scale) {
  // Areas of an ensemble are at scale 1.
  const at = async (used) => {
    const minArea = Math.round((thresholds.minArea ?? 0) / used ** 2);
    return segmenter.segment(image, { ...thresholds, minArea, scale: used });
  };
  const used = scale === 'auto' ? await segmenter.decideScale(image) : scale;
  const { cells } = await at(used);
  const { kaggle } = await evaluate([
    { id, groundTruth: masks, predicted: cells.masks, scores: cells.scores },
  ]);
  return { scale: used, score: kaggle.mean };
}

const mean = (list) => list.reduce((sum, value) => sum + value, 0) / list.length;
const starters = await starterSegmenters();
const rows = [];
for (const set of values.sets.split(',')) {
  const { items, type } = await itemsOf(set);
  const { path, thresholds } = starters.find((one) => one.type === type);
  const segmenter = await CellSegmenter.load(path, { precision: values.precision });
  for (const magnification of set === 'sartorius' ? [1] : numbers(values.magnifications)) {
    const images = [];
    for (const item of items) {
      const shown = await magnified(await item.load(), magnification);
      const at = (scale) => scoreOf(segmenter, shown, item.id, thresholds, scale);
      const auto = await at('auto');
      const scores = { 1: (await at(1)).score };
      for (const scale of fixed) scores[scale] ??= (await at(scale)).score;
      images.push({ id: item.id, auto, scores });
    }
    const scales = Object.keys(images[0].scores);
    const perScale = scales.map((scale) => [scale, mean(images.map(({ scores }) => scores[scale]))]);
    const row = {
      set,
      magnification,
      count: images.length,
      auto: mean(images.map(({ auto }) => auto.score)),
      perScale: Object.fromEntries(perScale),
      bestPerImage: mean(images.map(({ scores }) => Math.max(...Object.values(scores)))),
      scales: images.map(({ auto }) => auto.scale),
      images,
    };
    rows.push(row);
    console.log(
      `${set} × ${magnification}, ${row.count} images: auto ${row.auto.toFixed(3)}, best per image ${row.bestPerImage.toFixed(3)};`,
      perScale.map(([scale, score]) => `${scale}: ${score.toFixed(3)}`).join(', '),
      `(${row.scales.map((scale) => scale.toPrecision(3)).join(' ')})`,
    );
    writeFileSync(join(out, 'auto-scale.json'), `${JSON.stringify({ settings: values, rows }, null, 2)}\n`);
    writeFileSync(join(out, 'auto-scale.md'), tableOf(rows));
  }
  await segmenter.dispose();
}

function tableOf(measured) {
  const scales = [...new Set(measured.flatMap(({ perScale }) => Object.keys(perScale)))].sort(
    (a, b) => a - b,
  );
  const cells = ({ set, magnification, count, auto, perScale, bestPerImage }) => [
    set,
    magnification,
    count,
    auto.toFixed(3),
    bestPerImage.toFixed(3),
    ...scales.map((scale) => perScale[scale]?.toFixed(3) ?? ''),
  ];
  const head = [
    'set',
    'magnified',
    'images',
    'auto',
    'best per image',
    ...scales.map((one) => `scale ${one}`),
  ];
  return [head, head.map(() => '---'), ...measured.map(cells)]
    .map((row) => `| ${row.join(' | ')} |\n`)
    .join('');
}
