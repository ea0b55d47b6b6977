import sharp from 'sharp';
import type { RawImage } from '../../lib/image/types.js';
import { Masks } from '../../lib/mask/masks.js';
import { type ComparisonOptions, renderComparison } from '../../lib/render/comparison.js';
import { matchCells } from '../../lib/render/match.js';
import { random } from '../support/weights.js';

const size = { width: 400, height: 400 };
const image: RawImage = {
  data: Uint8Array.from({ length: 400 * 400 }, (_, i) => 80 + (i % 61)),
  ...size,
  channels: 1,
};

/** Masks of rectangles x, y, width, height. */
function rectangles(...all: [number, number, number, number][]): Masks {
  const one = size.width * size.height;
  const pixels = new Uint8Array(all.length * one);
  all.forEach(([x, y, width, height], i) => {
    for (let row = y; row < y + height; row++) {
      pixels.fill(1, i * one + row * size.width + x, i * one + row * size.width + x + width);
    }
  });
  return Masks.encode(pixels, { ...size, count: all.length });
}

const groundTruth = rectangles([20, 20, 60, 60], [200, 20, 60, 60], [20, 200, 60, 60]);
const predicted = {
  masks: rectangles([22, 20, 60, 60], [300, 300, 60, 60], [200, 20, 60, 25]),
  scores: [0.9, 0.8, 0.7],
};

async function draw(options: ComparisonOptions = {}, from = { groundTruth, predicted }) {
  const png = await renderComparison(image, from.groundTruth, from.predicted, options);
  const { data, info } = await sharp(png).raw().toBuffer({ resolveWithObject: true });
  return { ...info, data };
}

/** Number of saturated pixels per hue in each half. */
function hues({ data, width, height }: { data: Buffer; width: number; height: number }) {
  const half = Math.floor(width / 2);
  const counts: Record<string, Record<string, number>> = { groundTruth: {}, prediction: {} };
  // Below the title bar, which has the colours too.
  for (let y = height - half + 40; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const at = 3 * (y * width + x);
      const [r, g, b] = [data[at]!, data[at + 1]!, data[at + 2]!];
      if (Math.max(r, g, b) - Math.min(r, g, b) < 110) continue;
      const hue = b > r ? 'blue' : b > g ? 'pink' : 'orange';
      const side = counts[x < half ? 'groundTruth' : 'prediction']!;
      side[hue] = (side[hue] ?? 0) + 1;
    }
  }
  return counts;
}

