/**
 * Minimum ratio of two scores on a single image, where there is no standard error. Between images of one kind, gains of training and
 * of thresholds had a standard deviation of 5 to 10 % of the score.
 */
const MIN_RATIO_OF_ONE_IMAGE = 1.1;

/**
 * Whether scores are higher than others on average by more than one standard error of the differences; for a single image, by more
 * than a tenth.
 *
 * @param scores at least one, from 0 to 1, one per image.
 * @param others of the same images, in the same order.
 */
export function exceedsStandardError(scores: readonly number[], others: readonly number[]): boolean {
  const count = scores.length;
  if (count === 1) return scores[0]! > MIN_RATIO_OF_ONE_IMAGE * others[0]!;
  const gains = scores.map((score, i) => score - others[i]!);
  const mean = gains.reduce((sum, gain) => sum + gain, 0) / count;
  const squares = gains.reduce((sum, gain) => sum + (gain - mean) ** 2, 0);
  return mean > Math.sqrt(squares / (count - 1) / count);
}
