import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { openDataset } from '../../lib/data/open.js';
import { decodeImage } from '../../lib/image/decode.js';
import { lossesOf, segmentWithinLimits, withoutLosses } from '../../lib/inference/raise-limits.js';
import { CellSegmenter } from '../../lib/inference/segmenter.js';
import { Masks } from '../../lib/mask/masks.js';
import type { NativeSegmentation, NativeSegmentOptions } from '../../lib/native/contract.js';
import { image, root } from '../support/sdk.js';

describe('limits that lose cells', () => {
  const limits = {
    ...{ detectionsPerImage: 100, rpnPreNmsTopN: 300, rpnPostNmsTopN: 200 },
    scoreThreshold: 0.5,
  } as NativeSegmentOptions;

  /** A network that sees so many cells besides so much of what scores 0.05, and the limits of each pass. */
  async function passes(cells: number, { proposals = false, clutter = 0, minScore = 0.5 } = {}) {
    const asked: number[][] = [];
    const all = Float32Array.from({ length: cells + clutter }, (_, i) => (i < cells ? 0.9 : 0.05));
    const run = async ({ detectionsPerImage, rpnPreNmsTopN, rpnPostNmsTopN }: NativeSegmentOptions) => {
      asked.push([detectionsPerImage, rpnPreNmsTopN, rpnPostNmsTopN]);
      const scores = all.slice(0, detectionsPerImage);
      return {
        scores,
        boxes: new Float32Array(4 * scores.length),
        detectionsCapped: all.length > detectionsPerImage,
        proposalsCapped: proposals && rpnPostNmsTopN < 800,
      } as NativeSegmentation;
    };
    const { found } = await withoutLosses({ ...limits, scoreThreshold: minScore }, run, lossesOf);
    return { asked, cells: found.scores.length };
  }

  test('that are not reached need one pass', async () => {
    expect(await passes(100)).toEqual({ asked: [[100, 300, 200]], cells: 100 });
  });

  test('of detections are raised until all cells are found', async () => {
    const { asked, cells } = await passes(1300);
    expect(cells).toBe(1300);
    expect(asked).toEqual([
      [100, 300, 200],
      [400, 1200, 800],
      [1600, 4800, 3200],
    ]);
  });

  test('of calls for low scores are raised for cells, and not for clutter', async () => {
    const low = { minScore: 0.05 };
    expect((await passes(60, { ...low, clutter: 1000 })).asked).toHaveLength(1);
    expect((await passes(99, { ...low, clutter: 1000 })).asked).toHaveLength(1);
    expect(await passes(150, { ...low, clutter: 1000 })).toMatchObject({ cells: 400 });
    expect(await passes(410, { ...low, clutter: 10 })).toMatchObject({ cells: 420 });
  });

  test('of proposals are raised where there are many cells, and not where most proposals are of none', async () => {
    expect((await passes(60, { proposals: true })).asked).toHaveLength(2);
    expect((await passes(10, { proposals: true })).asked).toHaveLength(1);
  });

  test('of proposals are reported where cells may be lost, and not where most proposals are of none', async () => {
    const reported = async (cells: number, raises: boolean) => {
      const run = async () => ({
        scores: Array<number>(cells).fill(0.9),
        detectionsCapped: false,
        proposalsCapped: true,
      });
      return (await segmentWithinLimits({ ...limits, scoreThreshold: 0.5 }, run, { raises })).proposalsCapped;
    };
    expect(await reported(10, true)).toBe(false);
    expect(await reported(10, false)).toBe(false);
    expect(await reported(60, false)).toBe(true);
    // Enough proposals after one pass with four times the limit.
    expect(await reported(60, true)).toBe(false);
  });
});

describe('a network whose limits are far below the cells of an image', () => {
  const weights = `${root}/test/ensemble/fluorescence.safetensors`;
  const bytes = readFileSync(image.small);
  const few = { box: { detectionsPerImage: 2 }, rpn: { postNmsTopN: 40 } };

  test('finds the same cells as with limits that are not reached', async () => {
    await using wide = await CellSegmenter.load(weights);
    await using narrow = await CellSegmenter.load(weights, { config: few });
    const all = await wide.segment(bytes);
    const found = await narrow.segment(bytes);
    expect(all.cells.length).toBeGreaterThan(2);
    expect(found.limitsReached.detections).toBe(false);
    expect(found.cells.masks.toCoco()).toEqual(all.cells.masks.toCoco());
    // Limits of the caller are kept.
    expect((await narrow.segment(bytes, { tiles: false })).cells.length).toBe(2);
    expect((await narrow.segment(bytes, { detectionsPerImage: 3 })).cells.length).toBe(3);
  });
});

/** A small image and its ground truth, so many times beside and below each other. */
async function repeated(times: number) {
  const [item] = (await openDataset(join(root, 'test/data/nuclei'))).items;
  const { image: bytes, masks } = await item!.load();
  const { data, width, height, channels } = await decodeImage(bytes);
  const labels = masks.toLabels();
  const side = times * width;
  const at = (i: number) => Math.floor((i / side) % height) * width + (i % width);
  const count = side * times * height;
  const tile = (i: number) => Math.floor(i / side / height) * times + Math.floor((i % side) / width);
  const all = Uint32Array.from({ length: count }, (_, i) => {
    const label = labels[at(i)]!;
    return label === 0 ? 0 : label + tile(i) * masks.length;
  });
  const size = { width: side, height: times * height };
  return {
    image: {
      ...size,
      channels: 1 as const,
      data: Uint8Array.from({ length: count }, (_, i) => data[at(i) * channels]!),
    },
    groundTruth: Masks.fromLabels(all, size).masks,
  };
}

test('a dense image of 512 pixels loses no cells to small limits, with any tiles', async () => {
  const weights = `${root}/test/ensemble/fluorescence.safetensors`;
  const { image: dense, groundTruth } = await repeated(2);
  await using wide = await CellSegmenter.load(weights, { config: { box: { detectionsPerImage: 2000 } } });
  await using narrow = await CellSegmenter.load(weights, {
    config: { box: { detectionsPerImage: 10 }, rpn: { preNmsTopN: 200, postNmsTopN: 100 } },
  });
  const options = { minScore: 0.5 };
  const all = await wide.segment(dense, options);
  expect(all.limitsReached.detections).toBe(false);
  expect(all.cells.length).toBeGreaterThan(0.6 * groundTruth.length);
  const recall = (masks: Masks) => {
    const iou = groundTruth.iou(masks);
    const best = (i: number) => Math.max(0, ...iou.subarray(i * masks.length, (i + 1) * masks.length));
    return (
      Array.from({ length: groundTruth.length }, (_, i) => best(i)).filter((one) => one >= 0.5).length /
      groundTruth.length
    );
  };
  for (const tiles of [undefined, { size: 256 }, { size: 300, overlap: 100 }]) {
    const found = await narrow.segment(dense, { ...options, ...(tiles && { tiles }) });
    expect(found.limitsReached.detections).toBe(false);
    expect(recall(found.cells.masks)).toBeGreaterThan(recall(all.cells.masks) - 0.05);
  }
  expect((await narrow.segment(dense, { ...options, tiles: false })).cells.length).toBe(10);
});
