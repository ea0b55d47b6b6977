import { describeGolden, type GoldenTensor, goldenTensors } from '../support/golden.js';
import { type Tensor, testing } from '../support/native.js';

interface RoiAlignCase {
  spatial_scale: number;
  pooled: [number, number];
  sampling_ratio: number;
  aligned: boolean;
}

const tensorOf = ({ data, shape }: GoldenTensor) => ({ data, shape }) as Tensor;
const rows = ({ data, shape }: GoldenTensor, begin: number, end: number): Tensor => ({
  data: (data as Float32Array).slice(begin * shape[1]!, end * shape[1]!),
  shape: [end - begin, shape[1]!],
});

/** Largest difference of two tensors of equal shape; NaN if only one of them has a NaN at some position. */
function worst(actual: Tensor, expected: GoldenTensor): number {
  expect(actual.shape).toEqual(expected.shape);
  let largest = 0;
  for (let i = 0; i < expected.data.length; i++) {
    const [a, b] = [Number(actual.data[i]), Number(expected.data[i])];
    if (Number.isNaN(a) && Number.isNaN(b)) continue;
    const difference = Math.abs(a - b);
    if (!(difference <= largest)) largest = difference;
  }
  return largest;
}

describeGolden('roi_align', { goldens: ['roi_align.safetensors'] }, () => {
  const { tensors, metadata } = goldenTensors('roi_align.safetensors');
  const cases = JSON.parse(metadata.cases!) as RoiAlignCase[];
  const [features, rois] = [tensorOf(tensors.features!), tensorOf(tensors.rois!)];
  const optionsOf = ({ spatial_scale, pooled, sampling_ratio, aligned }: RoiAlignCase) => ({
    spatialScale: spatial_scale,
    pooled,
    samplingRatio: sampling_ratio,
    aligned,
  });

  test.each(cases.map((options, i) => ({ ...options, i })))(
    'case $i: pooled $pooled, ratio $sampling_ratio, aligned $aligned',
    ({ i, ...options }) => {
      const output = testing().roiAlign(features, rois, optionsOf(options));
      expect(worst(output, tensors[`out${i}`]!)).toBeLessThanOrEqual(1e-6);
      const weight = tensorOf(tensors[`weight${i}`]!);
      const grad = testing().roiAlignBackward(features, rois, optionsOf(options), weight);
      expect(worst(grad, tensors[`grad${i}`]!)).toBeLessThanOrEqual(1e-5);
    },
  );
});

describeGolden('nms and box_iou', { goldens: ['nms.safetensors'] }, () => {
  const { tensors } = goldenTensors('nms.safetensors');
  const [boxes, scores, levels] = [tensors.boxes!, tensors.scores!, tensors.levels!];

  /** Descending scores; equal ones by index, because their order is arbitrary. */
  const canonical = (kept: Iterable<bigint | number>) =>
    Array.from(kept, Number).sort((a, b) => Number(scores.data[b]) - Number(scores.data[a]) || a - b);

  const names = Object.keys(tensors).filter((name) => /^(batched_)?keep_/.test(name));
  test('the file has results of both', () => {
    expect(names.some((name) => name.startsWith('batched_'))).toBe(true);
    expect(names.some((name) => name.startsWith('keep_'))).toBe(true);
  });

  test.each(names)('%s', (name) => {
    const threshold = Number(name.slice(name.lastIndexOf('_') + 1));
    const { data } = (
      name.startsWith('batched_')
        ? testing().batchedNms(tensorOf(boxes), tensorOf(scores), tensorOf(levels), threshold)
        : testing().nms(tensorOf(boxes), tensorOf(scores), threshold)
    ) as { data: BigInt64Array };
    const order = Array.from(data, (index) => Number(scores.data[Number(index)]));
    expect(order).toEqual(order.toSorted((a, b) => b - a));
    expect(canonical(data)).toEqual(canonical(tensors[name]!.data as BigInt64Array));
  });

  test('box_iou of the first boxes with later ones', () => {
    const [first, second] = tensors.box_iou!.shape as [number, number];
    const iou = testing().boxIou(rows(boxes, 0, first), rows(boxes, first, first + second));
    expect(worst(iou, tensors.box_iou!)).toBeLessThanOrEqual(1e-7);
  });
});

describeGolden('paste_masks', { goldens: ['paste_masks.safetensors'] }, () => {
  const { tensors } = goldenTensors('paste_masks.safetensors');
  const { boxes, probs, pasted } = tensors as Record<string, GoldenTensor>;
  const [count, , height, width] = pasted!.shape as [number, number, number, number];
  const side = probs!.shape[3]!;

  test.each([0, 0.1, 0.3, 0.5, 0.6, 0.8])('above %f', (threshold) => {
    const masks: Uint32Array[] = testing().pasteMasks(
      { data: probs!.data, shape: [count, side, side] },
      tensorOf(boxes!),
      height,
      width,
      threshold,
    );
    expect(masks).toHaveLength(count);
    for (const [i, counts] of masks.entries()) {
      let position = 0;
      let wrong = 0;
      for (const [run, length] of counts.entries()) {
        for (const end = position + length; position < end; position++) {
          const [x, y] = [Math.floor(position / height), position % height];
          const probability = Number(pasted!.data[(i * height + y) * width + x]);
          // Only pixels whose probability nearly equals the threshold may differ, and none with probability 0.
          if (probability !== 0 && Math.abs(probability - threshold) < 1e-5) continue;
          if (probability > threshold !== (run % 2 === 1)) wrong++;
        }
      }
      expect({ mask: i, pixels: position, wrong }).toEqual({ mask: i, pixels: height * width, wrong: 0 });
    }
  });
});

describe('errors of operators are JS errors', () => {
  const map = { data: new Float32Array(16), shape: [1, 1, 4, 4] };
  const roi = (image: number) => ({ data: new Float32Array([image, 0, 0, 4, 4]), shape: [1, 5] });
  const options = { spatialScale: 1, pooled: [2, 2], samplingRatio: 2, aligned: false };

  test('an image index outside the batch', () => {
    expect(() => testing().roiAlign(map, roi(1), options)).toThrow(/index into the 1 images/);
    expect(testing().roiAlign(map, roi(0), options).shape).toEqual([1, 1, 2, 2]);
  });

  test('a negative threshold', () => {
    const mask = { data: new Float32Array(4), shape: [1, 2, 2] };
    const box = { data: new Float32Array(4), shape: [1, 4] };
    expect(() => testing().pasteMasks(mask, box, 8, 8, -1)).toThrow(/threshold must not be negative/);
  });

  test('a resize to size 0 has the right error code', () => {
    const image = { data: new Uint8Array(1), width: 1, height: 1, channels: 1 };
    expect(() => testing().resize(image, 0, 1)).toThrow(
      expect.objectContaining({ code: 'INVALID_ARGUMENT' }),
    );
  });
});
