import type { SignalOptions } from '../abort.js';
import type { CellSizes } from '../data/diameters.js';
import type { DatasetItem } from '../data/types.js';
import type { CellSegmenter } from '../inference/segmenter.js';
import type { SegmentThresholds } from '../inference/thresholds.js';
import {
  type EvaluatedImage,
  type Evaluation,
  evaluate,
  type MetricName,
  metricOf,
} from '../metrics/index.js';
import type { PredictedCells } from '../render/comparison.js';
import {
  crossValidate,
  evaluatedAt,
  imagesAt,
  metricPerImage,
  type PredictedImage,
  predictImages,
  searchCautiously,
} from '../tune/search.js';
import { exceedsStandardError } from '../tune/standard-error.js';
import {
  segmentThresholds,
  ThresholdGrid,
  type ThresholdSet,
  type TuneGrid,
} from '../tune/threshold-grid.js';
import type { ScoreWithInterval } from './summary.js';

/** Bootstrap samples of the intervals. */
const SAMPLES = 2000;
const FOLDS = 3;

/** Evaluation of a network on the held-out images. */
export interface Assessment {
  evaluation: Evaluation;
  /** The metric of each held-out image. */
  scores: readonly number[];
  /** Thresholds for new images. */
  thresholds: SegmentThresholds;
  /** The cells of a held-out image at these thresholds. */
  cellsOf(id: string): Promise<PredictedCells>;
}

/**
 * Values of the threshold search. There are fewer than in `tune`, because every fold searches all of them, and with few images
 * the scores of neighbouring values do not differ. Areas are fractions of the area of a small cell.
 */
function gridFor({ range: [low] }: CellSizes): TuneGrid {
  const small = (Math.PI / 4) * low ** 2;
  return {
    minScore: [0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9],
    maskThreshold: [0.4, 0.5, 0.6],
    nmsThreshold: [0.3, 0.5],
    minArea: [0, Math.round(small / 4), Math.round(small / 2)],
    maxLost: [0.2, 0.5],
  };
}

/**
 * Evaluates a network on the held-out images. If `tune` is set and there are at least two images, thresholds are searched by
 * cross-validation: each image is evaluated with thresholds that were chosen on the other images. They replace `now` only if
 * the gain exceeds its standard error.
 */
export async function assess(
  segmenter: CellSegmenter,
  items: readonly DatasetItem[],
  now: SegmentThresholds,
  options: SignalOptions & { metric: MetricName; sizes: CellSizes; tune: boolean },
): Promise<Assessment> {
  const { metric, sizes, tune, signal } = options;
  const call = signal ? { signal } : {};
  const axes = new ThresholdGrid(tune ? gridFor(sizes) : onlyNow, segmenter.config, now);
  const predictions = await predictImages(segmenter, items, { axes, now, ...call });
  const evaluated = async (images: readonly EvaluatedImage[]) => ({
    evaluation: await evaluate(images, { bootstrap: { samples: SAMPLES }, ...call }),
    scores: await metricPerImage(images, metric, call),
  });
  const inUse = axes.at(axes.start);
  const fixed = await evaluated(await imagesAt(predictions, inUse, call));
  const unchanged = { ...fixed, thresholds: now, cellsOf: cellsAt(predictions, inUse, call) };
  if (!tune || predictions.length < 2) return unchanged;
  const validated = await evaluated(await crossValidate(predictions, axes, metric, FOLDS, call));
  if (!exceedsStandardError(validated.scores, fixed.scores)) return unchanged;
  const chosen = await searchCautiously(predictions, axes, metric, call);
  return {
    ...validated,
    thresholds: { ...now, ...segmentThresholds(chosen) },
    cellsOf: cellsAt(predictions, chosen, call),
  };
}

/** A grid with the thresholds in use alone. */
const onlyNow: TuneGrid = {
  minScore: [],
  maskThreshold: [],
  nmsThreshold: [],
  minArea: [],
  maxLost: [],
};

const cellsAt =
  (predictions: readonly PredictedImage[], set: ThresholdSet, call: SignalOptions): Assessment['cellsOf'] =>
  async (id) => {
    const image = predictions.find((one) => one.id === id)!;
    const { predicted, scores } = await evaluatedAt(image, set, call);
    return { masks: predicted, scores };
  };

/** The score of an evaluation with its interval. */
export function scoreOf({ evaluation }: Assessment, metric: MetricName): ScoreWithInterval {
  const score = metricOf(evaluation, metric);
  const interval = evaluation.images > 1 ? evaluation.intervals?.[metric] : undefined;
  return interval ? { score, interval } : { score };
}
