import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  CellSegmenter,
  decodeImage,
  type RawImage,
  RoutedEnsemble,
  type ScaleOptions,
  type SegmentThresholds,
} from '../../../lib/index.js';
import { evaluate } from '../../../lib/metrics.js';
import { type Dataset, type DatasetItem, openDataset, tuneEnsemble } from '../../../lib/train.js';
import { candidatesOf } from '../../../lib/tune/candidates.js';
import { segmentThresholds } from '../../../lib/tune/threshold-grid.js';
import { tuneSegmenter } from '../../../lib/tune/tune.js';
import { fewProposals, imageBytes, rejection, root, testEnsemble } from '../../support/sdk.js';

const small = ['00071198d059ba7f5914a526d124d28e6d010c92466da21d4a04cd5413362552'];
let data: Dataset;
let ensemble: RoutedEnsemble;
/** The thresholds before each test. */
let thresholds: SegmentThresholds;
beforeAll(async () => {
  data = (await openDataset(join(root, 'test/data/nuclei'), { cellTypeColumn: ['modality'] })).filter({
    ids: small,
  });
  expect(data.items).toHaveLength(1);
  ensemble = await RoutedEnsemble.load(testEnsemble);
  thresholds = { ...ensemble.thresholds.fluorescence, rpn: fewProposals };
});
beforeEach(() => ensemble.setThresholds({ fluorescence: thresholds }));
afterAll(() => ensemble.dispose());

/** The competition's metric of an ensemble, computed without candidates. */
async function kaggleScore(evaluated: RoutedEnsemble, scale?: ScaleOptions): Promise<number> {
  const images = [];
  for (const item of data.items) {
    const { image, masks } = await item.load();
    const { cells } = await evaluated.segment(image, { cellType: item.cellType!, ...scale });
    images.push({ id: item.id, groundTruth: masks, predicted: cells.masks, scores: cells.scores });
  }
  return (await evaluate(images)).kaggle.mean;
}

test('cells from candidates equal those of segment at any thresholds', async () => {
  await using segmenter = await CellSegmenter.load(join(testEnsemble, 'fluorescence.safetensors'), {
    config: { rpn: fewProposals },
  });
  const image = await decodeImage(imageBytes('medium'));
  const nmsThresholds = [0.1, 0.3, 0.6];
  const { candidates } = await candidatesOf(segmenter, image, {
    thresholds: { minScore: 0.1 },
    nmsThresholds,
  });
  for (const nmsThreshold of nmsThresholds) {
    for (const [minScore, maskThreshold, minArea, maxLost] of [
      [0.1, 0.5, 0, null],
      [0.4, 0.35, 60, 0.2],
      [0.7, 0.65, 150, 0.7],
      [0.1, 0.5, 40, 0],
      [1, 0.5, 0, null],
    ] as const) {
      const cut = { minScore, maskThreshold, nmsThreshold, minArea, maxLost };
      const { cells } = await segmenter.segment(image, segmentThresholds(cut));
      const { masks, scores, labels } = await candidates.cells(cut, {});
      expect(masks.toCoco()).toEqual(cells.masks.toCoco());
      expect(Array.from(scores)).toEqual(Array.from(cells.scores));
      expect(Array.from(labels)).toEqual(Array.from(cells.labels));
    }
  }
});

test('candidates are those of segment where limits lose cells, and where low scores are requested', async () => {
  const config = { box: { detectionsPerImage: 3 }, rpn: { preNmsTopN: 100, postNmsTopN: 40 } };
  const file = join(testEnsemble, 'fluorescence.safetensors');
  await using segmenter = await CellSegmenter.load(file, { config });
  const image = await decodeImage(imageBytes('small'));
  const nmsThreshold = 0.5;
  for (const minScore of [0.5, 0.1, 0.05]) {
    const { candidates } = await candidatesOf(segmenter, image, {
      thresholds: { minScore },
      nmsThresholds: [nmsThreshold],
    });
    const cut = { minScore, maskThreshold: 0.5, nmsThreshold, minArea: 0, maxLost: null };
    const { cells } = await segmenter.segment(image, segmentThresholds(cut));
    expect(cells.length).toBeGreaterThan(3);
    expect((await candidates.cells(cut, {})).masks.toCoco()).toEqual(cells.masks.toCoco());
  }
});

test('images that segment refuses or reports are refused or reported', async () => {
  const [item] = data.items as [DatasetItem];
  const { image, masks, labels } = await item.load();
  const decoded = await decodeImage(image);
  const config = { intensity: { kind: 'type-range' } } as const;
  const file = join(testEnsemble, 'fluorescence.safetensors');
  await using segmenter = await CellSegmenter.load(file, { config });
  const tuned = (values: RawImage['data']) => {
    const own = { ...item, load: async () => ({ image: { ...decoded, data: values }, masks, labels }) };
    const grid = {
      minScore: [0.5],
      maskThreshold: [0.5],
      nmsThreshold: [0.5],
      minArea: [0],
      maxLost: [null],
    };
    return tuneSegmenter(segmenter, [own], {}, { grid });
  };
  expect(await rejection(tuned(Float32Array.from(decoded.data, (value) => 16 * value)))).toMatchObject({
    code: 'IMAGE_UNSUPPORTED',
    message: expect.stringContaining('floats outside 0..1'),
  });
  expect((await tuned(Uint16Array.from(decoded.data, (value) => 16 * value))).notices).toEqual([
    expect.stringMatching(new RegExp(`^${item.id}: its 16-bit values use 1\\d bits`)),
  ]);
  expect((await tuned(decoded.data)).notices).toEqual([]);
});

