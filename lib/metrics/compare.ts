import { checkKeys, checkObject, checkOneOf, refuse } from '../check.js';
import { quantile } from '../data/quantile.js';
import { type Random, random } from '../data/random.js';
import { checkResampling } from './check.js';
import type { BootstrapOptions, Evaluation, PictureScores } from './types.js';

/** Metrics that are the mean of what each picture has. */
const PICTURE_METRICS = ['kaggle', 'aji'] as const;

export interface CompareOptions extends Partial<BootstrapOptions> {
  /** `kaggle`, the competition's precision, or `aji`. Default `kaggle`. */
  metric?: (typeof PICTURE_METRICS)[number];
}

/** What two sides scored on the same pictures. */
export interface ScoreDifference {
  pictures: number;
  first: number;
  second: number;
  /** Second less first. */
  difference: number;
  /** Of the difference, over pictures. */
  interval: readonly [low: number, high: number];
}

/** What {@link compareEvaluations} found. Plain data. */
export interface Comparison extends ScoreDifference {
  metric: (typeof PICTURE_METRICS)[number];
  samples: number;
  seed: number;
  confidence: number;
  /** Where pictures have types. */
  perType?: Record<string, ScoreDifference>;
}

/**
 * How much better the second of two evaluations of the same pictures is. Pictures are drawn with replacement and both
 * sides are judged on the same draws, so that what makes a picture hard for both does not widen the interval, as it
 * does those of the two evaluations. It tells what other pictures may change, and nothing about another training.
 *
 * @throws {CellrouteError} INVALID_ARGUMENT for options, and where the pictures are not the same.
 */
export function compareEvaluations(
  first: Evaluation,
  second: Evaluation,
  options: CompareOptions = {},
): Comparison {
  checkKeys('', checkObject('options', options), ['metric', 'samples', 'seed', 'confidence']);
  const metric = checkOneOf('metric', options.metric ?? 'kaggle', PICTURE_METRICS);
  const { metric: _, ...resampling } = options;
  const { samples, seed, confidence } = checkResampling({ samples: 10_000, ...resampling }, '');
  const pairs = paired(first.perPicture, second.perPicture);
  const differenceOf = (own: typeof pairs, ...path: string[]): ScoreDifference => {
    const scores = own.map(([a, b]) => [a[metric], b[metric]] as const);
    const differences = scores.map(([a, b]) => b - a);
    return {
      pictures: own.length,
      first: mean(scores.map(([a]) => a)),
      second: mean(scores.map(([, b]) => b)),
      difference: mean(differences),
      interval: intervalOf(differences, samples, confidence, random(seed, 'compare', ...path)),
    };
  };
  const types = [...new Set(pairs.flatMap(([{ type }]) => (type === undefined ? [] : [type])))].sort();
  return {
    metric,
    samples,
    seed,
    confidence,
    ...differenceOf(pairs),
    ...(types.length > 0 && {
      perType: Object.fromEntries(
        types.map((type) => [
          type,
          differenceOf(
            pairs.filter(([picture]) => picture.type === type),
            type,
          ),
        ]),
      ),
    }),
  };
}

type Pair = readonly [PictureScores, PictureScores];

function paired(first: readonly PictureScores[], second: readonly PictureScores[]): Pair[] {
  const others = new Map(second.map((picture) => [picture.id, picture]));
  if (second.length !== first.length) {
    throw refuse('second', `${first.length} pictures, as first has`, `${second.length}`);
  }
  return first.map((picture) => {
    const other = others.get(picture.id);
    if (!other || other.type !== picture.type || other.truths !== picture.truths) {
      throw refuse(
        'second',
        `the same truth of picture ${picture.id} as first has`,
        other ?? 'no such picture',
      );
    }
    return [picture, other];
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
