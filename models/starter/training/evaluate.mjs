// Evaluates an ensemble on the validation images, with the router selecting the segmenter.
//
//   node models/starter/training/evaluate.mjs --data DATA [--model FOLDER] [--precision float32 | bfloat16 | int8] --out FOLDER
//
// DATA is as for train.mjs. The default model is the shipped starter ensemble. FOLDER gets scores.json and, per type, the
// best, median and worst image as PNG, ground truth beside prediction.
import { mkdirSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { RoutedEnsemble } from 'cellroute';
import { evaluate } from 'cellroute/metrics';
import { renderComparison } from 'cellroute/render';
import { openDataset } from 'cellroute/train';

const { values } = parseArgs({
  options: {
    data: { type: 'string' },
    model: { type: 'string' },
    precision: { type: 'string' },
    out: { type: 'string' },
  },
});
if (!values.data || !values.out) throw new Error('--data and --out are needed');
const out = resolve(values.out);
mkdirSync(out, { recursive: true });

const ensemble = await RoutedEnsemble.load(values.model, { precision: values.precision });
const items = [];
for (const folder of ['nuclei', 't98g']) {
  const data = await openDataset(join(resolve(values.data), folder), { cellTypeColumn: 'modality' });
  const types = data.cellTypes.filter((type) => ensemble.cellTypes.includes(type));
  items.push(
    ...data.filter({ cellTypes: types }).split({ column: 'split', values: ['val'] }).validation.items,
  );
}

const images = [];
const routes = [];
for (const item of items) {
  const { image, masks: groundTruth } = await item.load();
  const { cellType, probabilities, cells } = await ensemble.segment(image);
  routes.push({ id: item.id, type: item.cellType, cellType, probability: probabilities[item.cellType] });
  images.push({
    id: item.id,
    cellType: item.cellType,
    groundTruth,
    predicted: cells.masks,
    scores: cells.scores,
  });
}

const scores = { routes, types: {} };
const right = routes.filter(({ type, cellType }) => type === cellType).length;
console.log(`router: ${right} of ${routes.length} right`);
for (const type of new Set(items.map((item) => item.cellType))) {
  const own = images.filter((image) => image.cellType === type);
  const { perImage, ...all } = await evaluate(own, { bootstrap: { samples: 10_000, seed: 3011 } });
  scores.types[type] = all;
  const [low, high] = all.intervals.kaggle;
  const numbers = {
    kaggle: all.kaggle.mean,
    ap50: all.coco.ap50,
    f1: all.f1.f1,
    pq: all.panoptic.pq,
    aji: all.aji,
  };
  const texts = Object.entries(numbers).map(([name, value]) => `${name} ${value.toFixed(3)}`);
  console.log(
    `${type}: ${own.length} images, ${texts.join(', ')}; kaggle ${low.toFixed(3)} to ${high.toFixed(3)}`,
  );

  const ranked = [...perImage].sort((a, b) => b.kaggle - a.kaggle);
  const chosen = { best: ranked[0], middle: ranked[ranked.length >> 1], worst: ranked.at(-1) };
  for (const [name, { id, kaggle }] of Object.entries(chosen)) {
    const { image } = await items.find((item) => item.id === id).load();
    const { groundTruth, predicted, scores: certainty } = own.find((image) => image.id === id);
    const title = `${type}, ${name} of ${own.length}: ${kaggle.toFixed(3)}`;
    const png = await renderComparison(
      image,
      groundTruth,
      { masks: predicted, scores: certainty },
      { title, maxSide: 1400 },
    );
    writeFileSync(join(out, `${type}-${name}.png`), png);
  }
}
writeFileSync(join(out, 'scores.json'), JSON.stringify(scores, null, 2));
await ensemble.dispose();
