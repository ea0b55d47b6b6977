import { exceedsStandardError, gainsOver } from '../../../lib/tune/standard-error.js';

test('a gain exceeds its standard error or not', () => {
  // Mean 0.02, standard deviation 0.02, standard error 0.0115.
  expect(exceedsStandardError([0, 0.02, 0.04])).toBe(true);
  // Mean 0.02, standard deviation 0.0794, standard error 0.0458.
  expect(exceedsStandardError([-0.07, 0.05, 0.08])).toBe(false);
  expect(exceedsStandardError([0.01, 0.01])).toBe(true);
  expect(exceedsStandardError([0, 0])).toBe(false);
  expect(exceedsStandardError([-0.1, -0.1])).toBe(false);
});

test('a single image needs a gain of more than 0.05', () => {
  expect(exceedsStandardError([0.04])).toBe(false);
  expect(exceedsStandardError([0.06])).toBe(true);
});

test('a gain that is not a number is none', () => {
  expect(exceedsStandardError([Number.NaN, 0.5])).toBe(false);
  expect(gainsOver([0.5, 0.25], [0.25, 0.5])).toEqual([0.25, -0.25]);
});
