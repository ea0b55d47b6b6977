import { checkObject, refuse } from '../check.js';
import { classifierSchema, type PartialClassifierConfig } from '../config/classifier.js';
import { maskRCNNSchema, type PartialMaskRCNNConfig } from '../config/mask-rcnn.js';
import {
  type DeepPartial,
  described,
  flag,
  integer,
  type JsonSchema,
  list,
  literal,
  nullable,
  number,
  object,
  oneOf,
  type Read,
  type Reader,
  required,
  text,
  variants,
} from '../config/schema.js';
import { version } from '../config/shared.js';
import { checkDevice, type Device } from '../inference/device.js';
import { maxLostOf, type OverlapRemoval, THRESHOLDS } from '../inference/thresholds.js';
import { METRIC_NAMES } from '../metrics/index.js';
import {
  flipHorizontal,
  flipVertical,
  readTransforms,
  type Transform,
  transformsSchema,
} from '../transforms/index.js';

const share = (fallback: number) => number(fallback, { min: 0, max: 1 });
const count = (fallback: number, max = 1_000_000_000) => integer(fallback, 1, max);
const rate = (fallback: number) => number(fallback, { min: 0, max: 1000 });
const momentum = (fallback: number) => number(fallback, { min: 0, max: 0.999999 });

/** SGD and AdamW as in torch.optim. `momentum` is beta1 of AdamW. */
const optimizer = (kind: 'sgd' | 'adamw') =>
  variants(kind, {
    sgd: { lr: rate(0.001), momentum: momentum(0.9), weightDecay: rate(0.0005), nesterov: flag(false) },
    adamw: {
      lr: rate(0.001),
      momentum: momentum(0.9),
      beta2: momentum(0.999),
      eps: number(1e-8, { min: 0, max: 1 }),
      weightDecay: rate(0.01),
    },
  });

const warmUp = {
  /** Steps of linear warm-up. */
  warmupSteps: integer(0, 0, 1_000_000_000),
  /** Initial learning rate as a fraction of the optimizer's lr. */
  warmupFactor: share(0.001),
};

/** Learning rate schedule; see {@link ratesAt}. */
const schedule = (maxLr: number) =>
  variants('one-cycle', {
    /** torch's OneCycleLR with its defaults. Replaces the optimizer's lr, and its momentum if momentum is cycled. */
    'one-cycle': {
      maxLr: rate(maxLr),
      /** Fraction of the steps in which the learning rate rises. */
      pctStart: share(0.3),
      annealStrategy: oneOf('cos', ['cos', 'linear']),
      cycleMomentum: flag(true),
      baseMomentum: momentum(0.85),
      maxMomentum: momentum(0.95),
      /** Initial learning rate: maxLr / divFactor. Final: initial / finalDivFactor. */
      divFactor: number(25, { min: 1 }),
      finalDivFactor: number(1e4, { min: 1 }),
      threePhase: flag(false),
    },
    'warmup-cosine': { ...warmUp, minLr: rate(0) },
    constant: warmUp,
  });

const device: Reader<Device> = described(
  (value, path) => (value === undefined ? 'cpu' : checkDevice(path, value, 'INVALID_CONFIG')),
  { type: 'string', pattern: '^(cpu|auto|cuda(:\\d{1,2})?)$', default: 'cpu' },
);

const transforms: Reader<Transform[]> = described(
  (value, path) => (value === undefined ? [flipHorizontal(), flipVertical()] : readTransforms(value, path)),
  { ...transformsSchema, default: [flipHorizontal(), flipVertical()] },
);

