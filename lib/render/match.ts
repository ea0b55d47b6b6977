import type { Masks } from '../mask/masks.js';

/** Which predictions found which cells of the truth. */
export interface Match {
  /** For each prediction the cell of the truth it found, -1 for a false alarm. */
  truthOf: Int32Array;
  /** For each cell of the truth the prediction that found it, -1 for a miss. */
  foundBy: Int32Array;
}

/** Predictions compared at once: the matrix of all of them with a truth of 10,000 cells would be near a gigabyte. */
const atOnce = 128;

/**
 * Predictions by falling score each take the cell of the truth they overlap most, among those not taken yet, where
 * the IoU is at least `iouThreshold`.
 */
export function matchCells(
  truth: Masks,
  predicted: Masks,
  scores: ArrayLike<number>,
  iouThreshold: number,
): Match {
  const truthOf = new Int32Array(predicted.length).fill(-1);
  const foundBy = new Int32Array(truth.length).fill(-1);
  const order = Array.from(truthOf, (_, i) => i).sort((a, b) => scores[b]! - scores[a]! || a - b);
  for (let from = 0; from < order.length && truth.length > 0; from += atOnce) {
    const some = order.slice(from, from + atOnce);
    const iou = predicted.select(some).iou(truth);
    some.forEach((prediction, row) => {
      let best = -1;
      let most = 0;
      for (let cell = 0, at = row * truth.length; cell < truth.length; cell++, at++) {
        if (iou[at]! >= iouThreshold && iou[at]! > most && foundBy[cell] === -1)
          [best, most] = [cell, iou[at]!];
      }
      if (best === -1) return;
      truthOf[prediction] = best;
      foundBy[best] = prediction;
    });
  }
  return { truthOf, foundBy };
}
