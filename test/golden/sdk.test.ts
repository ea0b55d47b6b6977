import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  CellClassifier,
  CellSegmenter,
  type MaskRCNNConfig,
  Masks,
  type PartialMaskRCNNConfig,
} from '../../lib/index.js';
import {
  dataPath,
  describeGolden,
  goldenJson,
  goldenPath,
  goldenTensors,
  hasGolden,
  hasImage,
} from '../support/golden.js';
import { testEnsemble } from '../support/sdk.js';

// End to end, from an image file to cells and types.

interface Detection {
  image: string;
  resize: string;
  size: [number, number];
  boxes: number[][];
  scores: number[];
  labels: number[];
  [masks: `masks_at_${string}`]: string[];
}

interface DetectionsGolden {
  config: Record<string, unknown>;
  checkpoint: string;
  detections: Detection[];
}

/** Converts a golden's network configuration to ours. */
function configOf(given: Record<string, unknown>): PartialMaskRCNNConfig {
  const levels = (given.returned_layers as number[]).length + (given.extra_level ? 1 : 0);
  const sizes = given.anchor_sizes as (number | number[])[];
  return {
    backbone: {
      depth: Number(/\d+/.exec(given.backbone as string)![0]) as MaskRCNNConfig['backbone']['depth'],
      norm: { kind: /^Frozen/.test(given.norm as string) ? 'frozen-batch' : 'batch' },
      returnedLayers: given.returned_layers as number[],
    },
    fpn: { channels: given.fpn_channels as number, extraLevel: Boolean(given.extra_level) },
    numClasses: given.num_classes as number,
    intensity: { kind: 'min-max' },
    imageMean: given.image_mean as number[],
    imageStd: given.image_std as number[],
    rpn: {
      anchorSizes: sizes.map((size) => [size].flat()),
      aspectRatios: Array.from({ length: levels }, () => given.aspect_ratios as number[]),
    },
    box: {
      hidden: given.box_head_hidden as number,
      detectionsPerImage: given.box_detections_per_img as number,
    },
    mask: { channels: given.mask_head_channels as number[], hidden: given.mask_predictor_hidden as number },
  };
}

/**
 * `resize` is "off", "min_size N" or "none". The last names torchvision's `_skip_resize`, which acts in training only: in
 * evaluation the reference resized these images too, as its configuration says.
 */
function resizeOf(
  { resize }: Detection,
  { min_size, max_size }: Record<string, unknown>,
): MaskRCNNConfig['resize'] {
  if (resize === 'off') return null;
  const named = /min_size (\d+)/.exec(resize)?.[1];
  return { minSize: Number(named ?? min_size), maxSize: Number(max_size), scale: null };
}

/** Path of the checkpoint. The checkout has these weights once, in the ensemble of the tests. */
function checkpointPath({ checkpoint }: DetectionsGolden): string {
  const named = goldenPath(checkpoint.split(' ')[0]!);
  return existsSync(named) ? named : join(testEnsemble, 'fluorescence.safetensors');
}

for (const name of ['nuclei_small_detections.json', 'nuclei_small_unresized.json']) {
  const golden = hasGolden(name) ? goldenJson<DetectionsGolden>(name) : undefined;
  describeGolden(`detections of real weights, ${name}`, { goldens: [name] }, () => {
    for (const expected of golden!.detections) {
      const declare = hasImage(expected.image) ? test : test.skip;
      declare(`${expected.image} (resize: ${expected.resize})`, () => checkDetections(golden!, expected));
    }
  });
}

