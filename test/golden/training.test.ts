import { existsSync } from 'node:fs';
import { join } from 'node:path';
import sharp from 'sharp';
import { classifierConfig } from '../../lib/config/classifier.js';
import { maskRCNNConfig } from '../../lib/config/mask-rcnn.js';
import type { TrainSample } from '../../lib/data/types.js';
import { Masks } from '../../lib/mask/masks.js';
import type { NativeOptimizer } from '../../lib/native/contract.js';
import { ClassifierNetwork, SegmenterNetwork } from '../../lib/trainer/network.js';
import type { DType } from '../../lib/weights/table.js';
import { writeWeights } from '../../lib/weights/write.js';
import {
  dataPath,
  describeGolden,
  type GoldenTensor,
  goldenJson,
  goldenPath,
  goldenTensors,
  toleranceOf,
} from '../support/golden.js';
import { readImage } from '../support/image.js';
import { type Tensor, testing } from '../support/native.js';
import { bytesOfAll, floats, options, sampling } from '../support/networks.js';
import { testEnsemble } from '../support/sdk.js';
import { temporaryFolder } from '../support/weights.js';

const tensorOf = ({ data, shape }: GoldenTensor) => ({ data, shape });

/** Largest difference as a share of the reference's largest value. */
function relativeError(actual: ArrayLike<number>, expected: ArrayLike<number>): number {
  expect(actual.length).toBe(expected.length);
  let difference = 0;
  let largest = 0;
  for (let i = 0; i < expected.length; i++) {
    const step = Math.abs(actual[i]! - expected[i]!);
    // Comparisons with NaN are false, so NaN must not count as a small difference.
    if (!(step <= difference)) difference = step;
    largest = Math.max(largest, Math.abs(expected[i]!));
  }
  return difference / Math.max(largest, Number.MIN_VALUE);
}

type OptimizerCase = NativeOptimizer & {
  lr: number[];
  momentum: number[];
  maxGradNorm: number | null;
  unreached: number[];
};

describeGolden("torch.optim's steps", { goldens: ['optimizers.safetensors'] }, () => {
  const { tensors, metadata } = goldenTensors('optimizers.safetensors');
  const cases = JSON.parse(metadata.cases!) as OptimizerCase[];
  const steps = JSON.parse(metadata.steps!) as number;
  const count = Object.keys(tensors).filter((name) => /^parameter\d+$/.test(name)).length;
  const each = (of: (i: number) => GoldenTensor | null) =>
    Array.from({ length: count }, (_, i) => {
      const tensor = of(i);
      return tensor && tensorOf(tensor);
    });

  for (const [c, one] of cases.entries()) {
    test(`case ${c}: ${one.kind}`, () => {
      const results = testing().optimize(
        one,
        each((i) => tensors[`parameter${i}`]!),
        Array.from({ length: steps }, (_, s) => ({
          lr: one.lr[s],
          momentum: one.momentum[s],
          maxGradNorm: one.maxGradNorm,
          seed: 0,
          // The second parameter has no gradient in some steps.
          gradients: each((i) =>
            i === 1 && one.unreached.includes(s) ? null : tensors[`gradient${i}.${s}`]!,
          ),
        })),
      ) as { norm: number; parameters: Tensor[] }[];
      for (const [s, { norm, parameters }] of results.entries()) {
        if (one.maxGradNorm !== null)
          expect(norm).toBeCloseTo(tensors[`case${c}.norm.${s}`]!.data[0] as number, 5);
        for (const [i, parameter] of parameters.entries()) {
          const expected = tensors[`case${c}.parameter${i}.${s}`]!.data as Float32Array;
          // SGD is bit-identical; AdamW's first moment is rounded differently (torch.optim interpolates).
          if (one.kind === 'sgd') expect(parameter.data).toEqual(expected);
          else expect(relativeError(parameter.data as Float32Array, expected)).toBeLessThan(1e-5);
        }
      }
    });
  }

  test('the average of weights and buffers', () => {
    const moves = (i: number) =>
      Array.from({ length: steps }, (_, s) => tensorOf(tensors[`gradient${i}.${s}`]!));
    const averages = testing().average(
      JSON.parse(metadata.decay!),
      tensorOf(tensors.parameter0!),
      tensorOf(tensors.parameter1!),
      moves(0),
      moves(1),
    ) as [Tensor, Tensor][];
    expect(averages).toHaveLength(steps);
    for (const [s, [weight, buffer]] of averages.entries()) {
      expect(weight.data).toEqual(tensors[`average.weight.${s}`]!.data);
      expect(buffer.data).toEqual(tensors[`average.running_mean.${s}`]!.data);
    }
  });
});

