import { checkKeys, checkObject, checkOneOf, refuse } from '../check.js';
import { call, native } from '../native/load.js';
import { checkResampling } from './check.js';
import type { BootstrapOptions, Evaluation, ImageScores } from './types.js';

/** Metrics whose value for a set is the mean over the images. */
const IMAGE_METRICS = ['kaggle', 'aji'] as const;

/** Options of {@link compareEvaluations}. */
export interface CompareOptions extends Partial<BootstrapOptions> {
  /** `kaggle` (the competition's precision) or `aji`. Default `kaggle`. */
  metric?: (typeof IMAGE_METRICS)[number] | undefined;
}

/** Scores of two evaluations of the same images. */
export interface ScoreDifference {
  images: number;
  first: number;
  second: number;
  /** Second minus first. */
  difference: number;
  /** Bootstrap interval of the difference, over images. */
  interval: readonly [low: number, high: number];
}

/** Result of {@link compareEvaluations}, as plain data. */
export interface Comparison extends ScoreDifference {
  metric: (typeof IMAGE_METRICS)[number];
  samples: number;
  seed: number;
  confidence: number;
  /** Where images have types. */
  perCellType?: Record<string, ScoreDifference>;
}

function imagesOf(option: string, evaluation: Evaluation): Evaluation['perImage'] {
  const { perImage } = checkObject(option, evaluation);
  if (!Array.isArray(perImage)) throw refuse(option, 'an evaluation', evaluation);
  return perImage;
}

/**
 * Difference between two evaluations of the same images, with a paired bootstrap interval. Both evaluations are resampled
 * with the same images, so images that are hard for both do not widen the interval. The interval covers the choice of
 * images, not the variation between training runs.
 *
 * @throws {CellrouteError} INVALID_ARGUMENT for options, and if the images differ.
 */
export function compareEvaluations(
  first: Evaluation,
  second: Evaluation,
  options: CompareOptions = {},
): Comparison {
  checkKeys('', checkObject('options', options), ['metric', 'samples', 'seed', 'confidence']);
  const metric = checkOneOf('metric', options.metric ?? 'kaggle', IMAGE_METRICS);
  const { metric: _, ...resampling } = options;
  const { samples, seed, confidence } = checkResampling({ samples: 10_000, ...resampling }, '');
  const pairs = paired(imagesOf('first', first), imagesOf('second', second));
  const differenceOf = (own: typeof pairs): ScoreDifference => {
    const scores = own.map(([a, b]) => [a[metric], b[metric]] as const);
    const differences = scores.map(([a, b]) => b - a);
    return {
      images: own.length,
      first: mean(scores.map(([a]) => a)),
      second: mean(scores.map(([, b]) => b)),
      difference: mean(differences),
      interval: call(() =>
        native().bootstrapMean(Float64Array.from(differences), { samples, seed, confidence }),
      ),
    };
  };
  const types = [...new Set(pairs.flatMap(([{ cellType }]) => cellType ?? []))].sort();
  return {
    metric,
    samples,
    seed,
    confidence,
    ...differenceOf(pairs),
    ...(types.length > 0 && {
      perCellType: Object.fromEntries(
        types.map((type) => [type, differenceOf(pairs.filter(([image]) => image.cellType === type))]),
      ),
    }),
  };
}

type Pair = readonly [ImageScores, ImageScores];

function paired(first: readonly ImageScores[], second: readonly ImageScores[]): Pair[] {
  const byId = new Map(second.map((image) => [image.id, image]));
  if (second.length !== first.length) {
    throw refuse('second', `${first.length} images, as first has`, `${second.length}`);
  }
  return first.map((image) => {
    const other = byId.get(image.id);
    if (!other || other.cellType !== image.cellType || other.groundTruths !== image.groundTruths) {
      throw refuse(
        'second',
        `the same ground truth of image ${image.id} as first has`,
        other ?? 'no such image',
      );
    }
    return [image, other];
  });
}

const mean = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;
