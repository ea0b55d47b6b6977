import { maskRCNNConfig } from '../../../lib/config/mask-rcnn.js';
import { Dataset } from '../../../lib/data/dataset.js';
import { cellSizes } from '../../../lib/data/diameters.js';
import { SegmentLoader } from '../../../lib/data/loader.js';
import { openDataset } from '../../../lib/data/open.js';
import { CellSegmenter } from '../../../lib/inference/segmenter.js';
import { segmenterTraining } from '../../../lib/trainer/config.js';
import { segmenterNetworkConfig } from '../../../lib/trainer/network-config.js';
import { SegmenterTrainer } from '../../../lib/trainer/segmenter-trainer.js';
import { predictImages } from '../../../lib/tune/search.js';
import { ThresholdGrid } from '../../../lib/tune/threshold-grid.js';
import { rejection, testEnsemble } from '../../support/sdk.js';
import { syntheticData, tinySegmenter } from '../../support/synthetic.js';
import { runFolders } from '../../support/training.js';

const folder = runFolders();
let path: string;
let plain: Dataset;
let doubled: Dataset;
beforeAll(async () => {
  path = await syntheticData(folder('data'), 4);
  plain = await openDataset(path);
  doubled = await openDataset(path, { scale: 2 });
});

test('a scale is kept where data sets are filtered and joined, and is part of the fingerprint', async () => {
  expect(plain.items.map(({ scale }) => scale)).toEqual([undefined, undefined, undefined, undefined]);
  expect(doubled.items.map(({ scale }) => scale)).toEqual([2, 2, 2, 2]);
  const joined = Dataset.join({ doubled, plain }).filter({ cellTypes: ['round'] });
  expect(joined.items.map(({ id, scale }) => [id.split('/')[0], scale])).toEqual([
    ['doubled', 2],
    ['doubled', 2],
    ['plain', undefined],
    ['plain', undefined],
  ]);
  expect(await doubled.fingerprint()).not.toBe(await plain.fingerprint());
});

test('training samples are larger by the scale, and so are the cells that a network is trained on', async () => {
  const { intensity } = maskRCNNConfig();
  const options = { batchSize: 4, shuffle: false, seed: 1, intensity, transforms: [] };
  const samplesOf = async (data: Dataset) => {
    for await (const { samples } of new SegmentLoader(data, options).batches(0)) return samples;
    throw new Error('no batch');
  };
  const [own, large] = [await samplesOf(plain), await samplesOf(doubled)];
  for (const [i, { width, height, masks }] of large.entries()) {
    expect([width, height]).toEqual([2 * own[i]!.width, 2 * own[i]!.height]);
    expect([masks.width, masks.height]).toEqual([width, height]);
  }
  const config = segmenterTraining({ network: tinySegmenter });
  const diameterOf = async (data: Dataset) =>
    (await segmenterNetworkConfig(config, data)).trainedOn.diameter!;
  expect((await diameterOf(doubled)) / (await diameterOf(plain))).toBeCloseTo(2, 2);
  expect(await diameterOf(plain)).toBeCloseTo((await cellSizes(plain.items))!.diameter, 1);
});

test('a segmenter sees the images of a data set at their scale, unless another is passed', async () => {
  await using segmenter = await CellSegmenter.load(`${testEnsemble}/fluorescence.safetensors`);
  const axes = new ThresholdGrid({}, segmenter.config, {});
  const scalesOf = async (data: Dataset, scale?: number) => {
    const options = { axes, now: {}, ...(scale !== undefined && { scale: { scale } }) };
    return (await predictImages(segmenter, data.items.slice(0, 1), options)).map((one) => one.scale);
  };
  expect(await scalesOf(plain)).toEqual([1]);
  expect(await scalesOf(doubled)).toEqual([2]);
  expect(await scalesOf(doubled, 0.5)).toEqual([0.5]);
});

test.each<[string, object, string]>([
  ['out of range', { scale: 0.01 }, 'from 0.05 to 20'],
  ['that a model has to decide', { scale: 'auto' }, 'auto'],
])('refuses a scale %s', async (_, options, words) => {
  const error = await rejection(openDataset(path, options));
  expect(error).toMatchObject({ code: 'INVALID_ARGUMENT', details: { option: 'scale' } });
  expect(error.message).toContain(words);
});

test('training refuses a scale that the resize of the network would undo', async () => {
  const network = { ...tinySegmenter, resize: { minSize: 64, maxSize: 64, scale: null } };
  const run = async (config: object) => {
    const trainer = new SegmenterTrainer({
      data: doubled,
      folder: folder(`run-${Object.keys(config).length}`),
      config: { network, epochs: 1, logs: { tensorboard: false }, ...config },
    });
    const kinds = new Set<string>();
    for await (const { kind } of trainer.run()) kinds.add(kind);
    return kinds;
  };
  expect(await rejection(run({}))).toMatchObject({
    code: 'INVALID_ARGUMENT',
    details: { option: 'data' },
    message: expect.stringContaining('a resize to minSize undoes a scale'),
  });
  expect(await run({ resizeSamples: false })).toContain('stop');
});
