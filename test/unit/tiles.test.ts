import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  CellSegmenter,
  type Cells,
  decodeImage,
  maskRCNNConfig,
  type RawImage,
  RoutedEnsemble,
  resultJson,
  type Seams,
  type Segmentation,
} from '../../lib/index.js';
import { checkTiles, tilingOf } from '../../lib/inference/tiles.js';
import { fewProposals, imageBytes, rejection, root, testEnsemble, thrown } from '../support/sdk.js';
import { cropOf } from '../support/slide.js';

let segmenter: CellSegmenter;
beforeAll(async () => {
  segmenter = await CellSegmenter.load(weights);
});
afterAll(async () => {
  await segmenter.dispose();
});

const weights = `${testEnsemble}/fluorescence.safetensors`;
const tiles = { size: 256, overlap: 128 };

/** A part of an image of many nuclei. */
async function crowded(width: number, height: number): Promise<RawImage> {
  const whole = await decodeImage(readFileSync(join(root, 'examples/images/fluorescence-crowded.png')));
  const data = Uint8Array.from(cropOf(whole, { x: 100, y: 60, width, height }, [0]));
  return { data, width, height, channels: 1 };
}
// High enough that nothing is dropped: limits apply per tile, so tiles would otherwise find more than one pass.
const rpn = { preNmsTopN: 2000, postNmsTopN: 2000 };

/** Indices of the cells with a seam through their box. */
const crossing = (cells: Cells, { x, y }: Seams) =>
  Array.from(cells).flatMap(({ index, box: { x1, y1, x2, y2 } }) =>
    x.some((at) => x1 < at && at < x2) || y.some((at) => y1 < at && at < y2) ? [index] : [],
  );

const without = (length: number, some: readonly number[]) =>
  Array.from({ length }, (_, i) => i).filter((i) => !some.includes(i));

describe('an image in tiles', () => {
  let image: RawImage;
  let whole: Segmentation;
  let tiled: Segmentation;
  beforeAll(async () => {
    // About 90 nuclei.
    image = await crowded(448, 288);
    whole = await segmenter.segment(image, { rpn, tiles: false });
    tiled = await segmenter.segment(image, { rpn, tiles });
  });

  test('has the seams of its tiles, and lists the cells on them', () => {
    expect(whole.seams).toBeUndefined();
    // No more tiles than of 256 pixels, as small as they can be: 256 pixels at 0, 128 and 192, and 224 at 0 and 64.
    expect(tiled.seams!.x).toEqual([192, 288]);
    expect(tiled.seams!.y).toEqual([144]);
    expect(tiled.seams!.cells).toEqual(crossing(tiled.cells, tiled.seams!));
    expect(tiled.seams!.cells.length).toBeGreaterThan(10);
  });

  test('has the same cells as in one pass, except on seams', () => {
    const seams = tiled.seams!;
    const ious = tiled.cells.masks.iou(whole.cells.masks);
    const iou = (a: number, b: number) => ious[a * whole.cells.length + b]!;
    const ours = without(tiled.cells.length, seams.cells);
    const theirs = without(whole.cells.length, crossing(whole.cells, seams));
    expect(ours.length).toBeGreaterThan(60);
    // A cell near the score threshold may differ, and a box that ends at a seam may be on its other side.
    const sure = (cells: Cells, i: number) => cells.scores[i]! > 0.6;
    const lost = theirs.filter(
      (b) => sure(whole.cells, b) && !Array.from(tiled.cells, (_, a) => iou(a, b)).some((v) => v > 0.8),
    );
    const added = ours.filter(
      (a) => sure(tiled.cells, a) && !Array.from(whole.cells, (_, b) => iou(a, b)).some((v) => v > 0.8),
    );
    expect({ lost, added }).toEqual({ lost: [], added: [] });
  });

  test('has each cell once, also on seams', () => {
    // A network may see one thing as two cells, whose boxes differ more than their masks do.
    const alike = ({ length, masks }: Cells) => {
      const above = masks.iou(masks).filter((iou) => iou > 0.5);
      return (above.length - length) / 2;
    };
    expect(alike(tiled.cells)).toBeLessThanOrEqual(alike(whole.cells) + 1);
    expect(Math.abs(tiled.cells.length - whole.cells.length)).toBeLessThan(0.03 * whole.cells.length);
  });

  test('removes overlaps over the whole image', async () => {
    const { cells } = await segmenter.segment(image, {
      tiles,
      rpn: fewProposals,
      removeOverlaps: { maxLost: 1 },
    });
    const taken = new Uint8Array(image.width * image.height);
    for (let i = 0; i < cells.length; i++) {
      cells.masks.decode(i).forEach((inside, pixel) => {
        taken[pixel]! += inside;
      });
    }
    expect(taken.reduce((most, times) => Math.max(most, times))).toBe(1);
  });

  test('a given limit applies to the whole image; the model’s own limit loses no cells', async () => {
    const limited = await segmenter.segment(image, {
      tiles,
      rpn: fewProposals,
      detectionsPerImage: 20,
    });
    expect(limited.cells.length).toBe(20);
    expect(limited.limitsReached.detections).toBe(true);
    const config = { box: { detectionsPerImage: 10 }, rpn: fewProposals };
    await using few = await CellSegmenter.load(weights, { config });
    const raised = await few.segment(image, { tiles });
    expect(tiled.cells.length).toBeGreaterThan(60);
    // The limits of proposals are raised too, so a cell more or less may be found.
    const most = Math.max(raised.cells.length, tiled.cells.length);
    const common = raised.cells.masks.iou(tiled.cells.masks).filter((iou) => iou > 0.5).length;
    expect(common).toBeGreaterThan(0.97 * most);
    expect(raised.limitsReached.detections).toBe(false);
  });

  test('is exported with its seams', () => {
    const written = JSON.parse(resultJson(tiled)) as { seams: Seams };
    expect(written.seams).toEqual(tiled.seams);
    expect(JSON.parse(resultJson(whole))).not.toHaveProperty('seams');
  });
});

