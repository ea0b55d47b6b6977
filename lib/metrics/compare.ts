import { checkKeys, checkObject, checkOneOf, refuse } from '../check.js';
import { quantile } from '../data/quantile.js';
import { type Random, random } from '../data/random.js';
import { checkResampling } from './check.js';
import type { BootstrapOptions, Evaluation, ImageScores } from './types.js';

/** Metrics that are the mean of what each image has. */
const IMAGE_METRICS = ['kaggle', 'aji'] as const;

/** Options of {@link compareEvaluations}. */
export interface CompareOptions extends Partial<BootstrapOptions> {
  /** `kaggle`, the competition's precision, or `aji`. Default `kaggle`. */
  metric?: (typeof IMAGE_METRICS)[number] | undefined;
}

/** What two sides scored on the same images. */
export interface ScoreDifference {
  images: number;
  first: number;
  second: number;
  /** Second less first. */
  difference: number;
  /** Of the difference, over images. */
  interval: readonly [low: number, high: number];
}

/** What {@link compareEvaluations} found. Plain data. */
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
 * How much better the second of two evaluations of the same images is. Images are drawn with replacement and both
 * sides are evaluated on the same samples, so that what makes an image hard for both does not widen the interval, as it
 * does those of the two evaluations. It tells what other images may change, and nothing about another training.
 *
 * @throws {CellrouteError} INVALID_ARGUMENT for options, and where the images are not the same.
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
  const differenceOf = (own: typeof pairs, ...path: string[]): ScoreDifference => {
    const scores = own.map(([a, b]) => [a[metric], b[metric]] as const);
    const differences = scores.map(([a, b]) => b - a);
    return {
      images: own.length,
      first: mean(scores.map(([a]) => a)),
      second: mean(scores.map(([, b]) => b)),
      difference: mean(differences),
      interval: intervalOf(differences, samples, confidence, random(seed, 'compare', ...path)),
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
        types.map((type) => [
          type,
          differenceOf(
            pairs.filter(([image]) => image.cellType === type),
            type,
          ),
        ]),
      ),
    }),
  };
}

type Pair = readonly [ImageScores, ImageScores];

function paired(first: readonly ImageScores[], second: readonly ImageScores[]): Pair[] {
  const others = new Map(second.map((image) => [image.id, image]));
  if (second.length !== first.length) {
    throw refuse('second', `${first.length} images, as first has`, `${second.length}`);
  }
  return first.map((image) => {
    const other = others.get(image.id);
    if (!other || other.cellType !== image.cellType || other.groundTruths !== image.groundTruths) {
      throw refuse('second', `the same truth of image ${image.id} as first has`, other ?? 'no such image');
    }
    return [image, other];
  });
}

const mean = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;

function intervalOf(values: readonly number[], samples: number, confidence: number, draw: Random) {
  const means = Float64Array.from({ length: samples }, () => {
    let sum = 0;
    for (let i = 0; i < values.length; i++) sum += values[draw.integer(0, values.length - 1)]!;
    return sum / values.length;
  }).sort();
  return [quantile(means, (1 - confidence) / 2), quantile(means, (1 + confidence) / 2)] as const;
}
