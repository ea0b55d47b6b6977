import { checkObject, refuse } from '../check.js';
import type { PartialClassifierConfig } from '../config/classifier.js';
import type { PartialMaskRCNNConfig } from '../config/mask-rcnn.js';
import {
  type DeepPartial,
  flag,
  integer,
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
import { flipHorizontal, flipVertical, readTransforms, type Transform } from '../transforms/index.js';

const share = (fallback: number) => number(fallback, { min: 0, max: 1 });
const count = (fallback: number, max = 1_000_000_000) => integer(fallback, 1, max);
const rate = (fallback: number) => number(fallback, { min: 0, max: 1000 });
const momentum = (fallback: number) => number(fallback, { min: 0, max: 0.999999 });

/** torch.optim's SGD and AdamW, with the seed's rates. `momentum` is AdamW's beta1. */
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
  /** Steps in which the rate rises in a straight line. */
  warmupSteps: integer(0, 0, 1_000_000_000),
  /** Share of the optimizer's lr to start from. */
  warmupFactor: share(0.001),
};

/** How the rates change from step to step; {@link ratesAt} says exactly. */
const schedule = (maxLr: number) =>
  variants('one-cycle', {
    /** torch's OneCycleLR with its defaults; it replaces the optimizer's lr, and its momentum where that is cycled. */
    'one-cycle': {
      maxLr: rate(maxLr),
      /** Share of the steps that the rate rises. */
      pctStart: share(0.3),
      annealStrategy: oneOf('cos', ['cos', 'linear']),
      cycleMomentum: flag(true),
      baseMomentum: momentum(0.85),
      maxMomentum: momentum(0.95),
      /** The first rate is maxLr / divFactor, the last that / finalDivFactor. */
      divFactor: number(25, { min: 1 }),
      finalDivFactor: number(1e4, { min: 1 }),
      threePhase: flag(false),
    },
    'warmup-cosine': { ...warmUp, minLr: rate(0) },
    constant: warmUp,
  });

const device: Reader<Device> = (value, path) =>
  value === undefined ? 'cpu' : checkDevice(path, value, 'INVALID_CONFIG');

const transforms: Reader<Transform[]> = (value, path) =>
  value === undefined ? [flipHorizontal(), flipVertical()] : readTransforms(value, path);

/** What training any network takes. */
const common = (defaults: { batchSize: number; optimizer: 'sgd' | 'adamw'; maxLr: number }) => ({
  version,
  /** Of the initial weights, the order of the images, augmentation and sampling. */
  seed: integer(3011, 0, Number.MAX_SAFE_INTEGER),
  /** Images per step. */
  batchSize: count(defaults.batchSize, 4096),
  /** Times every image is seen; null where the run is `steps` long. Default 10. */
  epochs: nullable(null, count(10, 1_000_000)),
  /** Steps in all, instead of epochs. */
  steps: nullable(null, count(1)),
  optimizer: optimizer(defaults.optimizer),
  schedule: schedule(defaults.maxLr),
  /** Norm of all gradients together above which they are scaled down to it; null never. */
  clipNorm: nullable(null, number(1, { min: 1e-12 })),
  /** Keeps a moving average of the weights, which is then what is validated and saved. */
  average: nullable(null, object({ decay: share(0.999) })),
  precision: oneOf('float32', ['float32', 'bfloat16', 'tf32']),
  /** Where the network trains: `cpu`, `cuda`, `cuda:1`, `auto`. */
  device,
  /** On a GPU: sums in an order that never changes, so that a run can be repeated; it costs time. */
  deterministic: flag(false),
  /** Stages of the backbone that train, from the last: torchvision's trainable_backbone_layers. */
  trainableLayers: integer(5, 0, 5),
  /** Whether batch norms update their statistics. */
  updateBatchStatistics: flag(true),
  /** Augmentation, in this order. */
  transforms,
  loader: object({
    /** Threads that decode and augment; null lets the loader choose. */
    threads: nullable(null, integer(1, 1, 256)),
    /** Batches prepared ahead of the step. */
    ahead: integer(2, 1, 64),
  }),
  checkpoint: object({
    /** Minutes between two checkpoints, wherever the run stands then. */
    everyMinutes: number(5, { min: 0 }),
    /** Epochs after which there is one besides; null for none: an epoch of a few images is over sooner than written. */
    everyEpochs: nullable(1, count(1)),
  }),
  divergence: object({
    /**
     * A step whose loss is above so many times the median of the last `window` (or 0.1, where that is more) stops the
     * run; null lets it go on.
     */
    multiple: nullable(100, number(100, { min: 1 })),
    window: integer(100, 3, 100_000),
  }),
  logs: object({
    /** Event files under `tensorboard/`. */
    tensorboard: flag(true),
    /** Weights & Biases, through its package @wandb/sdk. */
    wandb: nullable(
      null,
      object({
        project: required(text),
        entity: nullable(null, text),
        name: nullable(null, text),
        /** Sends nothing: {@link syncWandb} can do it later. */
        offline: flag(false),
      }),
    ),
  }),
});

