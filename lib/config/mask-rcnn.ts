import { refuse } from '../check.js';
import {
  type DeepPartial,
  flag,
  integer,
  type JsonSchema,
  list,
  literal,
  nullable,
  number,
  object,
  oneNumberOf,
  type Read,
  text,
} from './schema.js';
import { imageMean, imageStd, intensity, norm, version } from './shared.js';

const positive = integer(1, 1, 1 << 20);
const top = (fallback: number) => integer(fallback, 1, 1_000_000);
const share = (fallback: number) => number(fallback, { min: 0, max: 1 });
const perLevel = (fallback: number[][], max: number) =>
  list(fallback, list([], number(1, { min: 1e-3, max }), { min: 1, max: 16 }), { min: 1, max: 5 });

/**
 * Full configuration of a Mask R-CNN with a ResNet-FPN backbone. The defaults are those of torchvision's
 * `maskrcnn_resnet50_fpn` with heads for two classes.
 */
const shape = object({
  kind: literal('mask-rcnn'),
  version,
  backbone: object({
    /** Depth of the ResNet, in layers. */
    depth: oneNumberOf(50, [18, 34, 50, 101]),
    /** Channels after the stem. */
    width: integer(64, 1, 1024),
    norm: norm('frozen-batch'),
    /** ResNet stages (1 to 4) that feed the FPN, in ascending order. */
    returnedLayers: list([1, 2, 3, 4], integer(1, 1, 4), { min: 1, max: 4 }),
  }),
  fpn: object({
    /** Channels of every level. */
    channels: integer(256, 1, 8192),
    /** Adds one level, max-pooled from the last, for proposals only. */
    extraLevel: flag(true),
  }),
  /** Number of classes including the background (label 0): 2 for one class of cells. */
  numClasses: integer(2, 2, 10_000),
  /** Names of classes 1, 2, …: numClasses - 1 names. */
  classNames: list(['cell'], text, { min: 0, max: 10_000 }),
  intensity,
  imageMean,
  imageStd,
  /**
   * Resizes the shorter side to minSize pixels, with the longer side at most maxSize, or both sides by the factor
   * `scale` if it is given. null uses images at their own size. A scale keeps the relative size of cells in images of
   * different sizes.
   */
  resize: nullable(
    { minSize: 800, maxSize: 1333, scale: null },
    object({
      /** Shorter side in pixels. */
      minSize: integer(800, 1, 1 << 16),
      /** Longer side in pixels, at most. */
      maxSize: integer(1333, 1, 1 << 16),
      /** Factor for both sides, instead of minSize. */
      scale: nullable(null, number(1, { min: 0.01, max: 100 })),
    }),
  ),
  /** The images that the network was trained on, as it sees them. null: not known. */
  trainedOn: object({
    /**
     * Median diameter of the cells in pixels of the network's input: of a circle with the cell's area. The options
     * `diameter` and `scale: 'auto'` of `segment` need it.
     */
    diameter: nullable(null, number(1, { min: 1e-3, max: 1 << 16 })),
    /** Micrometres per pixel of the network's input. The option `pixelSize` of `segment` needs it. */
    pixelSize: nullable(null, number(1, { min: 1e-6, max: 1e6 })),
  }),
  /** Sides are padded with zeros to a multiple of this. */
  sizeDivisible: integer(32, 1, 1024),
  rpn: object({
    /** Anchor sizes in pixels of the network's input, one list per level. */
    anchorSizes: perLevel([[32], [64], [128], [256], [512]], 1 << 16),
    /** Height divided by width, one list per level. */
    aspectRatios: perLevel(
      Array.from({ length: 5 }, () => [0.5, 1, 2]),
      1000,
    ),
    /** Convolutions before the predictors. */
    convDepth: integer(1, 1, 8),
    /** Highest-scored proposals per level before NMS. */
    preNmsTopN: top(1000),
    /** Proposals per image after NMS. */
    postNmsTopN: top(1000),
    /** Of two proposals with a higher IoU, the one with the lower score is dropped. */
    nmsThreshold: share(0.7),
    /** Proposals that score at least this are kept. */
    scoreThreshold: share(0),
    /** Proposals with a shorter side are dropped; pixels of the network's input. */
    minSize: number(1e-3, { min: 0 }),
  }),
  box: object({
    /** Side of the RoIAlign output. */
    outputSize: integer(7, 1, 64),
    /** Samples of RoIAlign per bin and axis; -1: as many as the bin has pixels. */
    samplingRatio: integer(2, -1, 64),
    /** Units of the two hidden layers. */
    hidden: integer(1024, 1, 1 << 16),
    /** Cells that score more than this are kept. */
    scoreThreshold: share(0.05),
    /** Of two boxes of one class with a higher IoU, the one with the lower score is dropped. */
    nmsThreshold: share(0.5),
    /** Maximum number of cells per image. The densest Sartorius image has 790. */
    detectionsPerImage: top(100),
    /** Weights of dx, dy, dw, dh in the box coder. */
    regressionWeights: list([10, 10, 5, 5], number(1, { min: 1e-6 }), { min: 4, max: 4 }),
  }),
  mask: object({
    /** Side of the RoIAlign output; the mask has twice as many pixels per side. */
    outputSize: integer(14, 1, 64),
    /** As in `box`. */
    samplingRatio: integer(2, -1, 64),
    /** Output channels of each convolution, in order. */
    channels: list([256, 256, 256, 256], positive, { min: 1, max: 16 }),
    /** Channels of the predictor's transposed convolution. */
    hidden: integer(256, 1, 8192),
  }),
});