test('intensities are scaled over the whole image', async () => {
  const { data, width, height, channels } = await crowded(288, 224);
  const options = { tiles: { size: 160, overlap: 64 }, rpn: fewProposals };
  // A few bright pixels in a corner dim the rest of the image for a network that scales by the brightest.
  const dimmed = data.slice() as Uint8Array;
  dimmed.fill(255, 0, 8 * channels);
  const image = { data: dimmed, width, height, channels };
  const scaled = Uint16Array.from(dimmed, (value) => value * 257);
  const low = dimmed.reduce((least, value) => Math.min(least, value));
  const floats = Float32Array.from(dimmed, (value) => (value - low) / (255 - low));
  const byMinMax = await segmenter.segment(image, options);
  const sixteen = await segmenter.segment({ ...image, data: scaled }, options);
  await using plain = await CellSegmenter.load(weights, {
    config: { intensity: { kind: 'type-range' } },
  });
  const before = await plain.segment({ ...image, data: floats }, options);
  expect(byMinMax.cells.length).toBeGreaterThan(20);
  for (const other of [sixteen, before]) {
    expect(other.cells.length).toBe(byMinMax.cells.length);
    for (const [i, score] of other.cells.scores.entries()) {
      expect(score).toBeCloseTo(byMinMax.cells.scores[i]!, 3);
    }
  }
});

describe('abort and progress', () => {
  test('a signal that is aborted between tiles rejects with its reason, and the next call works', async () => {
    const stop = new AbortController();
    const reason = new Error('enough');
    const stages: string[] = [];
    const onProgress = ({ stage }: { stage: string }) => {
      stages.push(stage);
      // Reports are at least 50 ms apart, so that a quick tile may have none.
      if (/^tile [2-5] /.test(stage)) stop.abort(reason);
    };
    const options = { tiles: { size: 384 }, signal: stop.signal, onProgress };
    await expect(segmenter.segment(imageBytes('large'), options)).rejects.toBe(reason);
    const tileOf = (stage: string) => Number(/^tile (\d)/.exec(stage)?.[1]);
    const stopped = tileOf(stages.find((stage) => tileOf(stage) >= 2)!);
    expect(stages.filter((stage) => tileOf(stage) > stopped + 1 || /seams|done/.test(stage))).toEqual([]);
    expect((await segmenter.segment(imageBytes('small'))).cells.length).toBeGreaterThan(0);
  });

  test('progress names the tile, and increases to 1', async () => {
    const seen: { stage: string; fraction: number }[] = [];
    await segmenter.segment(imageBytes('medium'), {
      tiles: { size: 256 },
      onProgress: (one) => seen.push(one),
    });
    const fractions = seen.map(({ fraction }) => fraction);
    expect(fractions).toEqual(fractions.toSorted((a, b) => a - b));
    expect(seen.at(-1)).toEqual({ stage: 'done', fraction: 1 });
    expect(seen.some(({ stage }) => /^tile [1-4] of 4$/.test(stage))).toBe(true);
  });

  test('progress rises where tiles are segmented again with higher limits', async () => {
    const config = { box: { detectionsPerImage: 2 }, rpn: { preNmsTopN: 100, postNmsTopN: 100 } };
    await using few = await CellSegmenter.load(weights, { config });
    const fractions: number[] = [];
    const onProgress = ({ fraction }: { fraction: number }) => void fractions.push(fraction);
    await few.segment(imageBytes('small'), { tiles: { size: 160 }, onProgress });
    expect(fractions).toEqual(fractions.toSorted((a, b) => a - b));
    expect(fractions.at(-1)).toBe(1);
  });
});

