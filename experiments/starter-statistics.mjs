// Computes the statistics of the starter ensemble's router from the images that it was trained on, so that types can be added to the
// ensemble without these images. Networks and thresholds do not change.
//
//   node experiments/starter-statistics.mjs --data DATA [--ensemble models/starter]
//
// DATA has the folders `nuclei` (DSB 2018, stage 1) and `t98g` (Usiigaci), as for models/starter/training/train.mjs. Writes
// router-statistics.safetensors and names it in ensemble.json.
import { readFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { embedderOf, typeStatistics } from '../dist/ensembles/embedding.js';
import { CellClassifier } from '../dist/index.mjs';
import { ENSEMBLE_FILE, STATISTICS_FILE } from '../dist/inference/ensemble-file.js';
import { writeStatistics } from '../dist/inference/router-statistics.js';
import { openDataset } from '../dist/train.mjs';

const { values } = parseArgs({
  options: {
    data: { type: 'string' },
    ensemble: { type: 'string', default: join(import.meta.dirname, '..', 'models', 'starter') },
  },
});
if (!values.data) throw new Error('--data is needed');

const router = await CellClassifier.load(values.ensemble);
const embedder = await embedderOf(router, {});
const items = [];
for (const folder of ['nuclei', 't98g']) {
  const data = await openDataset(join(resolve(values.data), folder), { cellTypeColumn: 'modality' });
  items.push(...data.split({ column: 'split', values: ['val'] }).train.items);
}
async function* imagesOf(type) {
  for (const item of items.filter(({ cellType }) => cellType === type)) yield (await item.load()).image;
}
const types = new Map();
for (const type of router.config.classNames) {
  types.set(type, await typeStatistics(embedder, imagesOf(type), type, {}));
  console.log(`${type}: ${types.get(type).images} images`);
}
await writeStatistics(join(values.ensemble, STATISTICS_FILE), {
  router: await router.bodyFingerprint(),
  types,
});
const file = join(values.ensemble, ENSEMBLE_FILE);
const description = { ...JSON.parse(readFileSync(file, 'utf8')), statistics: STATISTICS_FILE };
writeFileSync(file, `${JSON.stringify(description, null, 2)}\n`);
await embedder.dispose();
await router.dispose();
