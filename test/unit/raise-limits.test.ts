import { readFileSync } from 'node:fs';
import { lossesOf, withoutLosses } from '../../lib/inference/raise-limits.js';
import { CellSegmenter } from '../../lib/inference/segmenter.js';
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
    const found = await withoutLosses({ ...limits, scoreThreshold: minScore }, run, lossesOf);
    return { asked, cells: found.scores.length };
  }

  test('that are not reached: one pass', async () => {
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
});

describe('a network whose limits are far below the cells of an image', () => {
  const weights = `${root}/test/ensemble/fluorescence.safetensors`;
  const bytes = readFileSync(image.small);
  const few = { box: { detectionsPerImage: 2 }, rpn: { postNmsTopN: 40 } };

  test('finds what it finds with limits that nothing reaches', async () => {
    await using wide = await CellSegmenter.load(weights);
    await using narrow = await CellSegmenter.load(weights, { config: few });
    const all = await wide.segment(bytes);
    const found = await narrow.segment(bytes);
    expect(all.cells.length).toBeGreaterThan(2);
    expect(found.limitsReached.detections).toBe(false);
    expect(found.cells.masks.toCoco()).toEqual(all.cells.masks.toCoco());
    // Asked for, the limits hold.
    expect((await narrow.segment(bytes, { tiles: false })).cells.length).toBe(2);
    expect((await narrow.segment(bytes, { detectionsPerImage: 3 })).cells.length).toBe(3);
  });
});
