import { join } from 'node:path';
import { root } from '../support/sdk.js';

interface Score {
  id: string;
  cellType: string;
  kaggle: number;
}
interface Side {
  perImage: Score[];
  kaggle: { mean: number };
}
// Plain JavaScript of the experiment, which is not compiled.
const { stepsOf, tableOf, plotOf } = require(join(root, 'experiments/parts.cjs')) as {
  stepsOf(images: Record<string, number>, total: number): Record<string, number>;
  tableOf(routed: object, unerring: object): string;
  plotOf(single: Side, routed: Side): { series: { name: string; points: [number, number][] }[] };
};

describe('steps of the routed side', () => {
  test('are proportional to the images of each type', () => {
    expect(stepsOf({ astro: 6, cort: 12, shsy5y: 4 }, 220)).toEqual({ astro: 60, cort: 120, shsy5y: 40 });
  });

  test('sum to those of the single network, with any remainder', () => {
    for (const images of [
      { a: 6, b: 11, c: 5 },
      { a: 1, b: 1, c: 1 },
      { a: 1, b: 997, c: 2 },
      { a: 7, b: 9, c: 17, d: 3, e: 1 },
    ])
      for (let total = 5; total < 300; total += 7) {
        const shares = stepsOf(images, total);
        expect(Object.values(shares).reduce((sum, steps) => sum + steps, 0)).toBe(total);
        expect(Math.min(...Object.values(shares))).toBeGreaterThanOrEqual(1);
        const all = Object.values(images).reduce((sum, count) => sum + count, 0);
        if (Object.values(images).every((count) => (count * total) / all >= 1))
          for (const [type, count] of Object.entries(images))
            expect(Math.abs(shares[type]! - (count * total) / all)).toBeLessThan(1);
      }
  });

  test('go to the largest remainder first', () => {
    // 10 steps of 6 : 11 : 5 are 2.73, 5 and 2.27.
    expect(stepsOf({ a: 6, b: 11, c: 5 }, 10)).toEqual({ a: 3, b: 5, c: 2 });
  });

  test('are at least one per type, otherwise refused', () => {
    expect(stepsOf({ a: 98, b: 1, c: 1 }, 3)).toEqual({ a: 1, b: 1, c: 1 });
    expect(() => stepsOf({ a: 1, b: 1, c: 1 }, 2)).toThrow('2 steps are too few for 3 segmenters');
  });
});

describe('the report', () => {
  test('has one row for all images and one per type', () => {
    const row = { images: 4, first: 0.1, second: 0.25, difference: 0.15, interval: [-0.02, 0.3] };
    const worse = { images: 2, first: 0.5, second: 0.4375, difference: -0.0625, interval: [-0.1, -0.02] };
    const routed = { confidence: 0.95, ...row, perCellType: { astro: worse } };
    const unerring = {
      confidence: 0.95,
      ...row,
      second: 0.375,
      perCellType: { astro: { ...row, images: 2 } },
    };
    expect(tableOf(routed, unerring).split('\n').slice(2)).toEqual([
      '| all | 4 | 0.100 | 0.250 | 0.375 | +0.150 (−0.020 to +0.300) | +0.150 (−0.020 to +0.300) |',
      '| astro | 2 | 0.500 | 0.438 | 0.250 | −0.063 (−0.100 to −0.020) | +0.150 (−0.020 to +0.300) |',
    ]);
  });

  test('draws both scores of an image at the same x, and a gap between types', () => {
    const side = (scores: [string, string, number][]): Side => ({
      perImage: scores.map(([id, cellType, kaggle]) => ({ id, cellType, kaggle })),
      kaggle: { mean: 0.5 },
    });
    const single = side([
      ['a', 'cort', 0.75],
      ['b', 'astro', 0.5],
      ['c', 'cort', 0.25],
    ]);
    // In another order: images are paired by id.
    const routed = side([
      ['c', 'cort', 0.375],
      ['a', 'cort', 0.125],
      ['b', 'astro', 0.625],
    ]);
    const { series } = plotOf(single, routed);
    const [first, second] = series.map(({ points }) => points);
    expect(first).toEqual([
      [1, 0.5],
      [1.5, Number.NaN],
      [2, 0.25],
      [3, 0.75],
    ]);
    expect(second!.map(([, score]) => score)).toEqual([0.625, Number.NaN, 0.375, 0.125]);
    expect(series.map(({ name }) => name)).toEqual(['single, mean 0.500', 'routed, mean 0.500']);
  });
});
