import type { DatasetItem } from '../data/types.js';
import { defined } from '../defined.js';
import { decodeImage } from '../image/decode.js';
import { type ScaleOptions, thresholdsAtScale } from '../inference/scale.js';
import type { CellSegmenter } from '../inference/segmenter.js';
import type { SegmentThresholds } from '../inference/thresholds.js';
import type { Masks } from '../mask/masks.js';
import {
  type EvaluatedImage,
  type EvaluateOptions,
  type Evaluation,
  evaluate,
  type MetricName,
  metricOf,
} from '../metrics/index.js';
import type { CallOptions } from '../native/job.js';
import { type Candidates, candidatesOf } from './candidates.js';
import { coordinateAscent, type Found } from './coordinate-ascent.js';
import { withinOneStandardError } from './one-standard-error.js';
import type { ThresholdGrid, ThresholdSet } from './threshold-grid.js';

/** An image with its ground truth and the output of one pass of the network. */
export interface PredictedImage {
  id: string;
  cellType: string | undefined;
  groundTruth: Masks;
  groundTruthLabels: Int32Array;
  candidates: Candidates;
  /** The scale at which the network saw the image. */
  scale: number;
  /** Notices of `segment` about the image. */
  notices: readonly string[];
}

/** How the network is run on the images. */
export interface PredictOptions extends CallOptions {
  /** The candidates score at least the lowest score of the grid. */
  axes: ThresholdGrid;
  now: SegmentThresholds;
  /** How large the cells are. Default: the images' own scales. */
  scale?: ScaleOptions | undefined;
}

/**
 * Runs the network once per image. The candidates are kept in memory: about 3 KB each with a 28 × 28 mask.
 */
export async function predictImages(
  segmenter: CellSegmenter,
  items: readonly DatasetItem[],
  { axes, now, scale, signal, onProgress }: PredictOptions,
): Promise<PredictedImage[]> {
  const call = signal ? { signal } : {};
  const predicted: PredictedImage[] = [];
  for (const [i, item] of items.entries()) {
    onProgress?.({ stage: 'network', fraction: i / items.length });
    const { image, masks, labels } = await item.load({ signal });
    const decoded = await decodeImage(image, call);
    const found = await candidatesOf(segmenter, decoded, {
      thresholds: { ...now, ...(scale ?? defined({ scale: item.scale })), minScore: axes.lowestScore },
      nmsThresholds: axes.nmsThresholds,
      ...call,
    });
    const { id, cellType } = item;
    predicted.push({ id, cellType, groundTruth: masks, groundTruthLabels: labels, ...found });
  }
  return predicted;
}

/** Input of `evaluate`: an image with its cells at these thresholds, which are those of scale 1. */
export async function evaluatedAt(
  { candidates, scale, notices: _, ...image }: PredictedImage,
  set: ThresholdSet,
  call: CallOptions,
): Promise<EvaluatedImage> {
  const { masks, scores, labels } = await candidates.cells(thresholdsAtScale(set, scale), call);
  return { ...image, predicted: masks, scores, labels };
}

/** Inputs of `evaluate` for several images. */
export async function imagesAt(
  predicted: readonly PredictedImage[],
  set: ThresholdSet,
  call: CallOptions,
): Promise<EvaluatedImage[]> {
  const images: EvaluatedImage[] = [];
  for (const image of predicted) images.push(await evaluatedAt(image, set, call));
  return images;
}

/** Evaluates images at thresholds. */
export async function evaluateAt(
  predicted: readonly PredictedImage[],
  set: ThresholdSet,
  options: EvaluateOptions,
): Promise<Evaluation> {
  return evaluate(await imagesAt(predicted, set, defined({ signal: options.signal })), options);
}

/**
 * Searches the thresholds with the highest metric, from those in use.
 *
 * @param onTry called before each set of thresholds that is tried.
 */
export function searchThresholds(
  predicted: readonly PredictedImage[],
  axes: ThresholdGrid,
  metric: MetricName,
  call: CallOptions,
  onTry?: () => void,
): Promise<Found> {
  return coordinateAscent(axes.lengths, axes.start, async (point) => {
    onTry?.();
    return metricOf(await evaluateAt(predicted, axes.at(point), call), metric);
  });
}

/**
 * Searches thresholds on few images: those in use are kept except where the images are evidence against them
 * ({@link withinOneStandardError}).
 */
export async function searchCautiously(
  predicted: readonly PredictedImage[],
  axes: ThresholdGrid,
  metric: MetricName,
  call: CallOptions,
): Promise<ThresholdSet> {
  const { point } = await searchThresholds(predicted, axes, metric, call);
  const chosen = await withinOneStandardError(axes.start, point, async (tried) =>
    metricPerImage(await imagesAt(predicted, axes.at(tried), call), metric, call),
  );
  return axes.at(chosen);
}

/** The metric of each image by itself. */
export async function metricPerImage(
  images: readonly EvaluatedImage[],
  metric: MetricName,
  call: CallOptions,
): Promise<number[]> {
  const scores: number[] = [];
  for (const image of images) scores.push(metricOf(await evaluate([image], call), metric));
  return scores;
}

/**
 * Cross-validates {@link searchCautiously}: the cells of each fold at the thresholds that were found on the other folds, in the order
 * of the images.
 *
 * @param count number of folds; at most the number of images is used.
 */
export async function crossValidate(
  predicted: readonly PredictedImage[],
  axes: ThresholdGrid,
  metric: MetricName,
  count: number,
  call: CallOptions,
): Promise<EvaluatedImage[]> {
  const folds = Math.min(count, predicted.length);
  const images: EvaluatedImage[] = [];
  for (let fold = 0; fold < folds; fold++) {
    const otherFolds = predicted.filter((_, i) => i % folds !== fold);
    const found = await searchCautiously(otherFolds, axes, metric, call);
    for (let i = fold; i < predicted.length; i += folds) {
      images[i] = await evaluatedAt(predicted[i]!, found, call);
    }
  }
  return images;
}
