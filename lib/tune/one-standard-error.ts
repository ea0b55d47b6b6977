import type { Point } from './coordinate-ascent.js';
import { exceedsStandardError } from './standard-error.js';

/**
 * The one-standard-error rule (Breiman et al., Classification and Regression Trees, 1984): of the points on the way from the best one
 * to the start, the nearest to the start whose mean score is at most one standard error below that of the best. The standard error
 * is that of the differences per image. With few images, the best of many points is partly chosen by chance.
 *
 * @param start the point that is kept without evidence.
 * @param best the point with the highest mean score.
 * @param scoresOf scores at a point, one per image, in the same order for every point.
 * @returns `best` for a single image, which has no standard error.
 */
export async function withinOneStandardError(
  start: Point,
  best: Point,
  scoresOf: (point: Point) => Promise<readonly number[]>,
): Promise<Point> {
  const reference = await scoresOf(best);
  if (reference.length < 2) return best;
  let chosen = best;
  for (const [axis, from] of start.entries()) {
    const direction = Math.sign(best[axis]! - from);
    for (let value = from; value !== best[axis]; value += direction) {
      const point = chosen.with(axis, value);
      const scores = await scoresOf(point);
      // A score that is not a number, such as AP without cells, is no reason to move.
      if (scores.every(Number.isFinite) && !exceedsStandardError(reference, scores)) {
        chosen = point;
        break;
      }
    }
  }
  return chosen;
}
