import { withinOneStandardError } from '../../../lib/tune/one-standard-error.js';

/** Scores per image at each value of one axis. */
const scored =
  (values: readonly (readonly number[])[]) =>
  async ([at]: readonly number[]) =>
    values[at!]!;

test('moves back to the nearest value that is not worse by more than its standard error', async () => {
  // Differences to the last value: 0.2 and 0.2 (certain), 0.1 and -0.08 (mean 0.01, standard error 0.09), then none.
  const scores = scored([
    [0.3, 0.4],
    [0.4, 0.68],
    [0.45, 0.62],
    [0.5, 0.6],
  ]);
  expect(await withinOneStandardError([0], [3], scores)).toEqual([1]);
  expect(await withinOneStandardError([3], [1], scores)).toEqual([3]);
});

test('keeps the best value where all images agree that the others are worse', async () => {
  const scores = scored([
    [0.1, 0.2, 0.3],
    [0.2, 0.29, 0.41],
    [0.3, 0.4, 0.5],
  ]);
  expect(await withinOneStandardError([0], [2], scores)).toEqual([2]);
});

test('keeps the best value for a single image, and compares equal scores as equal', async () => {
  expect(await withinOneStandardError([0], [1], scored([[0.1], [0.2]]))).toEqual([1]);
  expect(
    await withinOneStandardError(
      [0],
      [1],
      scored([
        [0.2, 0.2],
        [0.2, 0.2],
      ]),
    ),
  ).toEqual([0]);
});

test('treats each axis by itself, and does not move past the best value', async () => {
  // The first axis makes no difference, the second one does.
  const asked: string[] = [];
  const point = await withinOneStandardError([0, 0], [2, 2], async ([a, b]) => {
    asked.push(`${a} ${b}`);
    return [b! / 10, b! / 10 + 0.001];
  });
  expect(point).toEqual([0, 2]);
  expect(asked).toEqual(['2 2', '0 2', '0 0', '0 1']);
});

test('a score that is NaN is worse', async () => {
  expect(
    await withinOneStandardError(
      [0],
      [1],
      scored([
        [Number.NaN, 1],
        [0.2, 0.3],
      ]),
    ),
  ).toEqual([1]);
});
