// Adds cell types to the starter ensemble one after the other, from five images each, and measures the accuracy of the earlier types.
//
//   node experiments/add-types.mjs --data DATA --out FOLDER [--count 5] [--draws 50] [--seed 3011]
//
// DATA has the folders `nuclei` (DSB 2018, stage 1), `t98g` (Usiigaci) and `sartorius` (train.csv with the folder train). The types
// shsy5y, astro, cort and brightfield are added in this order. The old types are evaluated on their validation images (split=val), the
// new ones on the images that were not drawn. Images are drawn again and again: every image is embedded once, and each draw makes the
// router's last layer as addToEnsemble does. The first draw is also made with addToEnsemble, and has to give the same types. FOLDER gets
// its ensembles, results.json and results.md.
import { mkdirSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { random } from '../dist/data/random.js';
import { discriminantLayer } from '../dist/ensembles/discriminant.js';
import { embedderOf } from '../dist/ensembles/embedding.js';
import { CellClassifier } from '../dist/index.mjs';
import { STATISTICS_FILE, starterFolder } from '../dist/inference/ensemble-file.js';
import { MomentSums, readStatistics } from '../dist/inference/router-statistics.js';
import { addToEnsemble, openDataset } from '../dist/train.mjs';

const text = { type: 'string' };
const { values } = parseArgs({
  options: {
    data: text,
    out: text,
    count: { ...text, default: '5' },
    draws: { ...text, default: '50' },
    seed: { ...text, default: '3011' },
  },
});
if (!values.data || !values.out) throw new Error('--data and --out are needed');
const [data, out] = [resolve(values.data), resolve(values.out)];
const [count, draws, seed] = [values.count, values.draws, values.seed].map(Number);
mkdirSync(out, { recursive: true });

const OLD = ['fluorescence', 'histology', 'phase-contrast'];
const NEW = ['shsy5y', 'astro', 'cort', 'brightfield'];
const TYPES = [...OLD, ...NEW];

const opened = [
  ...(await openDataset(join(data, 'nuclei'), { cellTypeColumn: 'modality' })).items,
  ...(await openDataset(join(data, 't98g'), { cellTypeColumn: 'modality' })).items,
  ...(await openDataset(join(data, 'sartorius', 'train.csv'))).items,
].filter(
  ({ cellType, columns }) => NEW.includes(cellType) || (OLD.includes(cellType) && columns.split === 'val'),
);

const router = await CellClassifier.load(starterFolder);
const embedder = await embedderOf(router, {});
const embeddings = new Map();
for (const item of opened) {
  const { image } = await item.load();
  embeddings.set(item.id, (await embedder.classify(image)).logits);
  if (embeddings.size % 50 === 0) console.log(`${embeddings.size} of ${opened.length} images`);
}

/** Index of the type that a layer names. */
function typeOf({ weight, bias, size }, embedding) {
  const logits = Array.from(bias, (own, k) =>
    embedding.reduce((sum, value, i) => sum + value * weight[k * size + i], own),
  );
  return logits.indexOf(Math.max(...logits));
}

/** Share of the images of each type that a layer names by their type. */
const sharesOf = (layer, held) =>
  held.map(
    (items, k) => items.filter(({ id }) => typeOf(layer, embeddings.get(id)) === k).length / items.length,
  );

const stored = await readStatistics(join(starterFolder, STATISTICS_FILE));
const validation = OLD.map((type) => opened.filter(({ cellType }) => cellType === type));
const steps = [[{ added: 'none', shares: sharesOf(await router.lastLayer(), validation) }]];
for (let draw = 0; draw < draws; draw++) {
  const statistics = OLD.map((type) => stored.types.get(type));
  const held = [...validation];
  let model = starterFolder;
  for (const [step, type] of NEW.entries()) {
    const own = opened.filter(({ cellType }) => cellType === type);
    const shuffled = random(seed, 'add', draw, type).shuffle(own);
    const sums = new MomentSums(embedder.config.classNames.length);
    for (const { id } of shuffled.slice(0, count)) sums.add(embeddings.get(id));
    statistics.push(sums.statistics());
    held.push(shuffled.slice(count));
    const layer = discriminantLayer(statistics);
    steps[step + 1] ??= [];
    steps[step + 1].push({ added: type, shares: sharesOf(layer, held) });
    if (draw > 0) continue;
    const images = [];
    for (const item of shuffled.slice(0, count)) images.push((await item.load()).image);
    const next = join(out, type);
    await addToEnsemble(model, { type, images, segmenter: null, out: next, force: true });
    model = next;
    if (step < NEW.length - 1) continue;
    const added = await CellClassifier.load(model);
    for (const item of held.flat()) {
      const { cellType } = await added.classify((await item.load()).image);
      const expected = TYPES[typeOf(layer, embeddings.get(item.id))];
      if (cellType !== expected) throw new Error(`${item.id}: ${cellType}, but the layer says ${expected}`);
    }
    await added.dispose();
  }
}

/** Mean over the draws of the accuracy of a type after a step, and the lowest; nothing for a type that was not added yet. */
function cell(draws, k) {
  const shares = draws.flatMap(({ shares }) => shares[k] ?? []);
  if (shares.length === 0) return '';
  const mean = shares.reduce((sum, share) => sum + share, 0) / shares.length;
  return `${mean.toFixed(3)} (${Math.min(...shares).toFixed(3)})`;
}
const counts = TYPES.map((type) => {
  const all = opened.filter(({ cellType }) => cellType === type).length;
  return String(OLD.includes(type) ? all : all - count);
});
const rows = steps.map((draws) => [draws[0].added, ...TYPES.map((_, k) => cell(draws, k))]);
const lines = [['added', ...TYPES], ['---', ...TYPES.map(() => '---')], ['images', ...counts], ...rows].map(
  (row) => `| ${row.join(' | ')} |`,
);
writeFileSync(join(out, 'results.json'), JSON.stringify(steps, null, 2));
writeFileSync(join(out, 'results.md'), `${lines.join('\n')}\n`);
console.log(lines.join('\n'));
await embedder.dispose();
await router.dispose();