const validation = <S extends Record<string, Reader<unknown>>>(own: S) =>
  object({
    /** Epochs between two validations; null for none at the ends of epochs. The end of the run has one. */
    everyEpochs: nullable(1, count(1)),
    /** Steps between two validations, besides. */
    everySteps: nullable(null, count(1)),
    /** Validations without a better score after which the run ends; null never ends it early. */
    patience: nullable(null, count(1, 1_000_000)),
    /** Validates on so many of the images, evenly spread over the ids; null on all. */
    images: nullable(null, count(1)),
    /** Images that are drawn at each validation, prediction beside truth. */
    samples: integer(4, 0, 64),
    ...own,
  });

/** A threshold of `segment`, with its range and default. */
const threshold = (name: 'minScore' | 'maskThreshold' | 'minArea') =>
  number(THRESHOLDS[name].default, THRESHOLDS[name].range);

/** As in `segment`, but competitions ask for masks without overlaps. */
const removeOverlaps: Reader<OverlapRemoval> = (value, path) => {
  if (value === undefined) return { maxLost: 0.2 };
  maxLostOf(value, path, 'INVALID_CONFIG');
  return value as OverlapRemoval;
};

/** Part of a network's description: what it leaves out comes from the start, the data set and torchvision's defaults. */
const partial =
  <T extends object>(): Reader<T> =>
  (value, path) =>
    value === undefined ? ({} as T) : (checkObject(path, value, 'INVALID_CONFIG') as T);

const fromFile = { path: required(text) };

const segmenterShape = object({
  kind: literal('segmenter-training'),
  /**
   * The Mask R-CNN. Classes come from the data set, everything else that is left out from the checkpoint started from
   * or torchvision's maskrcnn_resnet50_fpn: its norms are `batch` in a network that starts from nothing.
   */
  network: partial<PartialMaskRCNNConfig>(),
  /** Fresh weights; a checkpoint's, as far as they fit (heads of another shape stay fresh); or a classifier's backbone. */
  start: variants('nothing', { nothing: {}, checkpoint: fromFile, classifier: fromFile }),
  ...common({ batchSize: 2, optimizer: 'sgd', maxLr: 0.01 }),
  /**
   * Whether samples are resized as the network's `resize` says, as torchvision does. Crops are better left as they
   * are, with the transform `short-side` before them: a resized crop would show its cells larger than an image does.
   */
  resizeSamples: flag(true),
  /** Share of its pixels that a cell must keep in a crop, or it is dropped; 0 keeps one pixel too. */
  minVisible: share(0),
  /** How anchors and proposals become training examples: torchvision's arguments of MaskRCNN. */
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
    /** Higher is better for each: see `evaluate`. */
    metric: oneOf('kaggle', METRIC_NAMES),
    /** What decides which pixels become cells, as in `segment`; COCO's metrics (ap, ap50) see cells of every score. */
    thresholds: object({
      minScore: threshold('minScore'),
      maskThreshold: threshold('maskThreshold'),
      minArea: threshold('minArea'),
      removeOverlaps,
    }),
  }),
});

const classifierShape = object({
  kind: literal('classifier-training'),
  /** The ResNet. Class names are the data set's types unless they are given. */
  network: partial<PartialClassifierConfig>(),
  /** Fresh weights, or a file's as far as they fit: a head of another shape stays fresh. */
  start: variants('nothing', { nothing: {}, checkpoint: fromFile }),
  ...common({ batchSize: 16, optimizer: 'adamw', maxLr: 0.001 }),
  /** Weight of each class in the loss: alike, by 1 / its images (mean 1), or one a class in the network's order. */
  classWeights: (value, path) =>
    Array.isArray(value)
      ? list<number>([], number(1, { min: 0 }), { min: 1, max: 10_000 })(value, path)
      : oneOf('none', ['none', 'balanced'])(value, path),
  validation: validation({
    /** Share of images named rightly: of all, or the mean over the classes. */
    metric: oneOf('accuracy', ['accuracy', 'balanced-accuracy']),
  }),
} satisfies Record<string, Reader<unknown>>);

export type SegmenterTraining = Read<typeof segmenterShape>;
export type PartialSegmenterTraining = DeepPartial<SegmenterTraining>;
export type ClassifierTraining = Read<typeof classifierShape>;
export type PartialClassifierTraining = DeepPartial<ClassifierTraining>;
/** What both have in common. */
export type Training = SegmenterTraining | ClassifierTraining;
export type Schedule = Training['schedule'];

/**
 * The full configuration for what was given of it; the rest is the seed's.
 *
 * @throws {CellrouteError} INVALID_CONFIG, naming the value, what was expected and what came.
 */
export function segmenterTraining(given: PartialSegmenterTraining = {}, path = ''): SegmenterTraining {
  return withLength(segmenterShape(given, path), path);
}

/** As {@link segmenterTraining}. */
export function classifierTraining(given: PartialClassifierTraining = {}, path = ''): ClassifierTraining {
  return withLength(classifierShape(given, path), path);
}

/** The seed's number of epochs; whoever gives a length in steps too must have meant one of them. */
function withLength<T extends Training>(config: T, path: string): T {
  if (config.epochs !== null && config.steps !== null) {
    throw refuse(path ? `${path}.steps` : 'steps', 'either epochs or steps', 'both', 'INVALID_CONFIG');
  }
  return config.epochs === null && config.steps === null ? { ...config, epochs: DEFAULT_EPOCHS } : config;
}

const DEFAULT_EPOCHS = 10;
