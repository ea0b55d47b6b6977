import { duration, linesOf } from '../../../lib/cli/train-report.js';
import type { SegmenterTrainEvent } from '../../../lib/trainer/events.js';

const losses = {
  loss_classifier: 0.25,
  loss_box_reg: 0.125,
  loss_mask: 0.6928,
  loss_objectness: 0.5,
  loss_rpn_box_reg: 0,
};
const step = (batch: number): SegmenterTrainEvent => ({
  kind: 'step',
  epoch: 1,
  epochs: 10,
  step: batch,
  steps: 3100,
  batch,
  batches: 310,
  losses,
  total: 12.3456,
  lr: 0.01,
  momentum: 0.9,
  gradNorm: 1,
  imagesPerSecond: 2,
  secondsLeft: 10,
  images: ['a', 'b'],
});

test('batches and epochs are reported in the notebook’s format', () => {
  expect(linesOf(step(1))).toEqual(['Starting epoch 1 of 10']);
  expect(linesOf(step(49))).toEqual([]);
  expect(linesOf(step(50))).toEqual([
    '    [Batch  50 / 310] Batch train loss:  12.346. Mask-only loss:   0.693',
  ]);
  expect(
    linesOf({ kind: 'epoch', epoch: 1, epochs: 10, step: 310, losses, total: 1.568, seconds: 412.4 }),
  ).toEqual([
    '[Epoch  1 / 10] Train mask-only loss:   0.693',
    '[Epoch  1 / 10] Train loss:   1.568. [412 secs]',
  ]);
});

test('a classifier has no mask', () => {
  expect(
    linesOf({ kind: 'epoch', epoch: 3, epochs: 12, step: 9, losses: { loss: 0.5 }, total: 0.5, seconds: 1 }),
  ).toEqual(['[Epoch  3 / 12] Train loss:   0.500. [1 secs]']);
});

test('remaining time is printed as a clock', () => {
  expect([0, 59.6, 61, 3600, 86_400 + 61].map(duration)).toEqual([
    '00:00',
    '01:00',
    '01:01',
    '01:00:00',
    '24:01:01',
  ]);
});
