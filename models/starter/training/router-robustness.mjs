// Tests the router on validation images with changed brightness and contrast. The class should depend on the content of an
// image, not on its brightness.
//
//   node models/starter/training/router-robustness.mjs --data DATA [--model FILE]
//
// DATA is as for train.mjs. The default model is the router of the shipped starter ensemble.
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { CellClassifier } from 'cellroute';
import { openDataset } from 'cellroute/train';
import sharp from 'sharp';

const { values } = parseArgs({ options: { data: { type: 'string' }, model: { type: 'string' } } });
if (!values.data) throw new Error('--data is needed');

const looks = {
  unchanged: (value) => value,
  'gamma 0.5': (value) => 255 * (value / 255) ** 0.5,
  'gamma 2': (value) => 255 * (value / 255) ** 2,
  'half as bright': (value) => value / 2,
  'half the contrast, on grey': (value) => 64 + value / 2,
  negative: (value) => 255 - value,
};

const router = await CellClassifier.load(
  values.model ?? join(import.meta.dirname, '..', 'classifier.safetensors'),
);
const right = Object.fromEntries(Object.keys(looks).map((look) => [look, 0]));
let images = 0;
for (const folder of ['nuclei', 't98g']) {
  const data = await openDataset(join(resolve(values.data), folder), { cellTypeColumn: 'modality' });
  const types = data.cellTypes.filter((type) => router.config.classNames.includes(type));
  for (const item of data.filter({ cellTypes: types }).split({ column: 'split', values: ['val'] }).validation
    .items) {
    const { image } = await item.load();
    const { data: pixels, info } = await sharp(image)
      .removeAlpha()
      .toColourspace('srgb')
      .raw()
      .toBuffer({ resolveWithObject: true });
    for (const [look, change] of Object.entries(looks)) {
      const { width, height, channels } = info;
      const { cellType: label } = await router.classify({
        data: pixels.map(change),
        width,
        height,
        channels,
      });
      if (label === item.cellType) right[look]++;
    }
    images++;
  }
}
for (const [name, count] of Object.entries(right)) console.log(`${name}: ${count} of ${images} correct`);
await router.dispose();