/** Settings common to all networks. */
const common = (defaults: { batchSize: number; optimizer: 'sgd' | 'adamw'; maxLr: number }) => ({
  version,
  /** Random seed of initial weights, image order, augmentation and sampling. */
  seed: integer(3011, 0, Number.MAX_SAFE_INTEGER),
  /** Images per step. */
  batchSize: count(defaults.batchSize, 4096),
  /** Passes over the training images; null if `steps` is given. Default 10. */
  epochs: nullable(null, count(10, 1_000_000)),
  /** Total number of steps, instead of epochs. */
  steps: nullable(null, count(1)),
  optimizer: optimizer(defaults.optimizer),
  schedule: schedule(defaults.maxLr),
  /** Maximum norm of all gradients together; larger gradients are scaled down. null disables clipping. */
  clipNorm: nullable(null, number(1, { min: 1e-12 })),
  /** Keeps an exponential moving average of the weights, which is validated and saved instead of the weights. */
  average: nullable(null, object({ decay: share(0.999) })),
  precision: oneOf('float32', ['float32', 'bfloat16', 'tf32']),
  /** Device: `cpu`, `cuda`, `cuda:1` or `auto`. */
  device,
  /** On a GPU: use only deterministic kernels, so that a run is reproducible. Slower. */
  deterministic: flag(false),
  /** Number of trained backbone stages, counted from the last: torchvision's trainable_backbone_layers. */
  trainableLayers: integer(5, 0, 5),
  /** Whether batch norms update their statistics. */
  updateBatchStatistics: flag(true),
  /** Augmentation, applied in this order. */
  transforms,
  loader: object({
    /** Threads for decoding and augmentation; null: chosen by the loader. */
    threads: nullable(null, integer(1, 1, 256)),
    /** Number of prefetched batches. */
    ahead: integer(2, 1, 64),
  }),
  checkpoint: object({
    /** Minutes between two checkpoints. */
    everyMinutes: number(5, { min: 0 }),
    /** Epochs between two further checkpoints; null: none, for example if epochs are shorter than writing a checkpoint. */
    everyEpochs: nullable(1, count(1)),
  }),
  divergence: object({
    /**
     * Stops the run at a step whose loss exceeds this multiple of the median of the last `window` losses (or of 0.1 if
     * the median is lower). null disables the check.
     */
    multiple: nullable(100, number(100, { min: 1 })),
    window: integer(100, 3, 100_000),
  }),
  logs: object({
    /** Writes event files to `tensorboard/`. */
    tensorboard: flag(true),
    /** Logs to Weights & Biases with the package @wandb/sdk. */
    wandb: nullable(
      null,
      object({
        project: required(text),
        entity: nullable(null, text),
        name: nullable(null, text),
        /** Does not upload; {@link syncWandb} can upload later. */
        offline: flag(false),
      }),
    ),
  }),
});

const validation = <S extends Record<string, Reader<unknown>>>(own: S) =>
  object({
    /** Epochs between two validations; null: none at epoch ends. The run always ends with a validation. */
    everyEpochs: nullable(1, count(1)),
    /** Steps between two further validations. */
    everySteps: nullable(null, count(1)),
    /** Early stopping: number of validations without improvement; null disables it. */
    patience: nullable(null, count(1, 1_000_000)),
    /** Number of validation images, spread evenly over the sorted ids; null: all. */
    images: nullable(null, count(1)),
    /** Number of images drawn at each validation, prediction beside ground truth. */
    samples: integer(4, 0, 64),
    ...own,
  });

/** A threshold of `segment`, with its range and default. */
const threshold = (name: 'minScore' | 'maskThreshold' | 'minArea') =>
  number(THRESHOLDS[name].default, THRESHOLDS[name].range);

/** As in `segment`, but competitions ask for masks without overlaps. */
const removeOverlaps: Reader<OverlapRemoval> = described(
  (value, path) => {
    if (value === undefined) return { maxLost: 0.2 };
    maxLostOf(value, path, 'INVALID_CONFIG');
    return value as OverlapRemoval;
  },
  {
    anyOf: [
      { type: 'boolean' },
      {
        type: 'object',
        properties: { maxLost: { type: 'number', minimum: 0, maximum: 1 } },
        required: ['maxLost'],
        additionalProperties: false,
      },
    ],
    default: { maxLost: 0.2 },
  },
);

/** Partial network configuration; missing values come from the start file, the data set and torchvision's defaults. */
const partial = <T extends object>(network: JsonSchema): Reader<T> =>
  described(
    (value, path) => (value === undefined ? ({} as T) : (checkObject(path, value, 'INVALID_CONFIG') as T)),
    network,
  );

const fromModel = {
  /** A model path: a file, the folder of a run, or that of an ensemble (of which a segmenter is taken if it is the only one). */
  path: required(text),
  /** Whether tensors besides the class heads may be missing or of another shape; they are initialized. */
  partial: flag(false),
};

