import { exceedsStandardError } from '../../../lib/tune/standard-error.js';

test('a gain exceeds its standard error or not', () => {
  const others = [0.2, 0.4, 0.6];
  // Gains of 0, 0.02 and 0.04: mean 0.02, standard error 0.0115.
  expect(exceedsStandardError([0.2, 0.42, 0.64], others)).toBe(true);
  // Gains of -0.07, 0.05 and 0.08: mean 0.02, standard error 0.0458.
  expect(exceedsStandardError([0.13, 0.45, 0.68], others)).toBe(false);
  expect(exceedsStandardError([0.25, 0.5], [0.125, 0.375])).toBe(true);
  expect(exceedsStandardError([0.25, 0.5], [0.25, 0.5])).toBe(false);
  expect(exceedsStandardError([0.125, 0.375], [0.25, 0.5])).toBe(false);
});

test('a single image needs a score that is higher by more than a tenth', () => {
  expect(exceedsStandardError([0.43], [0.4])).toBe(false);
  expect(exceedsStandardError([0.45], [0.4])).toBe(true);
  expect(exceedsStandardError([0.01], [0])).toBe(true);
  expect(exceedsStandardError([0], [0])).toBe(false);
});

test('a score that is not a number is not higher', () => {
  expect(exceedsStandardError([Number.NaN, 0.5], [0, 0])).toBe(false);
  expect(exceedsStandardError([0.5, 0.5], [Number.NaN, 0])).toBe(false);
});
