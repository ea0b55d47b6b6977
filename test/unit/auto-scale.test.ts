import { join } from 'node:path';
import sharp from 'sharp';
import { maskRCNNConfig } from '../../lib/config/mask-rcnn.js';
import { CellSegmenter } from '../../lib/index.js';
import {
  AUTO_SCALES,
  chooseScale,
  evidenceOf,
  type ProbedWindow,
  probeSide,
} from '../../lib/inference/auto-scale.js';
import { CONTRAST_BLOCKS, windowAt } from '../../lib/inference/probe-windows.js';
import { starterSegmenters } from '../../lib/inference/starter.js';
import { imageBytes, rejection, root, testEnsemble } from '../support/sdk.js';

const side = 200;
const diameter = 40;
/** `count` square boxes of a size, side by side. */
const windowOf = (count: number, size: number, score = 0.95): ProbedWindow => ({
  window: { scale: 1, x: 0, y: 0, width: side, height: side },
  boxes: Float32Array.from(
    Array.from({ length: count }, (_, i) => [i * size, 0, (i + 1) * size, size]).flat(),
  ),
  scores: new Float32Array(count).fill(score),
});
/** Windows of all scales: the same everywhere but at one. */
const probed = (scale: number, there: ProbedWindow, elsewhere: ProbedWindow) =>
  AUTO_SCALES.map((one) => (one === scale ? there : elsewhere));

describe('evidence', () => {
  test('is the share of the window that boxes of the training size cover', () => {
    // Boxes of small cells are most, so that nine tenths of the diameter are expected.
    expect(evidenceOf(windowOf(4, 36), diameter)).toBeCloseTo((4 * 36 * 36) / side ** 2, 6);
    expect(evidenceOf(windowOf(0, diameter), diameter)).toBe(0);
  });

  test('falls with the distance from the training size, in both directions, and needs high scores', () => {
    const perArea = (size: number) => evidenceOf(windowOf(1, size), diameter) / size ** 2;
    const sizes = [10, 20, 28, 36, 50, 80, 160].map(perArea);
    const best = sizes.indexOf(Math.max(...sizes));
    expect(best).toBe(3);
    for (let i = 1; i < sizes.length; i++) expect(sizes[i]! > sizes[i - 1]!).toBe(i <= best);
    expect(evidenceOf(windowOf(4, diameter, 0.6), diameter)).toBe(0);
  });
});

describe('the scale', () => {
  test.each(AUTO_SCALES)('is %d where most is found there', (scale) => {
    expect(chooseScale(probed(scale, windowOf(5, diameter), windowOf(1, diameter)), diameter)).toBe(scale);
  });

  test('is that of the training size where as much is found elsewhere in other sizes', () => {
    expect(chooseScale(probed(2, windowOf(4, 40), windowOf(16, 20)), diameter)).toBe(2);
  });

  test('is 1 where nothing is found, and the nearest to 1 of equal ones', () => {
    const same = windowOf(4, diameter);
    const none = windowOf(0, 1);
    expect(chooseScale(probed(2, none, none), diameter)).toBe(1);
    expect(chooseScale(probed(2, same, same), diameter)).toBe(1);
    expect(
      chooseScale(
        AUTO_SCALES.map((scale) => (scale < 1 ? none : same)),
        diameter,
      ),
    ).toBe(1);
    expect(
      chooseScale(
        AUTO_SCALES.map((scale) => (scale > 1 ? same : none)),
        diameter,
      ),
    ).toBe(1.4);
  });
});

test.each([
  [704, 520, 1],
  [256, 256, 2],
  [1024, 1022, 1],
  [300, 200, 1],
  [20_000, 20_000, 1],
])('windows of %d x %d pixels at factor %d show the network less than half a pass', (width, height, own) => {
  const size = probeSide({ width, height }, own);
  const contrast = new Float32Array(CONTRAST_BLOCKS ** 2);
  const pixels = AUTO_SCALES.map((scale) => windowAt(contrast, { width, height }, scale * own, size)).reduce(
    (sum, window) => sum + window.width * window.height,
    0,
  );
  // A window has to hold some cells, in small images too.
  expect(pixels).toBeLessThanOrEqual(
    Math.max(0.5 * width * height * own ** 2, AUTO_SCALES.length * 144 ** 2),
  );
});

test('a window lies where contrast is highest, and inside the image', () => {
  const contrast = new Float32Array(CONTRAST_BLOCKS ** 2);
  // Near the lower right corner.
  contrast[13 * CONTRAST_BLOCKS + 14] = 1;
  const { x, y, width, height } = windowAt(contrast, { width: 640, height: 480 }, 2, 200);
  expect([width, height]).toEqual([200, 200]);
  expect(x).toBeLessThanOrEqual((14 / 16) * 1280);
  expect(x + width).toBeGreaterThan((14 / 16) * 1280);
  expect(y).toBeLessThanOrEqual((13 / 16) * 960);
  expect(y + height).toBeGreaterThan((13 / 16) * 960);
  expect(x + width).toBeLessThanOrEqual(1280);
  expect(y + height).toBeLessThanOrEqual(960);
  // A smaller image is taken whole.
  expect(windowAt(contrast, { width: 60, height: 40 }, 1, 200)).toMatchObject({
    x: 0,
    y: 0,
    width: 60,
    height: 40,
  });
});

test('auto follows the magnification of an image, so that as many cells are found', async () => {
  const { path } = (await starterSegmenters()).find(({ type }) => type === 'histology')!;
  await using segmenter = await CellSegmenter.load(path);
  const found = [];
  for (const factor of [0.5, 1, 2]) {
    const magnified = await sharp(join(root, 'examples/images/histology.png'))
      .resize(320 * factor, 256 * factor, { fit: 'fill' })
      .png()
      .toBuffer();
    const { scale, cells } = await segmenter.segment(magnified, { scale: 'auto', minScore: 0.8 });
    found.push({ scale, count: cells.length });
  }
  const [half, whole, double] = found;
  expect(half!.scale).toBeGreaterThan(whole!.scale);
  expect(whole!.scale).toBeGreaterThan(double!.scale);
  for (const { count } of found) expect(Math.abs(count / whole!.count - 1)).toBeLessThan(0.2);
});

test('auto needs a model that knows its training diameter', async () => {
  await using unknown = await CellSegmenter.load(`${testEnsemble}/fluorescence.safetensors`);
  const error = await rejection(unknown.segment(imageBytes('small'), { scale: 'auto' }));
  expect(error).toMatchObject({ code: 'INVALID_ARGUMENT', details: { option: 'scale' } });
  expect(error.message).toContain(
    "Option scale 'auto' needs a model whose configuration has trainedOn.diameter",
  );
  expect(maskRCNNConfig().trainedOn.diameter).toBeNull();
});