describe('a comparison', () => {
  test('draws matches blue, missed cells orange on the left, false detections pink on the right', async () => {
    const counts = hues(await draw());
    expect(Object.keys(counts.groundTruth!).sort()).toEqual(['blue', 'orange']);
    expect(Object.keys(counts.prediction!).sort()).toEqual(['blue', 'pink']);
    // Two of three cells are missed, and two of three detections are false.
    expect(counts.groundTruth!.orange!).toBeGreaterThan(counts.groundTruth!.blue!);
    expect(counts.prediction!.pink!).toBeGreaterThan(counts.prediction!.blue!);
  });

  test('matches cells with enough overlap', async () => {
    const usual = hues(await draw());
    const lower = hues(await draw({ iouThreshold: 0.3 }));
    expect(lower.groundTruth!.blue!).toBeGreaterThan(1.5 * usual.groundTruth!.blue!);
    expect(lower.groundTruth!.orange!).toBeLessThan(0.7 * usual.groundTruth!.orange!);
    expect(hues(await draw({ iouThreshold: 0.99 })).groundTruth!.blue).toBeUndefined();
  });

  test('marks cells without a match by hatching, without colour too', async () => {
    const { data, width, height } = await draw();
    // A row through the middle of the missed cell at (20, 200): zoom and bars as the image's height has them
    const half = Math.floor(width / 2);
    const bar = height - 400 * Math.floor(half / 400);
    const zoom = (height - bar) / 400;
    const changes = (cellY: number) => {
      const y = bar + Math.round((cellY + 30) * zoom);
      let count = 0;
      const lit = (x: number) => data[3 * (y * width + x)]! > 190;
      for (let x = Math.round(25 * zoom); x < 75 * zoom; x++) if (lit(x) !== lit(x + 1)) count++;
      return count;
    };
    expect(changes(200)).toBeGreaterThan(8);
    expect(changes(20)).toBe(0);
  });

  test('fits maxSide, and places the halves above each other for wide images', async () => {
    const square = await draw({ maxSide: 800 });
    expect(square.width).toBeLessThanOrEqual(820);
    expect(square.width).toBeGreaterThan(1.5 * square.height);
    const wide = { width: 800, height: 200 };
    const masks = Masks.encode(new Uint8Array(160_000).fill(1), wide);
    const png = await renderComparison(
      { data: new Uint8Array(160_000), ...wide, channels: 1 },
      masks,
      { masks, scores: [1] },
      { maxSide: 1600 },
    );
    const { width, height } = await sharp(png).metadata();
    expect(width).toBe(800);
    expect(height).toBeGreaterThan(400);
  });

  test('without cells on both sides', async () => {
    const none = Masks.fromKaggle([], size);
    const { width } = await draw(
      { title: 'epoch 1' },
      { groundTruth: none, predicted: { masks: none, scores: [] } },
    );
    expect(width).toBeGreaterThan(400);
  });

  test.each<[string, ComparisonOptions, RegExp]>([
    ['an unknown option', { iou: 0.5 } as ComparisonOptions, /Unknown option iou/],
    ['a threshold above 1', { iouThreshold: 2 }, /from 0 to 1 for iouThreshold/],
    ['a format', { format: 'gif' as 'png' }, /'png', 'webp', 'jpeg'/],
  ])('%s is refused', async (_name, options, message) => {
    await expect(draw(options)).rejects.toThrow(message);
  });

  test('masks of another size, and scores of another number, are refused', async () => {
    const other = Masks.fromKaggle(['1 1'], { width: 10, height: 10 });
    await expect(draw({}, { groundTruth, predicted: { masks: other, scores: [1] } })).rejects.toThrow(
      /10 × 10/,
    );
    await expect(draw({}, { groundTruth, predicted: { ...predicted, scores: [1] } })).rejects.toThrow(
      /3 scores/,
    );
    await expect(renderComparison(image, other, { masks: other, scores: [1] })).rejects.toThrow(/400 × 400/);
  });

  test('stops when it is aborted', async () => {
    await expect(draw({ signal: AbortSignal.abort('enough') })).rejects.toBe('enough');
  });
});

describe('matching', () => {
  test('equals a comparison of all pairs by descending score', () => {
    const next = random(7);
    const some = (count: number) =>
      rectangles(
        ...Array.from({ length: count }, (): [number, number, number, number] => [
          Math.floor(next() * 60),
          Math.floor(next() * 60),
          10 + Math.floor(next() * 30),
          10 + Math.floor(next() * 30),
        ]),
      );
    const [masks, cells] = [some(300), some(80)];
    const scores = Float32Array.from({ length: 300 }, () => Math.round(next() * 40) / 40);
    const iou = masks.iou(cells);
    for (const threshold of [0, 0.3, 0.5, 0.8]) {
      const taken = new Map<number, number>();
      for (let round = 0; round < 300; round++) {
        let best = -1;
        for (let i = 0; i < 300; i++) {
          if (!taken.has(i) && (best === -1 || scores[i]! > scores[best]!)) best = i;
        }
        let found = -1;
        for (let cell = 0; cell < 80; cell++) {
          const value = iou[best * 80 + cell]!;
          if (value === 0 || value < threshold || [...taken.values()].includes(cell)) continue;
          if (found === -1 || value > iou[best * 80 + found]!) found = cell;
        }
        taken.set(best, found);
      }
      const { groundTruthOf, foundBy } = matchCells(cells, masks, scores, threshold);
      expect(Array.from(groundTruthOf)).toEqual(Array.from({ length: 300 }, (_, i) => taken.get(i)));
      for (const [cell, prediction] of foundBy.entries()) {
        if (prediction !== -1) expect(groundTruthOf[prediction]).toBe(cell);
      }
      expect(foundBy.filter((i) => i !== -1).length).toBe(groundTruthOf.filter((i) => i !== -1).length);
    }
  });
});
