import { join } from 'node:path';
import sharp from 'sharp';
import { maskRCNNConfig } from '../../lib/config/mask-rcnn.js';
import { CellSegmenter, decodeImage, planSlide, type RawImage, type Slide } from '../../lib/index.js';
import {
  decideScale,
  evidenceOf,
  PROBED_SCALES,
  type ProbedScale,
  type ProbedWindow,
  probeSide,
  type ScaleEvidence,
} from '../../lib/inference/auto-scale.js';
import { CONTRAST_BLOCKS, windowAt } from '../../lib/inference/probe-windows.js';
import { starterSegmenters } from '../../lib/inference/starter.js';
import { imageBytes, rejection, root, testEnsemble } from '../support/sdk.js';

const diameter = 40;
/** Boxes of these sides and scores. */
const windowOf = (...boxes: [side: number, score: number][]): ProbedWindow => ({
  window: { scale: 1, x: 0, y: 0, width: 200, height: 200 },
  boxes: Float32Array.from(boxes.flatMap(([side]) => [5, 10, 5 + side, 10 + side])),
  scores: Float32Array.from(boxes, ([, score]) => score),
});

test('evidence counts candidates and certain boxes, whose median side is the size', () => {
  const windows = [windowOf([20, 0.95], [44, 0.92], [300, 0.5]), windowOf([60, 0.99], [2, 0.05], [70, 0.1])];
  expect(evidenceOf(windows, diameter)).toEqual({
    // float32 0.1 is larger than 0.1.
    candidates: 5,
    certain: 3,
    size: 44 / diameter,
  });
  expect(evidenceOf([windowOf([20, 0.95], [44, 0.92])], diameter).size).toBe(32 / diameter);
  expect(evidenceOf([windowOf([20, 0.8])], diameter)).toEqual({
    candidates: 1,
    certain: 0,
    size: Number.NaN,
  });
  expect(evidenceOf([], diameter)).toEqual({ candidates: 0, certain: 0, size: Number.NaN });
});

describe('the scale', () => {
  const sure = (size: number): ScaleEvidence => ({ candidates: 30, certain: 15, size });
  const unsure: ScaleEvidence = { candidates: 30, certain: 4, size: 1 };
  const nothing: ScaleEvidence = { candidates: 0, certain: 0, size: Number.NaN };

  /** The decision, and the scales that were looked at. */
  async function decided(found: Partial<Record<ProbedScale, ScaleEvidence>>) {
    const looked: number[] = [];
    const scale = await decideScale(async (one) => {
      looked.push(one);
      return found[one]!;
    });
    return { scale, looked };
  }

  test.each([
    [0.2, 4],
    [0.3, 3],
    [0.6, 1.5],
    [0.76, 1],
    [1, 1],
    [1.8, 1],
    [3, 0.5],
    [10, 0.35],
  ])(
    'follows from the size of the cells where the network is sure: size %d, scale %d',
    async (size, scale) => {
      const found = await decided({ 1: sure(size) });
      expect(found.scale).toBeCloseTo(scale, 9);
      expect(found.looked).toEqual([1]);
    },
  );

  test('is the first whose detections are trusted, or larger than all of them', async () => {
    expect(await decided({ 1: unsure, 0.5: sure(1) })).toEqual({ scale: 0.5, looked: [1, 0.5] });
    expect(await decided({ 1: unsure, 0.5: nothing, 2: sure(1) })).toEqual({ scale: 2, looked: [1, 0.5, 2] });
    expect((await decided({ 1: nothing, 0.5: unsure, 2: unsure })).scale).toBe(2.8);
  });

  test('is 1 where nothing is found', async () => {
    expect((await decided({ 1: nothing, 0.5: nothing, 2: nothing })).scale).toBe(1);
  });

  test('at half the scale needs more evidence than at the others', async () => {
    const weak: ScaleEvidence = { candidates: 7, certain: 2, size: 1 };
    expect((await decided({ 1: weak })).scale).toBe(1);
    expect((await decided({ 1: unsure, 0.5: weak, 2: weak })).scale).toBe(2);
  });
});

