import { FinetuneReport } from '../../../lib/cli/finetune-report.js';
import type { FinetuneSummary } from '../../../lib/finetune/summary.js';

// The lines at the end of `cellroute finetune`.

const summary: FinetuneSummary = {
  format: 'cellroute-finetune',
  version: 1,
  folder: 'my-model',
  result: 'start',
  metric: 'kaggle',
  scores: {
    start: { score: 0.4 },
    scaled: { score: 0.3 },
    trained: { score: 0.35 },
    result: { score: 0.4 },
  },
  difference: { difference: 0, interval: [0, 0] },
  images: { train: 5, heldOut: 1 },
  heldOut: ['a'],
  cells: { train: 200, diameter: 20 },
  start: { name: 'histology', scale: 2, ap50: 0.8, kaggle: 0.4 },
  tried: [{ name: 'histology', scale: 2, ap50: 0.8, kaggle: 0.4 }],
  scale: null,
  thresholds: { minScore: 0.5, removeOverlaps: { maxLost: 0.2 }, rpn: { preNmsTopN: 900 } },
  training: {
    steps: 4,
    planned: 4,
    bestStep: 4,
    reason: 'finished',
    precision: 'float32',
    device: 'cpu',
    batchSize: 4,
    learningRate: 1e-4,
  },
  seconds: 61,
  source: null,
};

function linesOf(over: Partial<FinetuneSummary>): string {
  const lines: string[] = [];
  const log = jest.spyOn(console, 'log').mockImplementation((line: string) => void lines.push(line));
  new FinetuneReport({ quiet: false }).report({ kind: 'finished', summary: { ...summary, ...over } });
  log.mockRestore();
  return lines.join('\n');
}

test('one held-out image: no intervals, and how to hold out more', () => {
  const text = linesOf({});
  expect(text).toMatch(/1 held-out image {2,}kaggle\n/);
  expect(text).not.toContain('interval');
  expect(text).toMatch(/the model is the start as it is\. .*annotate more images.*--minutes/);
  expect(text).toContain('Thresholds: minScore 0.5, removeOverlaps 0.2, rpn.preNmsTopN 900\n');
  expect(text).toMatch(/uncertain: .*--validation/);
  expect(text).toMatch(/my-model.before-after\.png/);
});

test('training that helped less than its standard error is not called useless', () => {
  const scores = { start: { score: 0.4 }, scaled: { score: 0.3 }, trained: { score: 0.41 } };
  const text = linesOf({ scores: { ...scores, result: scores.start } });
  expect(text).toContain(
    'The gain of training on the held-out images can be chance: the model is the start as it is.',
  );
  expect(linesOf({ scores: { ...scores, trained: { score: 0.39 }, result: scores.start } })).toContain(
    'Training did not help on the held-out images: the model is the start as it is.',
  );
});

test('several held-out images: the difference with its interval', () => {
  const text = linesOf({
    result: 'trained',
    scores: {
      start: { score: 0.4, interval: [0.3, 0.5] },
      scaled: { score: 0.3, interval: [0.2, 0.4] },
      trained: { score: 0.5, interval: [0.4, 0.6] },
      result: { score: 0.5, interval: [0.4, 0.6] },
    },
    difference: { difference: 0.1, interval: [-0.02, 0.2] },
    images: { train: 8, heldOut: 2 },
  });
  expect(text).toMatch(/2 held-out images {2,}kaggle {2,}95 % interval/);
  expect(text).toContain('the trained network, +0.100 (-0.020 to +0.200) against the start as it is.');
  expect(text).not.toContain('uncertain');
});