test('an ensemble is better by what the search says, and takes its thresholds along', async () => {
  const before = await kaggleScore(ensemble);
  const stages = new Set<string>();
  const tuned = await tuneEnsemble(ensemble, data, { onProgress: ({ stage }) => stages.add(stage) });
  expect(Object.keys(tuned)).toEqual(['fluorescence']);
  const found = tuned.fluorescence!;
  expect(found.images).toBe(1);
  expect(found.before).toBeCloseTo(before, 12);
  expect(found.after).toBeGreaterThan(found.before);
  expect(ensemble.thresholds.fluorescence).toEqual(found.thresholds);
  expect(await kaggleScore(ensemble)).toBeCloseTo(found.after, 12);
  expect([...stages]).toEqual(['fluorescence: network', 'fluorescence: search', 'fluorescence: done']);

  const folder = mkdtempSync(join(tmpdir(), 'cellroute-tune-'));
  try {
    await ensemble.save(folder);
    await using again = await RoutedEnsemble.load(folder);
    expect(again.thresholds.fluorescence).toEqual(found.thresholds);
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test('thresholds are tuned for images at a scale, with areas at scale 1', async () => {
  // Most cells have between 30 and 300 pixels of the image.
  const grid = { minArea: [0, 100, 300], minScore: [0.4, 0.6], maskThreshold: [0.5], nmsThreshold: [0.5] };
  for (const scale of [0.7, 1.5]) {
    const before = await kaggleScore(ensemble, { scale });
    const { fluorescence } = await tuneEnsemble(ensemble, data, { scale, grid });
    expect(fluorescence!.before).toBeCloseTo(before, 12);
    expect(await kaggleScore(ensemble, { scale })).toBeCloseTo(fluorescence!.after, 12);
    ensemble.setThresholds({ fluorescence: { ...fluorescence!.thresholds, minArea: 300 } });
    const { fluorescence: again } = await tuneEnsemble(ensemble, data, { scale, grid });
    expect(again!.before).toBeLessThan(fluorescence!.after);
    expect(await kaggleScore(ensemble, { scale })).toBeCloseTo(again!.after, 12);
  }
});

test('uses the given values and metric', async () => {
  const grid = { minScore: [0.3], maskThreshold: [0.4], nmsThreshold: [0.3], minArea: [20], maxLost: [0.5] };
  const now = ensemble.thresholds.fluorescence ?? {};
  const { fluorescence } = await tuneEnsemble(ensemble, data, { metric: 'f1', grid });
  const { minScore, maskThreshold } = fluorescence!.thresholds;
  // The given values, and the current one.
  expect([0.3, now.minScore ?? 0.5]).toContain(minScore);
  expect([0.4, now.maskThreshold ?? 0.5]).toContain(maskThreshold);
  expect(fluorescence!.tried).toBeLessThanOrEqual(2 ** 5);
});

test('an abort leaves the thresholds as they were', async () => {
  const before = ensemble.thresholds;
  const stop = new AbortController();
  const reason = new Error('enough');
  const tuning = tuneEnsemble(ensemble, data, {
    signal: stop.signal,
    onProgress: ({ stage }) => {
      if (stage.endsWith('search')) stop.abort(reason);
    },
  });
  expect(await rejection(tuning)).toBe(reason);
  expect(ensemble.thresholds).toBe(before);
});

test('an async listener that fails stops the call and leaves the thresholds as they were', async () => {
  const before = ensemble.thresholds;
  const mistake = new Error('in the listener');
  const onProgress = async () => {
    throw mistake;
  };
  expect(await rejection(tuneEnsemble(ensemble, data, { onProgress }))).toBe(mistake);
  expect(ensemble.thresholds).toBe(before);
});

test.each([
  ['metric', { metric: 'dice' as 'f1' }],
  ['grid.minScore[1]', { grid: { minScore: [0.5, 2] } }],
  ['grid.minArea', { grid: { minArea: [] } }],
  ['grid.sharpness', { grid: { sharpness: [1] } as object }],
  ['scale', { scale: 0 }],
  ['diameter', { scale: 1, diameter: 20 }],
])('refuses %s', async (option, options) => {
  expect(await rejection(tuneEnsemble(ensemble, data, options))).toMatchObject({
    code: 'INVALID_ARGUMENT',
    details: { option },
  });
});

test('refuses images of types that it cannot segment', async () => {
  const other = (await openDataset(join(root, 'test/data/nuclei'), { cellTypeColumn: ['modality'] })).filter({
    cellTypes: ['histology'],
  });
  expect(await rejection(tuneEnsemble(ensemble, other))).toMatchObject({
    code: 'INVALID_ARGUMENT',
    details: { option: 'data' },
  });
});
