import { classifierConfig } from '../../lib/config/classifier.js';
import { type MaskRCNNConfig, maskRCNNConfig } from '../../lib/config/mask-rcnn.js';
import type { ClassifySample, TrainSample } from '../../lib/data/types.js';
import { Masks } from '../../lib/mask/masks.js';
import type { NativeSampling, NativeStep, NativeTrainerOptions } from '../../lib/native/contract.js';
import type { TensorSource } from '../../lib/weights/source.js';
import { random } from './weights.js';

// Networks that are small enough to train in a test, and their samples.

/** torchvision's defaults, scaled for small images. */
export const sampling: NativeSampling = {
  rpnFgIou: 0.7,
  rpnBgIou: 0.3,
  rpnBatchSize: 64,
  rpnPositiveFraction: 0.5,
  rpnPreNmsTopN: 100,
  rpnPostNmsTopN: 50,
  boxFgIou: 0.5,
  boxBgIou: 0.5,
  boxBatchSize: 32,
  boxPositiveFraction: 0.25,
  skipResize: false,
};

/** All layers are trained with SGD, and an average is kept. */
export const options: NativeTrainerOptions = {
  optimizer: { kind: 'sgd', weightDecay: 0.0005, nesterov: false },
  trainableLayers: 5,
  updateBatchStatistics: true,
  averageDecay: 0.9,
  precision: 'float32',
  deterministic: false,
  seed: 1,
};

export const step = (seed: number, over: Partial<NativeStep> = {}): NativeStep => ({
  lr: 0.01,
  momentum: 0.9,
  maxGradNorm: null,
  seed,
  ...over,
});

/** The smallest Mask R-CNN with every part. */
export const tinyMaskRCNN = (kind: MaskRCNNConfig['backbone']['norm']['kind'] = 'batch', numClasses = 3) =>
  maskRCNNConfig({
    backbone: { depth: 18, width: 8, norm: { kind, groups: 4 }, returnedLayers: [1, 2, 3] },
    fpn: { channels: 8 },
    numClasses,
    resize: null,
    rpn: { anchorSizes: [[8], [16], [32], [64]], aspectRatios: Array.from({ length: 4 }, () => [0.5, 1, 2]) },
    box: { hidden: 16 },
    mask: { channels: [8], hidden: 8 },
  });

export const tinyClassifier = (head: 'linear' | 'concat-pool' = 'linear', classes = 3) =>
  classifierConfig({
    backbone: { depth: 18, width: 8 },
    head: { kind: head, hidden: 8 },
    classNames: Array.from({ length: classes }, (_, i) => `type ${i}`),
    resize: null,
  });

/** Bright squares on a dark, noisy background, alternately with class 1 and 2. */
export function squares(seed: number, size = 64, cells = 4): TrainSample {
  const draw = random(seed);
  const plane = Float32Array.from({ length: size * size }, () => 0.2 * draw());
  const masks = Array.from({ length: cells }, () => {
    const side = 8 + Math.floor(draw() * 12);
    const left = Math.floor(draw() * (size - side));
    const top = Math.floor(draw() * (size - side));
    const mask = new Uint8Array(size * size);
    for (let y = top; y < top + side; y++) {
      mask.fill(1, y * size + left, y * size + left + side);
      plane.fill(0.9, y * size + left, y * size + left + side);
    }
    return mask;
  });
  const pixels = new Float32Array(3 * size * size);
  for (let channel = 0; channel < 3; channel++) pixels.set(plane, channel * size * size);
  return {
    pixels,
    width: size,
    height: size,
    masks: Masks.encode(Uint8Array.from(masks.flatMap((mask) => [...mask])), {
      width: size,
      height: size,
      count: cells,
    }).toBatch(),
    labels: Int32Array.from(masks, (_, i) => 1 + (i % 2)),
  };
}

/** Images with different textures: uniform, horizontal stripes, vertical stripes. */
export function texture(seed: number, label: number, size = 32): ClassifySample {
  const draw = random(seed);
  const pixels = new Float32Array(3 * size * size);
  for (let i = 0; i < pixels.length; i++) {
    const x = i % size;
    const y = Math.floor(i / size) % size;
    const wave = label === 0 ? 0.5 : Math.floor((label === 1 ? x : y) / 4) % 2;
    pixels[i] = 0.8 * wave + 0.2 * draw();
  }
  return { pixels, width: size, height: size, label };
}

/** Every tensor's bytes by name. */
export async function bytesOfAll(tensors: readonly TensorSource[]): Promise<Map<string, Buffer>> {
  const all = new Map<string, Buffer>();
  for (const tensor of tensors) all.set(tensor.name, Buffer.from(await tensor.read()));
  return all;
}

/** Names of the tensors whose bytes differ. */
export function differing(a: Map<string, Buffer>, b: Map<string, Buffer>): string[] {
  expect([...b.keys()]).toEqual([...a.keys()]);
  return [...a.keys()].filter((name) => !a.get(name)!.equals(b.get(name)!));
}

export const floats = (bytes: Uint8Array): Float32Array => new Float32Array(new Uint8Array(bytes).buffer);
