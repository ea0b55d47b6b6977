import type { LastLayer } from '../inference/router-body.js';
import type { TypeStatistics } from '../inference/router-statistics.js';
import { choleskyOf, dot, fullMatrix, solve } from './cholesky.js';

/** Probability of its own type that the mean image of each of the two most similar types has. */
const PROBABILITY_AT_MEAN = 0.99;

/**
 * The last layer of a router from the statistics of its types: linear discriminant analysis with one covariance for all types
 * and equal priors (Hastie, Tibshirani, Friedman, The Elements of Statistical Learning, 4.3), as Hayes and Kanan use it to
 * learn classes one after the other without their earlier images (Lifelong Machine Learning with Deep Streaming Linear
 * Discriminant Analysis, 2020). The covariance is the mean over the types, so that a type with many images does not decide it
 * alone.
 *
 * @param types statistics in the order of the layer's outputs.
 */
export function discriminantLayer(types: readonly TypeStatistics[]): LastLayer {
  const size = types[0]!.mean.length;
  const covariance = shrunk(meanCovariance(types), size, effectiveImages(types));
  const factor = choleskyOf(covariance, size);
  const weight = new Float32Array(types.length * size);
  const bias = new Float32Array(types.length);
  const rows = types.map(({ mean }) => solve(factor, mean));
  const scale = scaleOf(types, rows);
  rows.forEach((row, k) => {
    weight.set(
      row.map((value) => scale * value),
      k * size,
    );
    bias[k] = -0.5 * scale * dot(row, types[k]!.mean);
  });
  return { weight, bias, size };
}

/** Types with a covariance; a single image has none. */
const varying = (types: readonly TypeStatistics[]) => types.filter(({ images }) => images > 1);

/** Mean of the unbiased covariances of the types, as a full matrix. */
function meanCovariance(types: readonly TypeStatistics[]): Float64Array {
  const mean = new Float64Array(types[0]!.covariance.length);
  const used = varying(types);
  for (const { images, covariance } of used) {
    const share = images / (images - 1) / used.length;
    for (let i = 0; i < mean.length; i++) mean[i]! += share * covariance[i]!;
  }
  return fullMatrix(mean, types[0]!.mean.length);
}

/** Number of images of which one covariance would be as certain as the mean of these. */
function effectiveImages(types: readonly TypeStatistics[]): number {
  const used = varying(types);
  return used.length === 0 ? 0 : used.length ** 2 / used.reduce((sum, { images }) => sum + 1 / images, 0);
}

/** A small share of the identity keeps the covariance of a network with dead values invertible. */
const MIN_SHRINKAGE = 1e-3;

/**
 * Shrinks a covariance of few images towards a multiple of the identity, by the oracle approximating shrinkage (Chen,
 * Wiesel, Eldar, Hero, Shrinkage Algorithms for MMSE Covariance Estimation, 2010, eq. 23).
 */
function shrunk(covariance: Float64Array, size: number, images: number): Float64Array {
  let [trace, squares] = [0, 0];
  for (let i = 0; i < size; i++) trace += covariance[i * size + i]!;
  for (const value of covariance) squares += value * value;
  const numerator = (1 - 2 / size) * squares + trace ** 2;
  const denominator = (images + 1 - 2 / size) * (squares - trace ** 2 / size);
  const share = Math.max(MIN_SHRINKAGE, denominator > 0 ? Math.min(1, numerator / denominator) : 1);
  // A network may map all images to one embedding.
  const level = trace > 0 ? trace / size : 1;
  const result = covariance.map((value) => (1 - share) * value);
  for (let i = 0; i < size; i++) result[i * size + i]! += share * level;
  return result;
}

/**
 * Factor of all logits. The covariance of few images is too small in most directions, so the discriminant is too certain. The
 * factor gives the mean image of the two most similar types {@link PROBABILITY_AT_MEAN}, or less where they are similar.
 */
function scaleOf(types: readonly TypeStatistics[], rows: readonly Float64Array[]): number {
  let minLogit = Number.POSITIVE_INFINITY;
  for (const [k, { mean }] of types.entries()) {
    for (let other = 0; other < k; other++) {
      const meanDifference = mean.map((value, i) => value - types[other]!.mean[i]!);
      const rowDifference = rows[k]!.map((value, i) => value - rows[other]![i]!);
      minLogit = Math.min(minLogit, 0.5 * dot(meanDifference, rowDifference));
    }
  }
  if (!(minLogit > 0) || !Number.isFinite(minLogit)) return 1;
  const wanted = Math.log((PROBABILITY_AT_MEAN / (1 - PROBABILITY_AT_MEAN)) * (types.length - 1));
  return Math.min(1, wanted / minLogit);
}
