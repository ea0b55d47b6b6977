import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Command } from 'commander';
import { thresholdsOf, withThresholds } from '../../lib/cli/thresholds.js';
import { maskRCNNConfig } from '../../lib/config/mask-rcnn.js';
import { CellSegmenter } from '../../lib/index.js';
import {
  justBelow,
  maxLostOf,
  nativeThresholds,
  REMOVE_OVERLAPS,
  THRESHOLD_NAMES,
  THRESHOLDS,
  thresholdSpec,
} from '../../lib/inference/thresholds.js';
import { evaluate } from '../../lib/metrics.js';
import { image, root, testEnsemble, thrown } from '../support/sdk.js';

const source = readFileSync(join(root, 'lib/inference/thresholds.ts'), 'utf8');

/** The docstring of a field of SegmentThresholds, on one line. */
function docstringOf(name: string): string {
  const body = source.slice(source.indexOf('export interface SegmentThresholds'));
  const field = new RegExp(`/\\*\\*((?:(?!\\*/)[\\s\\S])*)\\*/\\s*${name.split('.').at(-1)}\\?:`);
  const nested = name.startsWith('rpn.') ? body.slice(body.indexOf('rpn?: {')) : body;
  return field
    .exec(nested)![1]!
    .replaceAll(/\s*\n\s*\*\s*/g, ' ')
    .trim();
}

test.each(THRESHOLD_NAMES)('the docstring of %s equals the table', (name) => {
  const { range, unit, description, defaultText } = thresholdSpec(name);
  const what = `${unit[0]!.toUpperCase()}${unit.slice(1)}`;
  expect(docstringOf(name)).toBe(
    `${description} ${what}, ${range.min} to ${range.max}; default ${defaultText}.`,
  );
});

test('the docstring of removeOverlaps equals the table', () => {
  const { description, range, defaultText } = REMOVE_OVERLAPS;
  const text = docstringOf('removeOverlaps');
  expect(text.replaceAll('`', '')).toContain(description.replaceAll('`', '').split('. ')[1]);
  expect(text).toContain(`Share, ${range.min} to ${range.max}; default ${defaultText}.`);
});

test('every threshold has a flag, whose value becomes the option of segment', () => {
  const command = withThresholds(new Command().exitOverride());
  const values = {
    minScore: 0.7,
    maskThreshold: 0.4,
    nmsThreshold: 0.3,
    minArea: 12,
    detectionsPerImage: 50,
    rpn: { preNmsTopN: 500, postNmsTopN: 400, nmsThreshold: 0.6, scoreThreshold: 0.1 },
    removeOverlaps: { maxLost: 0.25 },
  };
  command.parse(
    [
      '--min-score=0.7',
      '--mask-threshold=0.4',
      '--nms-threshold=0.3',
      '--min-area=12',
      '--detections-per-image=50',
      '--rpn-pre-nms-top-n=500',
      '--rpn-post-nms-top-n=400',
      '--rpn-nms-threshold=0.6',
      '--rpn-score-threshold=0.1',
      '--remove-overlaps=0.25',
    ],
    { from: 'user' },
  );
  expect(thresholdsOf(command.opts())).toEqual(values);
  const help = command.helpInformation().replaceAll(/\s+/g, ' ');
  for (const name of THRESHOLD_NAMES) expect(help).toContain(`(default: ${thresholdSpec(name).defaultText}`);
});

test('the native request has every threshold: the caller’s, the model’s or the default', () => {
  const config = maskRCNNConfig({ box: { detectionsPerImage: 539 } });
  expect(nativeThresholds(config, {})).toEqual({
    scoreThreshold: justBelow(0.5),
    maskThreshold: 0.5,
    nmsThreshold: config.box.nmsThreshold,
    minArea: 0,
    detectionsPerImage: 539,
    rpnPreNmsTopN: config.rpn.preNmsTopN,
    rpnPostNmsTopN: config.rpn.postNmsTopN,
    rpnNmsThreshold: config.rpn.nmsThreshold,
    rpnScoreThreshold: config.rpn.scoreThreshold,
    maxLost: null,
  });
  expect(nativeThresholds(config, { minScore: 0.01 }).scoreThreshold).toBe(config.box.scoreThreshold);
  expect(nativeThresholds(config, { rpn: { postNmsTopN: 7 } }).rpnPostNmsTopN).toBe(7);
});

test('a threshold for float32 scores keeps those that are at least the number', () => {
  const numbers = [0, 1e-45, 1e-30, 0.05, 0.1, 0.5, 0.59, 1 / 3, 0.999, 1, 2, -0.5, Math.fround(0.3)];
  for (const number of numbers) {
    const threshold = justBelow(number);
    expect(Math.fround(threshold)).toBe(threshold);
    const bits = new Int32Array(Float32Array.of(number).buffer)[0]!;
    for (let step = -3; step <= 3; step++) {
      const score = new Float32Array(Int32Array.of(bits + step).buffer)[0]!;
      if (!Number.isNaN(score))
        expect([number, score, score > threshold]).toEqual([number, score, score >= number]);
    }
  }
});

test('minScore and removeOverlaps mean the same in segment and in evaluate', async () => {
  await using segmenter = await CellSegmenter.load(join(testEnsemble, 'fluorescence.safetensors'));
  const bytes = readFileSync(image.small);
  const all = await segmenter.segment(bytes, { minScore: 0.1 });
  const groundTruth = all.cells.masks.select([0]);
  // The score of one cell: both functions keep that cell.
  const minScore = all.cells.scores[5]!;
  for (const removeOverlaps of [false, true, { maxLost: 0.3 }]) {
    const { cells } = await segmenter.segment(bytes, { minScore, removeOverlaps });
    const evaluation = await evaluate(
      [{ id: 'image', groundTruth, predicted: all.cells.masks, scores: all.cells.scores }],
      { minScore, removeOverlaps },
    );
    expect(evaluation.predictions).toBe(cells.length);
    if (removeOverlaps === false) expect(cells.length).toBe(6);
  }
  expect(maxLostOf(true)).toBe(THRESHOLDS.minScore.range.max);
});

test.each([
  [null, /null/],
  ['yes', /"yes"/],
  [{ maxLost: 2 }, /removeOverlaps\.maxLost/],
  [{ maxlost: 0.2 }, /did you mean maxLost/],
])('removeOverlaps %p is refused', (value, message) => {
  expect(thrown(() => maxLostOf(value))).toMatchObject({
    code: 'INVALID_ARGUMENT',
    message: expect.stringMatching(message),
  });
});