/** The JSON Schema of the configuration. */
export const maskRCNNSchema: JsonSchema = shape.schema!;

/** Complete configuration of a Mask R-CNN; see docs/configuration.md. */
export type MaskRCNNConfig = Read<typeof shape>;
/** Configuration of a Mask R-CNN; missing values have defaults. */
export type PartialMaskRCNNConfig = DeepPartial<MaskRCNNConfig>;

/**
 * Completes a partial configuration with the defaults of torchvision's `maskrcnn_resnet50_fpn`.
 *
 * @param path position of the configuration inside a larger one, for error messages.
 * @throws {CellrouteError} INVALID_CONFIG, naming the value, what was expected and what was received.
 */
export function maskRCNNConfig(given: PartialMaskRCNNConfig = {}, path = ''): MaskRCNNConfig {
  const config = shape(given, path);
  const at = (key: string) => (path ? `${path}.${key}` : key);
  const levels = config.backbone.returnedLayers.length + (config.fpn.extraLevel ? 1 : 0);
  if (config.backbone.returnedLayers.some((layer, i, all) => i > 0 && layer <= all[i - 1]!)) {
    throw refuse(
      at('backbone.returnedLayers'),
      'numbers in ascending order',
      config.backbone.returnedLayers.join(', '),
      'INVALID_CONFIG',
    );
  }
  for (const key of ['anchorSizes', 'aspectRatios'] as const) {
    if (config.rpn[key].length !== levels) {
      throw refuse(
        at(`rpn.${key}`),
        `${levels} lists, one per level of the backbone`,
        config.rpn[key],
        'INVALID_CONFIG',
      );
    }
  }
  const anchors = config.rpn.anchorSizes.map((sizes, i) => sizes.length * config.rpn.aspectRatios[i]!.length);
  if (new Set(anchors).size !== 1) {
    throw refuse(
      at('rpn.anchorSizes'),
      'the same number of anchors (sizes times ratios) on every level',
      anchors.join(', '),
      'INVALID_CONFIG',
    );
  }
  if (given.classNames === undefined && config.numClasses !== 2) {
    config.classNames = Array.from({ length: config.numClasses - 1 }, (_, i) => `class ${i + 1}`);
  }
  if (config.classNames.length !== config.numClasses - 1) {
    throw refuse(
      at('classNames'),
      `${config.numClasses - 1} names, numClasses without the background`,
      config.classNames,
      'INVALID_CONFIG',
    );
  }
  if (config.resize && config.resize.scale === null && config.resize.maxSize < config.resize.minSize) {
    throw refuse(
      at('resize.maxSize'),
      `a number of at least resize.minSize (${config.resize.minSize})`,
      config.resize.maxSize,
      'INVALID_CONFIG',
    );
  }
  checkPercentiles(config.intensity, at('intensity'));
  return config;
}

export function checkPercentiles({ low, high }: { low: number; high: number }, path: string): void {
  if (low >= high)
    throw refuse(`${path}.low`, `a number below ${path}.high (${high})`, low, 'INVALID_CONFIG');
}