const segmenterShape = object({
  kind: literal('segmenter-training'),
  /**
   * The Mask R-CNN. Classes come from the data set. All other missing values come from the start checkpoint, or from
   * torchvision's maskrcnn_resnet50_fpn, with norms of kind `batch` if training starts from random weights.
   */
  network: partial<PartialMaskRCNNConfig>(maskRCNNSchema),
  /**
   * Initial weights: `nothing` (random), `checkpoint` (a network's; heads for other classes are random), `starter` (the
   * segmenter of a type of the starter ensemble, in the same way), or `classifier` (the backbone of a classifier). What
   * else does not fit by name and shape is refused unless `partial`.
   */
  start: variants('nothing', {
    nothing: {},
    checkpoint: fromModel,
    starter: { type: required(text) },
    classifier: fromModel,
  }),
  ...common({ batchSize: 2, optimizer: 'sgd', maxLr: 0.01 }),
  /**
   * Resizes samples according to the network's `resize`, as torchvision does. With random crops set this to false and
   * use the transform `short-side` before the crop; otherwise cells are larger in training than in whole images.
   */
  resizeSamples: flag(true),
  /** Cells that keep a smaller share of their pixels in a crop are dropped; 0 keeps cells of one pixel. */
  minVisible: share(0),
  /** Sampling of anchors and proposals: the arguments of torchvision's MaskRCNN. */
  sampling: object({
    rpnFgIou: share(0.7),
    rpnBgIou: share(0.3),
    rpnBatchSize: count(256, 1_000_000),
    rpnPositiveFraction: share(0.5),
    rpnPreNmsTopN: count(2000, 1_000_000),
    rpnPostNmsTopN: count(2000, 1_000_000),
    boxFgIou: share(0.5),
    boxBgIou: share(0.5),
    boxBatchSize: count(512, 1_000_000),
    boxPositiveFraction: share(0.25),
  }),
  validation: validation({
    /** Metric to maximize; see `evaluate`. */
    metric: oneOf('kaggle', METRIC_NAMES),
    /** Thresholds, as in `segment`. COCO metrics (ap, ap50) use cells of every score. */
    thresholds: object({
      minScore: threshold('minScore'),
      maskThreshold: threshold('maskThreshold'),
      minArea: threshold('minArea'),
      removeOverlaps,
    }),
  }),
});

const weights = list<number>([], number(1, { min: 0 }), { min: 1, max: 10_000 });
const weighting = oneOf('none', ['none', 'balanced']);

const classifierShape = object({
  kind: literal('classifier-training'),
  /** The ResNet. Class names default to the types of the data set. */
  network: partial<PartialClassifierConfig>(classifierSchema),
  /** Initial weights: `nothing` (random) or `checkpoint` (a classifier's; see the segmenter's `start`). */
  start: variants('nothing', { nothing: {}, checkpoint: fromModel }),
  ...common({ batchSize: 16, optimizer: 'adamw', maxLr: 0.001 }),
  /**
   * Class weights of the loss: `none`, `balanced` (inverse number of images, with mean 1), or one number per class in
   * the network's order.
   */
  classWeights: described(
    (value, path) => (Array.isArray(value) ? weights(value, path) : weighting(value, path)),
    { anyOf: [weights.schema, weighting.schema], default: 'none' },
  ),
  validation: validation({
    /** Share of correctly classified images: of all images, or the mean over the classes. */
    metric: oneOf('accuracy', ['accuracy', 'balanced-accuracy']),
  }),
} satisfies Record<string, Reader<unknown>>);

/** Complete configuration of a segmenter training; see docs/training.md. */
export type SegmenterTraining = Read<typeof segmenterShape>;
/** Configuration of a segmenter training; missing values have defaults. */
export type PartialSegmenterTraining = DeepPartial<SegmenterTraining>;
/** Complete configuration of a classifier training. */
export type ClassifierTraining = Read<typeof classifierShape>;
/** Configuration of a classifier training; missing values have defaults. */
export type PartialClassifierTraining = DeepPartial<ClassifierTraining>;
/** Configuration of any training. */
export type Training = SegmenterTraining | ClassifierTraining;
export type Schedule = Training['schedule'];

/** The JSON Schemas of training configurations, by what is trained. */
export const TRAINING_SCHEMAS: Readonly<Record<'segmenter' | 'classifier', JsonSchema>> = {
  segmenter: segmenterShape.schema!,
  classifier: classifierShape.schema!,
};

/**
 * Completes a partial training configuration with defaults.
 *
 * @throws {CellrouteError} INVALID_CONFIG, naming the value, what was expected and what was received.
 */
export function segmenterTraining(given: PartialSegmenterTraining = {}, path = ''): SegmenterTraining {
  return withLength(segmenterShape(given, path), path);
}

/** As {@link segmenterTraining}, for a classifier. */
export function classifierTraining(given: PartialClassifierTraining = {}, path = ''): ClassifierTraining {
  return withLength(classifierShape(given, path), path);
}

/** Applies the default number of epochs; refuses epochs and steps together. */
function withLength<T extends Training>(config: T, path: string): T {
  if (config.epochs !== null && config.steps !== null) {
    throw refuse(path ? `${path}.steps` : 'steps', 'either epochs or steps', 'both', 'INVALID_CONFIG');
  }
  return config.epochs === null && config.steps === null ? { ...config, epochs: DEFAULT_EPOCHS } : config;
}

const DEFAULT_EPOCHS = 10;
