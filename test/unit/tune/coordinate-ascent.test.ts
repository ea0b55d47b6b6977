import { coordinateAscent, type Point } from '../../../lib/tune/coordinate-ascent.js';

/** Every point of a grid. */
function* all(lengths: readonly number[]): Generator<number[]> {
  if (lengths.length === 0) yield [];
  else for (let i = 0; i < lengths[0]!; i++) for (const rest of all(lengths.slice(1))) yield [i, ...rest];
}

const best = (lengths: readonly number[], score: (point: Point) => number) =>
  Math.max(...[...all(lengths)].map(score));

test('finds the maximum of a rotated hill, and evaluates only a part of the grid', async () => {
  const lengths = [9, 7, 8];
  // A ridge, on which no change along one axis improves.
  const score = ([a, b, c]: Point) => -10 * (a! - b! - 1) ** 2 - (a! + b! - 9) ** 2 - (c! - 6) ** 2;
  const found = await coordinateAscent(lengths, [0, 6, 0], async (point) => score(point));
  expect(found.score).toBe(best(lengths, score));
  expect(score(found.point)).toBe(found.score);
  expect(found.tried).toBeLessThan(9 * 7 * 8);
});

test('evaluates no point twice', async () => {
  const asked: string[] = [];
  const found = await coordinateAscent([4, 5], [0, 0], async (point) => {
    asked.push(point.join());
    return point[0]! * point[1]!;
  });
  expect(found.score).toBe(12);
  expect(new Set(asked).size).toBe(asked.length);
  expect(found.tried).toBe(asked.length);
});

test('stays if nothing is better, and crosses plateaus to the nearest improvement', async () => {
  expect((await coordinateAscent([5, 5], [2, 3], async () => 1)).point).toEqual([2, 3]);
  expect((await coordinateAscent([7], [3], async ([i]) => (i === 0 || i === 5 ? 1 : 0))).point).toEqual([5]);
});

test('a NaN score is never the best', async () => {
  const found = await coordinateAscent([3], [1], async ([i]) => (i === 2 ? Number.NaN : i === 1 ? 0 : -1));
  expect(found).toMatchObject({ point: [1], score: 0 });
});
