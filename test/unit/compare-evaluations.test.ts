import type { Evaluation, ImageScores } from '../../lib/metrics/index.js';
import { compareEvaluations } from '../../lib/metrics/index.js';

/** An evaluation with scores per image only. */
const scored = (scores: readonly number[], type?: (i: number) => string) =>
  ({
    perImage: scores.map(
      (kaggle, i) =>
        ({
          id: `p${i}`,
          ...(type && { cellType: type(i) }),
          groundTruths: 3,
          kaggle,
          aji: 1 - kaggle,
        }) as ImageScores,
    ),
  }) as Evaluation;

const mean = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;

describe('two evaluations of the same images', () => {
  test('differ by the mean of the differences per image', () => {
    const found = compareEvaluations(scored([0.1, 0.2, 0.6]), scored([0.2, 0.2, 0.9]));
    expect(found).toMatchObject({ metric: 'kaggle', images: 3, samples: 10_000, confidence: 0.95 });
    expect(found.first).toBeCloseTo(0.3, 12);
    expect(found.second).toBeCloseTo(1.3 / 3, 12);
    expect(found.difference).toBeCloseTo(0.4 / 3, 12);
    expect(found.perCellType).toBeUndefined();
  });

  test('have an interval that depends on the variation of the differences, not of the images', () => {
    // Images with scores from 0 to almost 1, each with the same difference.
    const before = Array.from({ length: 20 }, (_, i) => i / 25);
    const same = compareEvaluations(scored(before), scored(before.map((score) => score + 0.125)));
    expect(same.interval[0]).toBeCloseTo(0.125, 12);
    expect(same.interval[1]).toBeCloseTo(0.125, 12);
  });

  test('have the exact interval of all samples, if these can be enumerated', () => {
    // Three images, 27 equally likely draws: means -1 (8 of 27), -2/3 + … ; 10 % below falls among the lowest.
    const gains = [-0.5, 0, 0.5];
    const draws = gains
      .flatMap((a) => gains.flatMap((b) => gains.map((c) => mean([a, b, c]))))
      .sort((a, b) => a - b);
    const found = compareEvaluations(scored([0.5, 0.5, 0.5]), scored([0, 0.5, 1]), {
      samples: 20_000,
      confidence: 0.8,
    });
    // The 10th percentile lies well within the draws of -1/3 (4 % to 15 % of all).
    expect(draws[Math.floor(27 * 0.1)]).toBeCloseTo(-1 / 3, 12);
    expect(found.interval[0]).toBeCloseTo(-1 / 3, 12);
    expect(found.interval[1]).toBeCloseTo(1 / 3, 12);
  });

  test('have nearly the normal interval with many images', () => {
    const gains = Array.from({ length: 400 }, (_, i) => ((i * 37) % 100) / 500 - 0.05);
    const { interval, difference } = compareEvaluations(
      scored(gains.map(() => 0.2)),
      scored(gains.map((gain) => 0.2 + gain)),
    );
    const deviation = Math.sqrt(mean(gains.map((gain) => (gain - mean(gains)) ** 2)) / gains.length);
    expect(interval[0]).toBeCloseTo(difference - 1.96 * deviation, 3);
    expect(interval[1]).toBeCloseTo(difference + 1.96 * deviation, 3);
  });

  test('are reported per type, and the samples of one type do not affect another', () => {
    const type = (i: number) => (i % 2 ? 'odd' : 'even');
    const [a, b] = [
      [0.1, 0.5, 0.3, 0.4],
      [0.2, 0.1, 0.7, 0.4],
    ];
    const found = compareEvaluations(scored(a, type), scored(b, type), { seed: 7 });
    expect(found.perCellType!.even).toMatchObject({ images: 2 });
    expect(found.perCellType!.even!.difference).toBeCloseTo(0.25, 12);
    expect(found.perCellType!.odd!.difference).toBeCloseTo(-0.2, 12);
    const changed = compareEvaluations(scored(a, type), scored([0.2, 0.9, 0.7, 0], type), { seed: 7 });
    expect(changed.perCellType!.even).toEqual(found.perCellType!.even);
    expect(changed.perCellType!.odd).not.toEqual(found.perCellType!.odd);
  });

  test('depend only on the seed, and are paired by id', () => {
    const [a, b] = [scored([0.1, 0.5, 0.3, 0.45]), scored([0.2, 0.1, 0.7, 0.4])];
    const turned = { ...b, perImage: b.perImage.toReversed() };
    expect(compareEvaluations(a, turned, { seed: 3 })).toEqual(compareEvaluations(a, b, { seed: 3 }));
    const few = { samples: 50 };
    expect(compareEvaluations(a, b, { ...few, seed: 4 }).interval).not.toEqual(
      compareEvaluations(a, b, { ...few, seed: 3 }).interval,
    );
  });

  test('can be compared by the aggregated Jaccard index', () => {
    const found = compareEvaluations(scored([0.1, 0.2]), scored([0.2, 0.3]), { metric: 'aji' });
    expect(found.difference).toBeCloseTo(-0.1, 12);
  });

  test('are refused if the images differ', () => {
    const a = scored([0.1, 0.2]);
    expect(() => compareEvaluations(a, scored([0.1]))).toThrow('2 images, as first has');
    const other = { ...a, perImage: a.perImage.map((one) => ({ ...one, id: `${one.id}!` })) };
    expect(() => compareEvaluations(a, other)).toThrow('no such image');
    const groundTruth = { ...a, perImage: a.perImage.map((one) => ({ ...one, groundTruths: 4 })) };
    expect(() => compareEvaluations(a, groundTruth)).toThrow('the same ground truth of image p0');
    expect(() => compareEvaluations(a, a, { samples: 1 })).toThrow('for samples');
    expect(() => compareEvaluations(a, a, { metric: 'f1' as never })).toThrow("'kaggle', 'aji' for metric");
    expect(() => compareEvaluations(a, a, { sample: 3 } as never)).toThrow('did you mean samples?');
  });
});