describe('tiling of an image', () => {
  const byShorterSide = maskRCNNConfig();
  const unresized = maskRCNNConfig({ resize: null });

  test('auto does not cut images of up to 2048 x 2048 pixels', () => {
    expect(tilingOf(unresized, { width: 2048, height: 2048 })).toBeNull();
    expect(tilingOf(byShorterSide, { width: 1024, height: 4096 }, 'auto')).toBeNull();
    expect(tilingOf(unresized, { width: 2048, height: 2049 })).toEqual({
      scale: 1,
      size: 1024,
      overlap: 128,
      limit: null,
    });
    expect(tilingOf(byShorterSide, { width: 10_000, height: 10_000 })).toEqual({
      scale: 1,
      size: 800,
      overlap: 128,
      limit: null,
    });
  });

  test('false never cuts, a size always does', () => {
    expect(tilingOf(unresized, { width: 10_000, height: 10_000 }, false)).toBeNull();
    expect(tilingOf(unresized, { width: 10, height: 10 }, { size: 300 })).toEqual({
      scale: 1,
      size: 300,
      overlap: 75,
      limit: null,
    });
  });

  test('a network that resizes by the shorter side resizes a tile like a square image', () => {
    const tiling = tilingOf(byShorterSide, { width: 3000, height: 2000 }, { size: 520, overlap: 130 }, 7);
    expect(tiling).toEqual({ scale: 800 / 520, size: 800, overlap: 200, limit: 7 });
  });

  test('a network with a scale applies it to tiles, and auto uses the scaled size', () => {
    const enlarging = maskRCNNConfig({ resize: { scale: 2 } });
    expect(tilingOf(enlarging, { width: 1024, height: 1024 })).toBeNull();
    const tiling = { scale: 2, size: 1024, overlap: 256, limit: null };
    expect(tilingOf(enlarging, { width: 1024, height: 1025 })).toEqual(tiling);
    const shrinking = maskRCNNConfig({ resize: { scale: 0.25 } });
    expect(tilingOf(shrinking, { width: 3000, height: 3000 })).toEqual({
      scale: 0.25,
      size: 1024,
      overlap: 32,
      limit: null,
    });
    expect(tilingOf(shrinking, { width: 500, height: 500 }, { size: 256, overlap: 0 })).toMatchObject({
      scale: 0.25,
      size: 64,
      overlap: 0,
    });
  });

  test.each([
    ['an unknown word', 'on', 'tiles', /'auto', false or \{size, overlap\}/],
    ['true', true, 'tiles', /true \(boolean\)/],
    ['null', null, 'tiles', /null/],
    ['no size', { overlap: 10 }, 'tiles.size', /from 64 to 65536/],
    ['a size below what networks see', { size: 63 }, 'tiles.size', /63 \(number\)/],
    ['half a pixel', { size: 100.5 }, 'tiles.size', /an integer/],
    ['more than half of it shared', { size: 128, overlap: 65 }, 'tiles.overlap', /from 0 to 64/],
    ['a misspelt part', { size: 128, overlapp: 5 }, 'tiles.overlapp', /did you mean overlap/],
  ])('%s is refused', (_, given, option, message) => {
    const error = thrown(() => checkTiles(given));
    expect(error.code).toBe('INVALID_ARGUMENT');
    expect(error.details?.option).toBe(option);
    expect(error.message).toMatch(message);
  });

  test('segment refuses it before decoding', async () => {
    await using ensemble = await RoutedEnsemble.load();
    for (const one of [segmenter, ensemble]) {
      const error = await rejection(one.segment(Buffer.from('no image'), { tiles: 3 as never }));
      expect(error.details?.option).toBe('tiles');
    }
    const routed = await ensemble.segment(imageBytes('small'), { tiles: { size: 192 } });
    expect(routed.seams!.x.length).toBeGreaterThan(0);
  });
});
