import type { Masks } from '../mask/masks.js';

/** Matches between predictions and ground truth. */
export interface Match {
  /** Matched ground truth cell of each prediction, -1 for a false detection. */
  groundTruthOf: Int32Array;
  /** Matched prediction of each ground truth cell, -1 for a missed cell. */
  foundBy: Int32Array;
}

/** Predictions per block: the IoU matrix of all predictions with 10,000 cells would need about a gigabyte. */
const blockSize = 128;

/**
 * Matches predictions, in descending order of score, to the unmatched ground truth cell with the highest IoU, if the IoU is
 * at least `iouThreshold`.
 */
export function matchCells(
  groundTruth: Masks,
  predicted: Masks,
  scores: ArrayLike<number>,
  iouThreshold: number,
): Match {
  const groundTruthOf = new Int32Array(predicted.length).fill(-1);
  const foundBy = new Int32Array(groundTruth.length).fill(-1);
  const order = Array.from(groundTruthOf, (_, i) => i).sort((a, b) => scores[b]! - scores[a]! || a - b);
  for (let from = 0; from < order.length && groundTruth.length > 0; from += blockSize) {
    const some = order.slice(from, from + blockSize);
    const iou = predicted.select(some).iou(groundTruth);
    some.forEach((prediction, row) => {
      let best = -1;
      let maxIou = 0;
      for (let cell = 0, at = row * groundTruth.length; cell < groundTruth.length; cell++, at++) {
        if (iou[at]! >= iouThreshold && iou[at]! > maxIou && foundBy[cell] === -1)
          [best, maxIou] = [cell, iou[at]!];
      }
      if (best === -1) return;
      groundTruthOf[prediction] = best;
      foundBy[best] = prediction;
    });
  }
  return { groundTruthOf, foundBy };
}