async function checkDetections(golden: DetectionsGolden, expected: Detection): Promise<void> {
  const config = { ...configOf(golden.config), resize: resizeOf(expected, golden.config) };
  await using segmenter = await CellSegmenter.load(checkpointPath(golden), { config });
  const bytes = readFileSync(dataPath(expected.image));
  for (const key of Object.keys(expected).filter((name) => name.startsWith('masks_at_'))) {
    const maskThreshold = Number(key.slice('masks_at_'.length).replace('_', '.'));
    const { cells, width, height } = await segmenter.segment(bytes, { minScore: 0, maskThreshold });
    expect([height, width]).toEqual(expected.size);
    expect(cells.length).toBe(expected.scores.length);
    const masks = Masks.fromCoco(expected[key as keyof Detection] as string[], { width, height });
    const order = matchBoxes(expected, cells.boxes, cells.scores);
    const iou = cells.masks.select(order).iou(masks);
    const areas = masks.areas();
    order.forEach((mine, i) => {
      expect(cells.labels[mine]).toBe(expected.labels[i]);
      // The IoU of two empty masks is undefined.
      if (cells.areas[mine] !== 0 || areas[i] !== 0)
        expect(iou[i * masks.length + i]).toBeGreaterThanOrEqual(0.999);
    });
  }
}

/** Our cell for each expected cell: equal boxes within 0.01 px and scores within 1e-4. Equal scores may have any order. */
function matchBoxes(expected: Detection, boxes: Float32Array, scores: Float32Array): number[] {
  const free = new Set(scores.keys());
  return expected.boxes.map((box, i) => {
    const mine = [...free].find(
      (k) =>
        Math.abs(scores[k]! - expected.scores[i]!) < 1e-4 &&
        box.every((value, side) => Math.abs(boxes[4 * k + side]! - value) < 0.01),
    );
    if (mine === undefined)
      throw new Error(`no cell was found at ${box.join(', ')} with score ${expected.scores[i]}`);
    free.delete(mine);
    return mine;
  });
}

interface ClassifierGolden {
  file: string;
  vocab: string[];
  pictures: { picture: string; label: string; probabilities: number[]; logits: number[] }[];
}

const exportsName = 'fastai_resnet18.json';
const exported = hasGolden(exportsName) ? goldenJson<ClassifierGolden>(exportsName) : undefined;
describeGolden('a fastai export', { goldens: [exportsName, exported?.file ?? 'fastai_resnet18.pkl'] }, () => {
  let classifier: CellClassifier;
  beforeAll(async () => {
    classifier = await CellClassifier.load(goldenPath(exported!.file));
  });
  afterAll(async () => {
    await classifier.dispose();
  });

  test('its vocabulary equals the classes', () => {
    expect(classifier.config.classNames).toEqual(exported!.vocab);
  });

  const images = exported?.pictures.filter(({ picture }) => hasImage(picture)) ?? [];
  test.each(images.map((expected) => [expected.picture, expected] as const))(
    '%s',
    async (image, expected) => {
      const answer = await classifier.classify(readFileSync(dataPath(image)));
      expect(answer.cellType).toBe(expected.label);
      expected.probabilities.forEach((probability, i) => {
        expect(Math.abs(answer.probabilities[exported!.vocab[i]!]! - probability)).toBeLessThan(0.005);
      });
    },
  );

  const inputsName = 'fastai_inputs.safetensors';
  const inputs = hasGolden(inputsName) ? goldenTensors(inputsName) : undefined;
  const isItsOwn =
    inputs !== undefined && (JSON.parse(inputs.metadata.export ?? '""') as string) === exported?.file;
  (isItsOwn ? test : test.skip)(
    'equal input tensors give equal probabilities (fastai_inputs.safetensors)',
    async () => {
      const { input, probabilities } = inputs!.tensors as Record<
        'input' | 'probabilities',
        { shape: number[]; data: Float32Array }
      >;
      const [count, ...shape] = input.shape as [number, number, number, number];
      const size = input.data.length / count;
      for (let i = 0; i < count; i++) {
        const answer = await classifier.classifyTensor({
          data: input.data.slice(i * size, (i + 1) * size),
          shape,
        });
        exported!.vocab.forEach((name, k) => {
          expect(
            Math.abs(answer.probabilities[name]! - probabilities.data[i * exported!.vocab.length + k]!),
          ).toBeLessThan(1e-4);
        });
      }
    },
  );
});
