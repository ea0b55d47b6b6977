import { defined } from '../defined.js';
import type { TensorEntry, WeightsFile } from '../weights/table.js';
import type { PartialClassifierConfig } from './classifier.js';
import type { PartialMaskRCNNConfig } from './mask-rcnn.js';

/**
 * Infers a configuration from tensor names and shapes of a state dict. Values that cannot be inferred (anchor sizes,
 * norm eps, thresholds, image sizes) keep torchvision's defaults unless the caller sets them.
 */
export function inferMaskRCNNConfig(file: WeightsFile): PartialMaskRCNNConfig {
  const shapes = shapesOf(file.tensors);
  const config: PartialMaskRCNNConfig = {};
  const backbone = inferBackbone(shapes, 'backbone.body.');
  if (backbone) config.backbone = backbone;
  const inner = firstPresent(shapes, [
    (i) => `backbone.fpn.inner_blocks.${i}.0.weight`,
    // Key names before torchvision 0.13, where a block was a bare convolution.
    (i) => `backbone.fpn.inner_blocks.${i}.weight`,
  ]);
  const [firstInner] = inner;
  if (backbone && firstInner) {
    config.fpn = { channels: firstInner[0]! };
    const stageChannels = (stage: number) =>
      backbone.width * 2 ** (stage - 1) * (backbone.depth >= 50 ? 4 : 1);
    config.backbone = {
      ...backbone,
      returnedLayers: inner.map(
        (shape) => [1, 2, 3, 4].find((stage) => stageChannels(stage) === shape[1]) ?? 1,
      ),
    };
  }
  const classes = shapes.get('roi_heads.box_predictor.cls_score.weight');
  if (classes) config.numClasses = classes[0]!;
  const hidden = shapes.get('roi_heads.box_head.fc6.weight');
  if (hidden && config.fpn?.channels) {
    config.box = { hidden: hidden[0]!, outputSize: Math.round(Math.sqrt(hidden[1]! / config.fpn.channels)) };
  }
  const maskConvolutions = firstPresent(shapes, [
    (i) => `roi_heads.mask_head.${i}.0.weight`,
    (i) => `roi_heads.mask_head.mask_fcn${i + 1}.weight`,
  ]);
  const predictor = shapes.get('roi_heads.mask_predictor.conv5_mask.weight');
  if (maskConvolutions.length > 0 && predictor) {
    config.mask = { channels: maskConvolutions.map((shape) => shape[0]!), hidden: predictor[1]! };
  }
  const depth = firstPresent(shapes, [(i) => `rpn.head.conv.${i}.0.weight`]).length;
  if (depth > 0) config.rpn = { convDepth: depth };
  return config;
}

/** The same for a ResNet classifier. */
export function inferClassifierConfig(file: WeightsFile): PartialClassifierConfig {
  const shapes = shapesOf(file.tensors);
  const backbone = inferBackbone(shapes, '');
  const classes = shapes.get('fc.weight')?.[0];
  return defined({
    backbone,
    classNames: classes ? Array.from({ length: classes }, (_, i) => `class ${i}`) : undefined,
  });
}

/** Places of a ResNet's parts in the body that fastai cuts: ReLU and pooling have no tensors. */
export const FASTAI_BODY: Readonly<Record<string, string>> = {
  '0.0': 'conv1',
  '0.1': 'bn1',
  '0.4': 'layer1',
  '0.5': 'layer2',
  '0.6': 'layer3',
  '0.7': 'layer4',
};

/** The same for the network of fastai's `vision_learner`. */
export function inferFastaiConfig({ tensors }: WeightsFile): PartialClassifierConfig {
  const shapes = new Map(
    tensors.map(({ name, shape }) => [
      name.replace(/^0\.\d(?=\.)/, (part) => FASTAI_BODY[part] ?? part),
      shape as readonly number[],
    ]),
  );
  // Layers of fastai's create_head: 4 is the hidden linear layer, 8 the last one.
  const classes = shapes.get('1.8.weight')?.[0];
  const hidden = shapes.get('1.4.weight')?.[0];
  return defined({
    backbone: inferBackbone(shapes, ''),
    head: { kind: 'concat-pool' as const, ...defined({ hidden }) },
    classNames: classes ? Array.from({ length: classes }, (_, i) => `class ${i}`) : undefined,
    resize: null,
  });
}

type Shapes = Map<string, readonly number[]>;

const shapesOf = (tensors: readonly TensorEntry[]): Shapes =>
  new Map(tensors.map(({ name, shape }) => [name, shape]));

/** Shapes of consecutively numbered tensors, for the first naming scheme that the file uses. */
function firstPresent(shapes: Shapes, namings: ((index: number) => string)[]): (readonly number[])[] {
  for (const naming of namings) {
    const found: (readonly number[])[] = [];
    for (let shape = shapes.get(naming(0)); shape; shape = shapes.get(naming(found.length)))
      found.push(shape);
    if (found.length > 0) return found;
  }
  return [];
}

function inferBackbone(shapes: Shapes, prefix: string) {
  const stem = shapes.get(`${prefix}conv1.weight`);
  if (!stem) return undefined;
  const blocks = (stage: number) =>
    firstPresent(shapes, [(i) => `${prefix}layer${stage}.${i}.conv1.weight`]).length;
  const bottleneck = shapes.has(`${prefix}layer1.0.conv3.weight`);
  const depth = bottleneck ? (blocks(3) > 6 ? 101 : 50) : blocks(1) > 2 ? 34 : 18;
  // nn.BatchNorm2d has num_batches_tracked, a frozen batch norm only running_mean, a group norm neither.
  const kind = shapes.has(`${prefix}bn1.num_batches_tracked`)
    ? 'batch'
    : shapes.has(`${prefix}bn1.running_mean`)
      ? 'frozen-batch'
      : 'group';
  return { depth, width: stem[0]!, norm: { kind } } as const;
}
