// `cellroute finetune` beside the usual recipe in Python: the same images, the same initial weights at the same scale, the same minutes
// and threads, one after the other in one run.
//
//   node experiments/torchvision-recipe.mjs --data PATH --out FOLDER --python PYTHON [--minutes 10] [--size 20]
//       [--images DIR] [--cell-type-column NAMES] [--where COLUMN=VALUE] [--type NAME] [--kept-back 0.5|COLUMN=VALUE] [--seed 3011]
//
// PYTHON has torch, torchvision, safetensors, numpy, pillow and tifffile. The recipe is torchvision-recipe.py: that of torchvision's
// tutorial on object detection. It gets the scale that `finetune` found, which the tutorial does not look for. Both networks are
// evaluated on the images that are kept back, Python's with three sets of thresholds: a score of 0.5, those of the start, and those that
// `finetune` chose. FOLDER gets recipe.json and recipe.md.
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import sharp from 'sharp';
import { decodeImage, exportPython, RoutedEnsemble } from '../dist/index.mjs';
import { finetune } from '../dist/train.mjs';
import { dataOptions, evaluationOf, evaluationOfFile, firstOf, splitData, starterOf } from './kept-back.mjs';

const text = { type: 'string' };
const { values } = parseArgs({
  options: {
    ...dataOptions,
    out: text,
    python: text,
    minutes: { ...text, default: '10' },
    size: { ...text, default: '20' },
  },
});
if (!values.data || !values.out || !values.python) throw new Error('--data, --out and --python are needed');
const out = resolve(values.out);
const forPython = join(out, 'python');
mkdirSync(forPython, { recursive: true });
const minutes = Number(values.minutes);
const { train, keptBack } = await splitData(values);
const seed = Number(values.seed);
const chosen = firstOf(train.items, Number(values.size), seed);

const folder = join(out, 'finetune');
const isResumed = existsSync(join(folder, 'finetune.json'));
const summary = await finetune(train.filter({ ids: chosen.map(({ id }) => id) }), {
  out: folder,
  seed,
  resume: isResumed,
  ...(isResumed ? {} : { minutes }),
});
const starter = await starterOf(summary);

for (const item of chosen) {
  const { image, masks } = await item.load();
  const { data, width, height, channels } = await decodeImage(image);
  const raw = { width, height };
  await sharp(data, { raw: { ...raw, channels } })
    .png()
    .toFile(join(forPython, `${item.id}.image.png`));
  const labels = Uint16Array.from(masks.toLabels());
  await sharp(labels, { raw: { ...raw, channels: 1 } })
    .toColourspace('grey16')
    .png()
    .toFile(join(forPython, `${item.id}.labels.png`));
}
const { scale } = summary.start;
writeFileSync(
  join(forPython, 'start.py'),
  await exportPython(starter.path, { config: { resize: { scale, maxSize: 65536 } }, weights: starter.path }),
);
const recipe = fileURLToPath(new URL('torchvision-recipe.py', import.meta.url));
const printed = execFileSync(values.python, [recipe, forPython, starter.path, String(minutes)], {
  encoding: 'utf8',
  stdio: ['ignore', 'pipe', 'inherit'],
});
const python = JSON.parse(printed.trim().split('\n').at(-1));

const evaluateFile = (path, options) => evaluationOfFile(path, options, keptBack.items);
const trained = join(forPython, 'trained.safetensors');
const many = { detectionsPerImage: 1000 };
const ensemble = await RoutedEnsemble.load(folder);
const rows = [
  ['start, unchanged', await evaluateFile(starter.path, starter.thresholds), 0],
  ['start at the scale', await evaluateFile(starter.path, { ...starter.thresholds, scale }), 0],
  ['torchvision, score 0.5', await evaluateFile(trained, { scale, ...many, minScore: 0.5 }), python.steps],
  [
    'torchvision, thresholds of the start',
    await evaluateFile(trained, { ...starter.thresholds, scale, ...many }),
    python.steps,
  ],
  [
    'torchvision, thresholds of finetune',
    await evaluateFile(trained, { ...summary.thresholds, scale, ...many }),
    python.steps,
  ],
  [
    'cellroute finetune',
    await evaluationOf((image) => ensemble.segment(image), keptBack.items),
    summary.training.steps,
  ],
].map(([name, { kaggle, intervals }, steps]) => ({
  name,
  score: kaggle.mean,
  interval: intervals.kaggle,
  steps,
}));
await ensemble.dispose();
const three = (number) => number.toFixed(3);
writeFileSync(
  join(out, 'recipe.json'),
  `${JSON.stringify({ settings: values, summary: { ...summary, source: null }, python, rows }, null, 2)}\n`,
);
const table = [
  `| ${minutes} minutes, ${chosen.length} images | steps | score on ${keptBack.items.length} images (95 % interval) |`,
  '| --- | --- | --- |',
  ...rows.map(
    ({ name, score, interval, steps }) =>
      `| ${name} | ${steps} | ${three(score)} (${interval.map(three).join(' to ')}) |`,
  ),
  '',
].join('\n');
writeFileSync(join(out, 'recipe.md'), table);
console.log(table);
