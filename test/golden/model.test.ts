import { classifierConfig } from '../../lib/config/classifier.js';
import { maskRCNNConfig } from '../../lib/config/mask-rcnn.js';
import {
  describeGolden,
  type GoldenTensor,
  goldenJson,
  goldenTensors,
  hasGolden,
  toleranceOf,
  toleranceOfTensor,
} from '../support/golden.js';
import { readImage } from '../support/image.js';
import { type Tensor, testing } from '../support/native.js';

type Values = ArrayLike<number>;

/** Largest difference as a share of the reference's largest value. */
function relativeError(actual: Values, expected: Values): number {
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

const tensorOf = ({ data, shape }: GoldenTensor) => ({ data, shape });
const valuesOf = (tensor: GoldenTensor | Tensor) => tensor.data as Float32Array;

/**
 * Every k-th element along each axis, k being the smallest step that gives the sample's length; a reference written
 * as level[0] has one axis fewer than the tensor.
 */
function sampled(tensor: Tensor, shape: number[]): Float32Array {
  const sizes = tensor.shape.slice(tensor.shape.length - shape.length);
  expect(tensor.shape.slice(0, tensor.shape.length - shape.length).every((size) => size === 1)).toBe(true);
  const steps = sizes.map((size, axis) => stepOf(size, shape[axis]!));
  const strides = sizes.map((_, axis) => sizes.slice(axis + 1).reduce((a, b) => a * b, 1));
  const result = new Float32Array(shape.reduce((a, b) => a * b, 1));
  const data = valuesOf(tensor);
  for (let i = 0; i < result.length; i++) {
    let rest = i;
    let at = 0;
    for (let axis = shape.length - 1; axis >= 0; axis--) {
      at += (rest % shape[axis]!) * steps[axis]! * strides[axis]!;
      rest = Math.floor(rest / shape[axis]!);
    }
    result[i] = data[at]!;
  }
  return result;
}

/** Steps of samples are powers of two. */
function stepOf(size: number, length: number): number {
  let step = 1;
  while (Math.ceil(size / step) > length) step *= 2;
  expect(Math.ceil(size / step)).toBe(length);
  return step;
}

describeGolden('weight formula', { goldens: ['formula_check.json'] }, () => {
  const golden = hasGolden('formula_check.json')
    ? goldenJson<Record<string, number[]>>('formula_check.json')
    : {};

  test.each(Object.entries(golden))('%s', (key, expected) => {
    const { data } = testing().formulaUniform(key, expected.length) as Tensor;
    expect(Array.from(valuesOf({ data, shape: [] }))).toEqual(expected);
  });
});

describeGolden('anchors', { goldens: ['anchors.safetensors'] }, () => {
  test('equal the reference', () => {
    const { tensors, metadata } = goldenTensors('anchors.safetensors');
    const read = (key: string) => JSON.parse(metadata[key]!) as number[];
    const sizes = read('sizes').map((size) => [size]);
    const anchors = testing().anchors(
      { sizes, aspectRatios: sizes.map(() => read('ratios')) },
      read('feature_maps'),
      read('image'),
    ) as Tensor;
    expect(anchors.shape).toEqual(tensors.anchors!.shape);
    expect(relativeError(valuesOf(anchors), valuesOf(tensors.anchors!))).toBe(0);
  });
});

describeGolden('box coder', { goldens: ['box_coder.safetensors'] }, () => {
  const read = () => {
    const { tensors, metadata } = goldenTensors('box_coder.safetensors');
    return { tensors, weights: JSON.parse(metadata.weights!) as number[] };
  };

  test('encodes like the reference', () => {
    const { tensors, weights } = read();
    const encoded = testing().encodeBoxes(
      weights,
      tensorOf(tensors.reference!),
      tensorOf(tensors.proposals!),
    );
    expect(relativeError(valuesOf(encoded), valuesOf(tensors.encoded!))).toBeLessThan(1e-6);
  });

  test('decodes like the reference', () => {
    const { tensors, weights } = read();
    const decoded = testing().decodeBoxes(weights, tensorOf(tensors.deltas!), tensorOf(tensors.proposals!));
    expect(relativeError(valuesOf(decoded), valuesOf(tensors.decoded!))).toBeLessThan(1e-6);
  });
});

const STAGES = 'maskrcnn_r50_stages.safetensors';
const stages = hasGolden(STAGES) ? goldenTensors(STAGES) : { tensors: {}, metadata: {} };
const stagesImage = JSON.parse(stages.metadata.image ?? '""') as string;

describeGolden(
  'Mask R-CNN R50-FPN, formula weights, stage by stage',
  { goldens: [STAGES], images: [stagesImage] },
  () => {
    const { tensors, metadata } = stages;
    let addon: ReturnType<typeof testing>;
    let network: unknown;
    let imageSize: number[];
    let batch: { input: Tensor; sizes: number[][] };
    let levels: Tensor[];

    beforeAll(async () => {
      addon = testing();
      imageSize = JSON.parse(metadata.image_size!);
      network = addon.createMaskRCNN(maskRCNNConfig());
      addon.fillWithFormula(network);
      batch = addon.transform(network, [await readImage(stagesImage)]);
      levels = addon.backbone(network, batch.input);
    });

    const expectClose = (actual: Tensor, name: string) => {
      const golden = tensors[name]!;
      expect(relativeError(sampled(actual, golden.shape), valuesOf(golden))).toBeLessThan(
        toleranceOfTensor(metadata, name, 1e-4),
      );
    };

    test('transform', () => {
      expect(batch.input.shape).toEqual(JSON.parse(metadata.resized!));
      expect(batch.sizes).toEqual([imageSize]);
      expectClose(batch.input, 'input_sample');
    });

    test('feature pyramid', () => {
      const names = Object.keys(tensors).flatMap((key) => /^fpn_(\w+)_sample$/.exec(key)?.[1] ?? []);
      expect(levels).toHaveLength(names.length);
      for (const name of names) {
        const level = name === 'pool' ? levels.at(-1)! : levels[Number(name)]!;
        expectClose(level, `fpn_${name}_sample`);
        expect(
          relativeError(statistics(valuesOf(level)), valuesOf(tensors[`fpn_${name}_stats`]!)),
        ).toBeLessThan(toleranceOfTensor(metadata, `fpn_${name}_stats`, 1e-4));
      }
    });

    test('region proposal head', () => {
      const { objectness, deltas } = addon.rpnHead(network, levels) as Record<string, Tensor[]>;
      expect(Object.keys(tensors).filter((key) => key.startsWith('rpn_deltas_'))).toHaveLength(
        deltas!.length,
      );
      for (const [i, map] of objectness!.entries()) expectClose(map, `rpn_objectness_${i}`);
      for (const [i, map] of deltas!.entries()) expectClose(map, `rpn_deltas_${i}`);
    });

    test('box and mask heads over the given proposals', () => {
      const heads = addon.roiHeads(network, levels, tensorOf(tensors.proposals!), imageSize) as Record<
        string,
        Tensor
      >;
      expectClose(heads.boxFeatures!, 'box_features_sample');
      expectClose(heads.classLogits!, 'class_logits');
      expectClose(heads.boxRegression!, 'box_regression');
      expectClose(heads.maskFeatures!, 'mask_features_sample');
      expectClose(heads.maskLogits!, 'mask_logits');
    });
  },
);

/** Mean, standard deviation (with Bessel's correction) and largest magnitude. */
function statistics(values: Float32Array): number[] {
  // Loops without calls, because Jest is slow with Math and closures, and there are millions of values.
  let sum = 0;
  let largest = 0;
  for (let i = 0; i < values.length; i++) {
    const value = values[i]!;
    sum += value;
    if (value > largest) largest = value;
    else if (-value > largest) largest = -value;
  }
  const mean = sum / values.length;
  let squares = 0;
  for (let i = 0; i < values.length; i++) squares += (values[i]! - mean) * (values[i]! - mean);
  return [mean, Math.sqrt(squares / (values.length - 1)), largest];
}

interface LogitsGolden {
  num_classes: number;
  /** Missing in older goldens. */
  cases: { image: string; logits: number[]; spread?: number }[];
}

const LOGITS = 'resnet18_logits.json';
const logitsGolden = hasGolden(LOGITS) ? goldenJson<LogitsGolden>(LOGITS) : undefined;

describeGolden(
  'ResNet18 classifier, formula weights',
  { goldens: [LOGITS], images: logitsGolden?.cases.map(({ image }) => image) ?? [] },
  () => {
    test.each(logitsGolden?.cases ?? [])('logits of $image', async ({ image, logits, spread }) => {
      const classNames = Array.from({ length: logitsGolden!.num_classes }, (_, i) => `class ${i}`);
      const addon = testing();
      const network = addon.createClassifier(classifierConfig({ classNames, resize: null }));
      addon.fillWithFormula(network);
      const actual = addon.logits(network, await readImage(image)) as Tensor;
      expect(relativeError(valuesOf(actual), logits)).toBeLessThan(toleranceOf(spread, 1e-4));
    });
  },
);