test.each([
  [704, 520, 1],
  [256, 256, 2],
  [1024, 1022, 1],
  [300, 200, 1],
  [20_000, 20_000, 1],
])(
  'the windows of %d x %d pixels at factor %d have less than half the pixels of a pass',
  (width, height, own) => {
    const contrast = new Float32Array(CONTRAST_BLOCKS ** 2);
    const pixels = PROBED_SCALES.map((scale) => {
      const side = probeSide({ width, height }, own, scale, 32);
      expect(side % 32).toBe(0);
      const window = windowAt(contrast, { width, height }, scale * own, side);
      return window.width * window.height;
    }).reduce((sum, one) => sum + one, 0);
    // A window has to hold some cells, in small images too.
    expect(pixels).toBeLessThanOrEqual(Math.max(0.5 * width * height * own ** 2, 3 * 128 ** 2));
  },
);

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

describe('in images of the repository', () => {
  let segmenter: CellSegmenter;
  beforeAll(async () => {
    const { path } = (await starterSegmenters()).find(({ type }) => type === 'histology')!;
    segmenter = await CellSegmenter.load(path);
  });
  afterAll(() => segmenter.dispose());

  async function magnified(factor: number): Promise<RawImage> {
    const png = await sharp(join(root, 'examples/images/histology.png'))
      .resize(Math.round(320 * factor), Math.round(256 * factor), { fit: 'fill' })
      .png()
      .toBuffer();
    return decodeImage(png);
  }

  test('auto finds as many cells in magnified images, at a scale that the cells need', async () => {
    const found = [];
    for (const factor of [0.35, 0.5, 1, 1.5, 3.5]) {
      const { scale, cells } = await segmenter.segment(await magnified(factor), {
        scale: 'auto',
        minScore: 0.8,
      });
      found.push({ factor, scale, count: cells.length });
    }
    const own = found.find(({ factor }) => factor === 1)!;
    expect(own.scale).toBe(1);
    for (const { factor, scale, count } of found) {
      // As large as the network knows them, from 0.7 to 2 times.
      expect(factor * scale).toBeGreaterThan(0.7);
      expect(factor * scale).toBeLessThan(2);
      expect(Math.abs(count / own.count - 1)).toBeLessThan(0.25);
    }
  });

  test('auto decides the scale of a slide by some windows of the level', async () => {
    const tile = await magnified(0.4);
    // Larger than what is looked at as a whole; tissue in one corner of an empty slide.
    const side = 2200;
    const read: object[] = [];
    const slide: Slide = {
      width: side,
      height: side,
      levels: [{ width: side, height: side, downsample: 1 }],
      channels: [''],
      async read({ x, y, width, height }) {
        read.push([width, height]);
        const { channels } = tile;
        const data = new Uint8Array(width * height * channels).fill(240);
        for (let row = 0; row < height; row++) {
          for (let column = 0; column < width; column++) {
            const [left, top] = [x + column, y + row];
            if (left > side / 2 || top > side / 2) continue;
            const from = ((top % tile.height) * tile.width + (left % tile.width)) * channels;
            const to = (row * width + column) * channels;
            for (let c = 0; c < channels; c++) data[to + c] = tile.data[from + c]!;
          }
        }
        return { data, width, height, channels };
      },
      async close() {},
    };
    const { scale } = await planSlide(segmenter, slide, { scale: 'auto' });
    expect(scale).toBeGreaterThan(1.5);
    expect(scale).toBeLessThan(3.5);
    expect(read).toContainEqual([512, 512]);
    // A level is a separate image.
    const half = { width: side / 2, height: side / 2, downsample: 2 };
    const levels: Slide = { ...slide, levels: [...slide.levels, half] };
    expect((await planSlide(segmenter, levels, { scale: 'auto', level: 1 })).level).toBe(1);
    expect((await planSlide(segmenter, slide, { scale: 2 })).scale).toBe(2);
  });
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
