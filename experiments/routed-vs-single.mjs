// Compares one Mask R-CNN for all cell types with a router and one Mask R-CNN per type.
//
//   node experiments/routed-vs-single.mjs --data train.csv --out FOLDER [--config FILE] [--start WEIGHTS]
//       [--router-start WEIGHTS] [--steps N] [--router-steps N] [--folds 3] [--seed 3011] [--device cpu] [--precision float32]
//       [--fold N]
//
// Within a fold, both sides have the same network, initial weights and images, and the same total number of segmenter
// steps: those of the routed side are distributed in proportion to the images per type, so both sides see an image equally
// often. The router is trained on the same images; the report also has the segmenters behind a router without errors. Each
// image is evaluated once, by networks that were not trained on it.
// FOLDER gets report.json, report.md and scores.png, and keeps all runs, so that interrupted runs are resumed. --fold
// trains only one fold without a report, so that several processes or days can share a FOLDER. The default configuration
// is two-core.json; docs/routed-vs-single.md has the results.
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { isDeepStrictEqual, parseArgs } from 'node:util';
import { CellSegmenter, Masks, RoutedEnsemble } from '../dist/index.mjs';
import { compareEvaluations, evaluate } from '../dist/metrics.mjs';
import { renderPlot } from '../dist/render/plot.js';
import { Dataset, EnsembleTrainer, openDataset, SegmenterTrainer } from '../dist/train.mjs';
import { writeAtomically } from '../dist/weights/atomic.js';
import { plotOf, stepsOf, tableOf } from './parts.cjs';

const here = resolve(fileURLToPath(import.meta.url), '..');
const text = { type: 'string' };
const { values } = parseArgs({
  options: {
    data: text,
    out: text,
    config: { ...text, default: join(here, 'two-core.json') },
    start: text,
    'router-start': text,
    steps: text,
    'router-steps': text,
    folds: { ...text, default: '3' },
    seed: { ...text, default: '3011' },
    device: { ...text, default: 'cpu' },
    precision: { ...text, default: 'float32' },
    fold: text,
  },
});
if (!values.data || !values.out) throw new Error('--data and --out are needed');
const read = (path) => JSON.parse(readFileSync(path, 'utf8'));
const { device, precision } = values;
const { segmenter, router, repeats, thresholds, minScore, alsoAt, ...defaults } = read(values.config);
const steps = Number(values.steps ?? defaults.steps);
const seed = Number(values.seed);
const from = (path) => path && { start: { kind: 'checkpoint', path: resolve(path) } };
const place = { seed, device, precision };
const segmenterConfig = { ...segmenter, ...place, ...from(values.start) };
const routerSteps = Number(values['router-steps'] ?? router.steps);
const routerConfig = { ...router, ...place, ...from(values['router-start']), steps: routerSteps };

const out = resolve(values.out);
mkdirSync(out, { recursive: true });
const save = (name, content) => writeAtomically(join(out, name), [Buffer.from(content)]);

// Resuming a folder with other settings would mix two experiments in one report.
const { out: _, data: __, fold: only, ...asked } = values;
const settings = JSON.parse(JSON.stringify({ ...asked, steps, config: read(values.config) }));
if (existsSync(join(out, 'settings.json')) && !isDeepStrictEqual(read(join(out, 'settings.json')), settings))
  throw new Error(`${out} contains an experiment with other settings: use another folder`);
await save('settings.json', JSON.stringify(settings, null, 2));

const data = await openDataset(resolve(values.data));
const folds = data.folds({ count: Number(values.folds), seed });
if (only !== undefined && !folds[Number(only) - 1])
  throw new Error(`--fold must be one of 1 to ${folds.length}, not ${only}`);

/** Repeats each image `repeats` times, because epochs consist of whole batches and types with few images would get small ones. */
const repeated = (set) =>
  Dataset.join(Object.fromEntries(Array.from({ length: repeats }, (_, i) => [`${i}`, set])));

/** Trains until the end; resumes a run that exists. */
async function train(Trainer, folder, options) {
  let began = performance.now();
  const trainer = existsSync(join(folder, 'config.json'))
    ? await Trainer.resume(folder, { data: options.data })
    : new Trainer({ ...options, folder });
  for await (const event of trainer.run()) {
    if (event.kind === 'part' || event.kind === 'start') began = performance.now();
    if (event.kind !== 'stop') continue;
    const name = event.part ? [event.part.network, event.part.cellType].filter(Boolean).join(' ') : 'single';
    const seconds = (performance.now() - began) / 1000;
    console.log(`  ${name}: trained to step ${event.step}, ${seconds.toFixed(0)} s`);
  }
}