interface SegmenterGolden {
  images: string[];
  instances_used_per_image: number;
  rpn_pre_nms_top_n: number;
  rpn_post_nms_top_n: number;
  steps: ({ total: number; lr: number; momentum: number } & Record<string, number>)[];
  /** Spread of each step; missing in older goldens. */
  spread?: number[];
}

const segmenterGolden = 'nuclei_small_training.json';
const labelsOf = (image: string) => image.replace('/images/', '/labels/');

/** An image prepared like the golden's, with the first cells of its ground truth. */
async function sampleOf(name: string, cells: number): Promise<TrainSample> {
  const image = await readImage(name);
  const [, height, width] = image.shape as [number, number, number];
  let low = Number.POSITIVE_INFINITY;
  let high = Number.NEGATIVE_INFINITY;
  for (const value of image.data) {
    low = Math.min(low, value);
    high = Math.max(high, value);
  }
  const range = Math.fround(Math.fround(high - low) + Math.fround(1e-6));
  const data = await sharp(dataPath(labelsOf(name)))
    .toColourspace('grey16')
    .raw({ depth: 'ushort' })
    .toBuffer();
  const labels = new Uint16Array(new Uint8Array(data).buffer);
  const { masks } = Masks.fromLabels(labels, { width, height });
  const kept = masks.select(Array.from({ length: Math.min(cells, masks.length) }, (_, i) => i));
  return {
    pixels: image.data.map((value) => Math.fround(value - low) / range),
    width,
    height,
    masks: kept.toBatch(),
    labels: new Int32Array(kept.length).fill(1),
  };
}

const images = (() => {
  try {
    return goldenJson<SegmenterGolden>(segmenterGolden).images;
  } catch {
    return [];
  }
})();

describeGolden(
  'five SGD steps of a Mask R-CNN',
  { goldens: [segmenterGolden], images: [...images, ...images.map(labelsOf)] },
  () => {
    test('have torchvision’s losses', async () => {
      const golden = goldenJson<SegmenterGolden>(segmenterGolden);
      // As in test/golden/make/networks.py; "resize none" applies in training.
      const config = maskRCNNConfig({
        backbone: { depth: 18, norm: { kind: 'batch' }, returnedLayers: [1, 2, 3] },
        fpn: { channels: 128 },
        imageMean: [0.5, 0.5, 0.5],
        imageStd: [0.25, 0.25, 0.25],
        resize: null,
        rpn: {
          anchorSizes: [[8], [16], [32], [64]],
          aspectRatios: Array.from({ length: 4 }, () => [0.5, 1, 2]),
        },
        box: { hidden: 256 },
        mask: { channels: [128, 128, 128, 128], hidden: 128 },
      });
      await using network = await SegmenterNetwork.create(config, {
        ...options,
        updateBatchStatistics: false,
        averageDecay: null,
        sampling: {
          ...sampling,
          // All candidates, so that the losses do not depend on random sampling.
          rpnBatchSize: 1e9,
          boxBatchSize: 1e9,
          rpnPreNmsTopN: golden.rpn_pre_nms_top_n,
          rpnPostNmsTopN: golden.rpn_post_nms_top_n,
        },
      });
      const named = goldenPath('nuclei_small.pth');
      const report = await network.start(
        existsSync(named) ? named : join(testEnsemble, 'fluorescence.safetensors'),
      );
      expect(report.initialized).toEqual([]);
      const samples = await Promise.all(
        golden.images.map((image) => sampleOf(image, golden.instances_used_per_image)),
      );
      for (const [i, { total, lr, momentum, ...losses }] of golden.steps.entries()) {
        const result = await network.step(samples, { lr, momentum, maxGradNorm: null, seed: i });
        expect(result.applied).toBe(true);
        expect(Object.keys(result.losses).sort()).toEqual(Object.keys(losses).sort());
        for (const [name, loss] of Object.entries(losses)) {
          // A share of the total: the smallest loss is a ten-thousandth of it. Rounding grows three- to tenfold per
          // step, and with it the reference's spread.
          expect(Math.abs(result.losses[name]! - loss) / total).toBeLessThan(
            toleranceOf(golden.spread?.[i], i < 4 ? 1e-5 : 5e-5),
          );
        }
      }
    });
  },
);

