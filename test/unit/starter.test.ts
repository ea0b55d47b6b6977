import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { RoutedEnsemble } from '../../lib/index.js';
import { evaluate } from '../../lib/metrics.js';
import { openDataset } from '../../lib/train.js';
import { root } from '../support/sdk.js';

// The starter ensemble of the package on its example images.

const images = join(root, 'examples/images');
let ensemble: RoutedEnsemble;
beforeAll(async () => {
  ensemble = await RoutedEnsemble.load();
});
afterAll(() => ensemble.dispose());

test('has a segmenter for every type of its router', () => {
  const types = ['fluorescence', 'histology', 'phase-contrast'];
  expect(ensemble.cellTypes).toEqual(types);
  for (const type of types) expect(ensemble.segmenters[type]).not.toBeNull();
});

test('has the documented size', () => {
  const folder = join(root, 'models/starter');
  for (const file of readdirSync(folder).filter((name) => name.endsWith('.safetensors')))
    expect(statSync(join(folder, file)).size).toBeLessThan(file === 'classifier.safetensors' ? 6e6 : 12e6);
});

test.each([
  ['fluorescence-small-crowded.png', 'fluorescence', 65],
  ['fluorescence-large.png', 'fluorescence', 29],
  ['fluorescence-sparse.png', 'fluorescence', 23],
  ['fluorescence-crowded.png', 'fluorescence', 258],
  ['histology.png', 'histology', 55],
])('%s is %s, and about %i cells are found', async (name, type, cells) => {
  const found = await ensemble.segment(readFileSync(join(images, name)));
  expect(found.cellType).toBe(type);
  expect(Math.abs(found.cells.length - cells)).toBeLessThan(0.25 * cells);
});

test('phase-contrast.png is phase-contrast, and cells are found', async () => {
  const found = await ensemble.segment(readFileSync(join(images, 'phase-contrast.png')));
  expect(found.cellType).toBe('phase-contrast');
  expect(found.cells.length).toBeGreaterThan(20);
});

test('finds nuclei of images that were not used for training', async () => {
  const { validation } = (
    await openDataset(join(root, 'test/data/nuclei'), { cellTypeColumn: 'modality' })
  ).split({
    column: 'split',
    values: ['val'],
  });
  const evaluated = [];
  for (const item of validation.items) {
    const { image, masks } = await item.load();
    const { cells, cellType } = await ensemble.segment(image);
    expect(cellType).toBe(item.cellType);
    evaluated.push({ id: item.id, groundTruth: masks, predicted: cells.masks, scores: cells.scores });
  }
  expect(validation.cellTypes).toEqual(['fluorescence', 'histology']);
  const { perImage } = await evaluate(evaluated);
  for (const { kaggle } of perImage) expect(kaggle).toBeGreaterThan(0.3);
});
