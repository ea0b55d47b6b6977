/**
 * Minimum gain on a single image, where there is no standard error: about the standard deviation of the gain between images of one
 * kind (0.03 to 0.05 in mean precision, 0 to 1).
 */
const MIN_GAIN_OF_ONE_IMAGE = 0.05;

/**
 * Whether scores are higher on average by more than one standard error.
 *
 * @param gains differences of two scores, one per image, at least one.
 */
export function exceedsStandardError(gains: readonly number[]): boolean {
  const count = gains.length;
  const mean = gains.reduce((sum, value) => sum + value, 0) / count;
  if (count === 1) return mean > MIN_GAIN_OF_ONE_IMAGE;
  const squares = gains.reduce((sum, value) => sum + (value - mean) ** 2, 0);
  return mean > Math.sqrt(squares / (count - 1) / count);
}

/** Gains of a list of scores over another one. */
export const gainsOver = (scores: readonly number[], others: readonly number[]): number[] =>
  scores.map((score, i) => score - others[i]!);