const lowest = Math.min(minScore, ...alsoAt);
/** All predicted cells as plain data. Overlap removal and the minimum score are part of the evaluation. */
async function found(network, image, options = {}) {
  const asked = { ...thresholds, minScore: lowest, removeOverlaps: false, ...options };
  const { cells, cellType } = await network.segment(image, asked);
  return { masks: cells.masks.toCoco(), scores: [...cells.scores], cellType };
}

const evaluated = [];
for (const [i, { train: training, validation }] of folds.entries()) {
  if (only !== undefined && i + 1 !== Number(only)) continue;
  const name = `fold-${i + 1}`;
  const file = join(out, name, 'predictions.json');
  if (!existsSync(file)) {
    console.log(`${name}: ${training.items.length} images to train on, ${validation.items.length} held out`);
    const images = Object.fromEntries(
      training.cellTypes.map((type) => [
        type,
        training.items.filter((item) => item.cellType === type).length,
      ]),
    );
    const shares = Object.entries(stepsOf(images, steps)).map(([type, own]) => [type, { steps: own }]);
    const many = repeated(training);
    const singleFolder = join(out, name, 'single');
    const routedFolder = join(out, name, 'routed');
    if (!existsSync(join(singleFolder, 'results.json')))
      await train(SegmenterTrainer, singleFolder, { data: many, config: { ...segmenterConfig, steps } });
    const config = {
      classifier: routerConfig,
      segmenter: segmenterConfig,
      segmenters: Object.fromEntries(shares),
    };
    await train(EnsembleTrainer, routedFolder, { data: many, config });

    const inference = { device, precision };
    const single = await CellSegmenter.load(join(singleFolder, 'segmenter.safetensors'), inference);
    const routed = await RoutedEnsemble.load(join(routedFolder, 'ensemble'), inference);
    const predictions = [];
    for (const item of validation.items) {
      const { image } = await item.load();
      const own = await found(routed, image);
      const unerring =
        own.cellType === item.cellType ? own : await found(routed, image, { cellType: item.cellType });
      predictions.push({ id: item.id, single: await found(single, image), routed: own, unerring });
    }
    await Promise.all([single.dispose(), routed.dispose()]);
    await save(join(name, 'predictions.json'), JSON.stringify(predictions));
  }
  evaluated.push(...read(file));
}
if (only !== undefined) process.exit(0);

const items = new Map(data.items.map((item) => [item.id, item]));
const groundTruth = new Map();
for (const { id } of evaluated) groundTruth.set(id, (await items.get(id).load()).masks);

/** Scores of one side over all images. */
function evaluateSide(side, atLeast) {
  const images = evaluated.map(({ id, [side]: { masks, scores } }) => {
    const { cellType, width, height } = items.get(id);
    return {
      id,
      cellType,
      groundTruth: groundTruth.get(id),
      predicted: Masks.fromCoco(masks, { width, height }),
      scores,
    };
  });
  return evaluate(images, { minScore: atLeast, removeOverlaps: thresholds.removeOverlaps });
}

const right = evaluated.filter(({ id, routed }) => items.get(id).cellType === routed.cellType).length;
const report = { settings, images: evaluated.length, routedRight: right, comparisons: [] };
const lines = [`The router classified ${right} of ${evaluated.length} held-out images correctly.`];
for (const atLeast of [minScore, ...alsoAt]) {
  const sides = {};
  for (const side of ['single', 'routed', 'unerring']) sides[side] = await evaluateSide(side, atLeast);
  const { single, routed, unerring } = sides;
  const comparisons = {
    routed: compareEvaluations(single, routed, { seed }),
    unerring: compareEvaluations(single, unerring, { seed }),
  };
  const perImage = single.perImage.map(({ id, cellType, groundTruths, kaggle }, i) => {
    return {
      id,
      cellType,
      groundTruths,
      single: kaggle,
      routed: routed.perImage[i].kaggle,
      unerring: unerring.perImage[i].kaggle,
    };
  });
  report.comparisons.push({ minScore: atLeast, ...comparisons, perImage });
  const chosen = atLeast === minScore;
  lines.push('', `Cells with a score above ${atLeast}${chosen ? ', as was decided beforehand' : ''}:`, '');
  lines.push(tableOf(comparisons.routed, comparisons.unerring));
  if (chosen) writeFileSync(join(out, 'scores.png'), await renderPlot(plotOf(single, routed)));
}
await save('report.json', `${JSON.stringify(report, null, 2)}\n`);
await save('report.md', `${lines.join('\n')}\n`);
console.log(lines.join('\n'));