type ClassifierCase = NativeOptimizer & {
  head: 'linear' | 'concat-pool';
  norm: 'batch' | 'group';
  classWeights: number[];
  maxGradNorm: number | null;
  lr: number[];
  momentum: number[];
  seeds: number[];
};

describeGolden("a classifier's steps", { goldens: ['classifier_training.safetensors'] }, () => {
  const { tensors, metadata } = goldenTensors('classifier_training.safetensors');
  const cases = JSON.parse(metadata.cases!) as ClassifierCase[];
  const stored = JSON.parse(metadata.steps!) as { loss: number; gradNorm: number }[][];
  const spreads = JSON.parse(metadata.spread ?? '[]') as { loss: number; gradNorm: number; end: number }[];
  const temporary = temporaryFolder();
  const labels = Array.from(tensors.labels!.data as BigInt64Array, Number);
  const [, , height, width] = tensors.pictures!.shape as [number, number, number, number];
  const size = 3 * height * width;
  const samples = labels.map((label, i) => ({
    pixels: Float32Array.from(
      (tensors.pictures!.data as Uint8Array).subarray(i * size, (i + 1) * size),
      (value) => value / 255,
    ),
    width,
    height,
    label,
  }));

  for (const [c, one] of cases.entries()) {
    test(`case ${c}: ${one.head}, ${one.norm} norm, ${one.kind}`, async () => {
      const start = `case${c}.start.`;
      const path = temporary(`start${c}.safetensors`);
      await writeWeights(path, {
        tensors: Object.entries(tensors)
          .filter(([name]) => name.startsWith(start))
          .map(([name, { dtype, shape, data }]) => ({
            name: name.slice(start.length),
            dtype: dtype as DType,
            shape,
            read: () => new Uint8Array(data.buffer),
          })),
      });
      await using network = await ClassifierNetwork.create(
        classifierConfig({
          backbone: {
            depth: 18,
            width: JSON.parse(metadata.width!),
            norm: { kind: one.norm, groups: JSON.parse(metadata.width!) },
          },
          head: { kind: one.head, hidden: JSON.parse(metadata.hidden!) },
          classNames: ['a', 'b', 'c'],
          resize: null,
        }),
        { ...options, optimizer: one, averageDecay: null, classWeights: one.classWeights },
      );
      expect((await network.start(path)).initialized).toEqual([]);
      for (const [s, expected] of stored[c]!.entries()) {
        const result = await network.step(samples, {
          lr: one.lr[s]!,
          momentum: one.momentum[s]!,
          maxGradNorm: one.maxGradNorm,
          seed: one.seeds[s]!,
        });
        expect(result.applied).toBe(true);
        expect(Math.abs(result.losses.loss! / expected.loss - 1)).toBeLessThan(
          toleranceOf(spreads[c]?.loss, 2e-5),
        );
        expect(Math.abs(result.gradNorm / expected.gradNorm - 1)).toBeLessThan(
          toleranceOf(spreads[c]?.gradNorm, 1e-3),
        );
      }
      const state = await bytesOfAll(network.tensors());
      for (const [name, tensor] of Object.entries(tensors)) {
        const end = `case${c}.end.`;
        if (!name.startsWith(end) || tensor.dtype !== 'F32') continue;
        const actual = floats(state.get(`model.${name.slice(end.length)}`)!);
        expect(relativeError(actual, tensor.data as Float32Array)).toBeLessThan(
          toleranceOf(spreads[c]?.end, 1e-3),
        );
      }
    });
  }
});

describeGolden("a fastai export's backbone", { goldens: ['fastai_resnet18.pkl'] }, () => {
  test("becomes a Mask R-CNN's, tensor by tensor", async () => {
    const config = maskRCNNConfig({ backbone: { depth: 18, norm: { kind: 'batch' } } });
    await using network = await SegmenterNetwork.create(config, { ...options, averageDecay: null, sampling });
    const names = network.tensors().map(({ name }) => name);
    const { loaded, initialized, skipped } = await network.startFromClassifier(
      goldenPath('fastai_resnet18.pkl'),
    );
    const backbone = names.filter((name) => name.startsWith('model.backbone.body.'));
    expect(loaded.map((name) => `model.${name}`).sort()).toEqual(backbone.sort());
    expect(initialized.some((name) => name.startsWith('backbone.body.'))).toBe(false);
    // Only the tensors of its head.
    expect(skipped.length).toBeGreaterThan(0);
    expect(skipped.every((sentence) => sentence.startsWith('backbone.body.head.'))).toBe(true);
  });
});
