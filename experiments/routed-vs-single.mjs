// The notebook's headline as an experiment: one Mask R-CNN for all cell types, or one a type behind a router?
//
//   node experiments/routed-vs-single.mjs --data train.csv --out FOLDER [--folds 3] [--steps 600] [--config FILE]
//       [--router FILE] [--seed 3011] [--samples 10000]
//
// Within each fold both sides have the same network, the same pictures and the same number of segmenter steps in all: the
// routed side's steps are shared out by the types' pictures, as the notebook's epochs are. The router is trained on the
// fold's pictures too. Every picture is judged once, by networks that have not seen it, with the competition's metric;
// the difference's interval is a bootstrap over pictures. FOLDER keeps every run: what was interrupted goes on.
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import {
  CellSegmenter,
  ClassifierTrainer,
  evaluate,
  openDataset,
  RoutedEnsemble,
  SegmenterTrainer,
} from 'cellroute';
import { differenceOf, foldsOf, stepsOf } from './routed-vs-single-parts.mjs';

const here = resolve(fileURLToPath(import.meta.url), '..');
const whole = { type: 'string' };
const { values } = parseArgs({
  options: {
    data: whole,
    out: whole,
    folds: { ...whole, default: '3' },
    steps: { ...whole, default: '600' },
    config: { ...whole, default: join(here, 'segmenter.json') },
    router: { ...whole, default: join(here, 'router.json') },
    seed: { ...whole, default: '3011' },
    samples: { ...whole, default: '10000' },
  },
});
if (!values.data || !values.out) throw new Error('--data and --out are needed');
const [folds, steps, seed, samples] = ['folds', 'steps', 'seed', 'samples'].map((name) =>
  Number(values[name]),
);
const json = (path) => JSON.parse(readFileSync(path, 'utf8'));
const network = json(values.config);
const router = json(values.router);
const thresholds = { minScore: 0.5, maskThreshold: 0.5, removeOverlaps: { maxLost: 0.2 } };

const data = await openDataset(resolve(values.data));
const out = resolve(values.out);
mkdirSync(out, { recursive: true });

/** Trains to the end, from wherever the folder stands; gives the weights' path. */
async function train(Trainer, folder, options, file) {
  if (!existsSync(join(folder, 'results.json'))) {
    const trainer = existsSync(join(folder, 'config.json'))
      ? await Trainer.resume(folder, { data: options.data })
      : new Trainer({ ...options, folder });
    for await (const event of trainer.run()) {
      if (event.kind === 'epoch') console.log(`${folder}: epoch ${event.epoch}`);
    }
  }
  return join(folder, file);
}

const judged = [];
for (const [fold, ids] of foldsOf(data, folds, seed).entries()) {
  const training = data.filter({ where: (item) => !ids.includes(item.id) });
  const held = data.filter({ ids });
  const folder = (name) => join(out, `fold-${fold + 1}`, name);
  const segmenter = (name, some, count) =>
    train(
      SegmenterTrainer,
      folder(name),
      { data: some, config: { ...network, seed, steps: count } },
      'segmenter.safetensors',
    );

  const single = await segmenter('single', training, steps);
  const shares = stepsOf(training, steps);
  const routed = {};
  for (const [type, count] of shares)
    routed[type] = await segmenter(type, training.filter({ types: [type] }), count);
  const named = await train(
    ClassifierTrainer,
    folder('router'),
    { data: training, config: { ...router, seed } },
    'classifier.safetensors',
  );

  const file = folder('predictions.json');
  if (!existsSync(file)) {
    const { CellClassifier } = await import('cellroute');
    const classifier = await CellClassifier.load(named);
    const segmenters = {};
    for (const type of classifier.config.classNames)
      segmenters[type] = await CellSegmenter.load(routed[type]);
    await using one = await CellSegmenter.load(single);
    await using ensemble = new RoutedEnsemble({ classifier, segmenters });
    const found = [];
    for (const item of held.items) {
      const { image } = await item.load();
      const all = await one.segment(image, thresholds);
      const own = await ensemble.segment(image, thresholds);
      found.push({
        id: item.id,
        type: item.type,
        routedTo: own.cellType,
        single: { masks: all.cells.masks.toCoco(), scores: [...all.cells.scores] },
        routed: { masks: own.cells.masks.toCoco(), scores: [...own.cells.scores] },
      });
    }
    writeFileSync(file, JSON.stringify(found));
  }
  judged.push(...json(file));
}

const { Masks } = await import('cellroute');
/** One side's evaluation over all pictures. */
async function judge(side) {
  const pictures = [];
  for (const { id, type, [side]: found } of judged) {
    const item = data.items.find((one) => one.id === id);
    const { masks } = await item.load();
    const predicted = Masks.fromCoco(found.masks, { width: item.width, height: item.height });
    pictures.push({ id, type, truth: masks, predicted, scores: found.scores });
  }
  return evaluate(pictures, { bootstrap: { samples, seed } });
}

const single = await judge('single');
const routed = await judge('routed');
const groups = ['all', ...data.types].map((type) => {
  const pick = ({ perPicture }) =>
    perPicture.filter((one) => type === 'all' || one.type === type).map(({ kaggle }) => kaggle);
  return { type, ...differenceOf(pick(single), pick(routed), samples, seed) };
});
const right = judged.filter(({ type, routedTo }) => type === routedTo).length;
const report = {
  folds,
  steps,
  seed,
  samples,
  network,
  router,
  routedRight: right,
  pictures: judged.length,
  groups,
};
writeFileSync(join(out, 'report.json'), JSON.stringify(report, null, 2));
console.log(`router right on ${right} of ${judged.length} pictures`);
for (const { type, pictures, single: a, routed: b, difference, low, high } of groups) {
  const numbers = [a, b, difference, low, high].map((value) => value.toFixed(3));
  console.log(
    `${type}: ${pictures} pictures, single ${numbers[0]}, routed ${numbers[1]}, difference ${numbers[2]} (${numbers[3]} to ${numbers[4]})`,
  );
}
