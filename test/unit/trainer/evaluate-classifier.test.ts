import { classifierEvaluation } from '../../../lib/trainer/evaluate-classifier.js';

const named = (id: string, cellType: string, logits: number[]) => {
  const exps = logits.map(Math.exp);
  const sum = exps.reduce((a, b) => a + b);
  const index = logits.indexOf(Math.max(...logits));
  const classNames = ['astro', 'cort', 'shsy5y'];
  return {
    id,
    cellType,
    classification: {
      cellType: classNames[index]!,
      index,
      probabilities: Object.fromEntries(classNames.map((name, i) => [name, exps[i]! / sum])),
      logits: Float32Array.from(logits),
    },
  };
};

test('computes the confusion matrix, compared with one made by hand', () => {
  const images = [
    named('a', 'astro', [2, 1, 0]),
    named('b', 'astro', [0, 1, 0.5]),
    named('c', 'astro', [3, 1, 0.5]),
    named('d', 'cort', [0, 4, 0.5]),
    // Logits whose exponential overflows.
    named('e', 'cort', [500, -500, 0]),
  ];
  const { accuracy, balancedAccuracy, confusion, loss, perImage } = classifierEvaluation(images, [
    'astro',
    'cort',
    'shsy5y',
  ]);
  expect(confusion).toEqual([
    [2, 1, 0],
    [1, 1, 0],
    [0, 0, 0],
  ]);
  expect(accuracy).toBe(3 / 5);
  expect(balancedAccuracy).toBeCloseTo((2 / 3 + 1 / 2) / 2, 12);
  const losses = images
    .slice(0, 4)
    .map(({ cellType, classification }) => -Math.log(classification.probabilities[cellType]!));
  expect(loss).toBeCloseTo((losses.reduce((a, b) => a + b) + 1000) / 5, 5);
  expect(perImage[1]).toMatchObject({ id: 'b', cellType: 'astro', predicted: 'cort' });
});
