import { readFileSync } from 'node:fs';
import { withoutLosses } from '../../lib/inference/raise-limits.js';
import { CellSegmenter } from '../../lib/inference/segmenter.js';
import type { NativeSegmentation, NativeSegmentOptions } from '../../lib/native/contract.js';
import { image, root } from '../support/sdk.js';

describe('limits that lose cells', () => {
  const limits = { detectionsPerImage: 100, rpnPreNmsTopN: 300, rpnPostNmsTopN: 200 } as NativeSegmentOptions;

  /** A network that sees so many cells, and the limits of each pass over the image. */
  async function passes(cells: number, { proposals = false } = {}) {
    const asked: number[][] = [];
    const found = await withoutLosses(limits, async (options) => {
      const { detectionsPerImage, rpnPreNmsTopN, rpnPostNmsTopN } = options;
      asked.push([detectionsPerImage, rpnPreNmsTopN, rpnPostNmsTopN]);
      const kept = Math.min(cells, detectionsPerImage);
      return {
        scores: new Float32Array(kept),
        boxes: new Float32Array(4 * kept),
        detectionsCapped: cells > detectionsPerImage,
        proposalsCapped: proposals && rpnPostNmsTopN < 800,
      } as NativeSegmentation;
    });
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
