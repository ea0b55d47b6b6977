// Trains the starter ensemble from random weights with `cellroute train`, and writes it in its shipped form.
//
//   node models/starter/training/train.mjs --data DATA --out FOLDER [--only fluorescence,histology,…]
//       [--device cuda --precision tf32]
//
// DATA has the folders `nuclei` (Data Science Bowl 2018) and `t98g` (Usiigaci), each with images, labels and index.csv.
// FOLDER gets `runs/`, with one run per network, and `ensemble/`, tuned on the validation images. An interrupted run is
// resumed. It takes minutes on an H100.
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { CellClassifier, CellSegmenter, RoutedEnsemble } from 'cellroute';
import { openDataset, tuneEnsemble } from 'cellroute/train';

const here = resolve(fileURLToPath(import.meta.url), '..');
const main = join(here, '..', '..', '..', 'dist', 'cli', 'main.js');
const segmenters = [
  { type: 'fluorescence', data: 'nuclei' },
  // Types with few images start from the weights of the type with many.
  { type: 'histology', data: 'nuclei', after: 'fluorescence' },
  { type: 'phase-contrast', data: 't98g', after: 'fluorescence' },
];

const { values } = parseArgs({
  options: {
    data: { type: 'string' },
    out: { type: 'string' },
    only: { type: 'string' },
    device: { type: 'string' },
    precision: { type: 'string' },
  },
});
if (!values.data || !values.out) throw new Error('--data and --out are needed');
const data = resolve(values.data);
const out = resolve(values.out);
const wanted = values.only?.split(',');
const place = Object.fromEntries(
  ['device', 'precision'].flatMap((name) => (values[name] ? [[name, values[name]]] : [])),
);

function cellroute(...args) {
  console.log(`cellroute ${args.join(' ')}`);
  const { status } = spawnSync(process.execPath, [main, ...args], { stdio: 'inherit' });
  if (status !== 0) process.exit(status ?? 1);
}

const runOf = (name) => join(out, 'runs', name);
const finished = (name) => existsSync(join(runOf(name), 'results.json'));

/** Trains until the end; resumes a run that exists. */
function train(kind, name, config, source) {
  if (finished(name) || (wanted && !wanted.includes(name))) return;
  mkdirSync(join(out, 'runs'), { recursive: true });
  if (existsSync(join(runOf(name), 'config.json'))) {
    cellroute('train', kind, ...source, '--resume', runOf(name));
    return;
  }
  const file = join(out, 'runs', `${name}.json`);
  writeFileSync(file, JSON.stringify(config, null, 2));
  cellroute('train', kind, ...source, '--config', file, '--out', runOf(name));
}

const read = (name) => JSON.parse(readFileSync(join(here, `${name}.json`), 'utf8'));
const split = ['--cell-type-column', 'modality', '--validation-column', 'split=val'];

for (const { type, data: folder, after } of segmenters) {
  const start = after && { kind: 'checkpoint', path: join(runOf(after), 'segmenter.safetensors') };
  const source = ['--data', join(data, folder), ...split, '--cell-types', type];
  train('segmenter', type, { ...read(type), ...place, ...(start && { start }) }, source);
}

// A folder with both sets and nothing else is one data set.
const both = join(out, 'data');
mkdirSync(both, { recursive: true });
for (const folder of ['nuclei', 't98g']) {
  rmSync(join(both, folder), { force: true });
  symlinkSync(join(data, folder), join(both, folder));
}
const types = segmenters.map(({ type }) => type);
const routerSource = ['--data', both, ...split, '--cell-types', types.join(',')];
train('classifier', 'router', { ...read('router'), ...place }, routerSource);
// Then with each image's own intensity range, so that the file format of a sample does not matter.
const routerStart = { kind: 'checkpoint', path: join(runOf('router'), 'classifier.safetensors') };
train(
  'classifier',
  'router-per-image',
  { ...read('router-per-image'), ...place, start: routerStart },
  routerSource,
);

if (!wanted) {
  const classifier = await CellClassifier.load(join(runOf('router-per-image'), 'classifier.safetensors'));
  const members = {};
  for (const type of types)
    members[type] = await CellSegmenter.load(join(runOf(type), 'segmenter.safetensors'));
  // Thresholds are tuned with the weights as they are shipped: written and read again.
  const folder = join(out, 'ensemble');
  const trained = new RoutedEnsemble({ classifier, segmenters: members });
  await trained.save(folder, { dtype: 'float16' });
  await trained.dispose();
  const shipped = await RoutedEnsemble.load(folder);
  const validation = (await openDataset(both, { cellTypeColumn: 'modality' }))
    .filter({ cellTypes: types })
    .split({ column: 'split', values: ['val'] }).validation;
  for (const [type, { before, after, images, thresholds }] of Object.entries(
    await tuneEnsemble(shipped, validation),
  ))
    console.log(
      `${type}: ${images} images, ${before.toFixed(3)} before, ${after.toFixed(3)} at ${JSON.stringify(thresholds)}`,
    );
  await shipped.save(folder, { dtype: 'float16' });
  await shipped.dispose();
}
