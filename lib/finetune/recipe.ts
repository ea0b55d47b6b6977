import type { MaskRCNNConfig, PartialMaskRCNNConfig } from '../config/mask-rcnn.js';
import type { CellSizes } from '../data/diameters.js';
import type { Device } from '../inference/device.js';
import type { MetricName } from '../metrics/index.js';
import type { PartialSegmenterTraining } from '../trainer/config.js';
import * as transforms from '../transforms/index.js';

/** What a run is planned from. */
export interface RecipeInput {
  /** File of the weights that training starts from; its configuration is the network's where the recipe sets nothing. */
  weights: string;
  /** Factor of the network's `resize`. */
  scale: number;
  /** AP at IoU 0.5 of the start on training images, 0 to 1. */
  startScore: number;
  /** Training images. */
  images: number;
  sizes: CellSizes;
  /** Micrometres per pixel of the images, where all state the same. */
  pixelSize: number | null;
  steps: number;
  /** Steps between two validations. */
  everySteps: number;
  precision: 'float32' | 'bfloat16' | 'tf32';
  device: Device;
  metric: MetricName;
  seed: number;
}

/** Side of a training crop in pixels of the network's input: some five cells of the starter's training diameters. */
const CROP = 256;
const BATCH = 4;
/** Cells are shown from this much smaller to this much larger than the network will see them. */
const JITTER = [0.75, 1.35] as const;
/** Least share of a cell that must be in a crop. */
const MIN_VISIBLE = 0.05;
/** Detections per image: half more than the densest image has, and at least as many as the starter's. */
const DETECTIONS_MARGIN = 1.5;
const LEAST_DETECTIONS = 500;

/**
 * Pixels of the network's input per pixel of the image at which these cells are as large as those that the network was
 * trained on. A network that does not know its training diameter keeps its own scale.
 */
export function scaleFor({ resize, trainedOn }: MaskRCNNConfig, { diameter }: CellSizes): number {
  const own = resize?.scale ?? 1;
  const wanted = trainedOn.diameter === null ? own : trainedOn.diameter / diameter;
  // Three digits: the number is printed and stored.
  return Number(Math.min(16, Math.max(0.05, wanted)).toPrecision(3));
}

/**
 * Peak learning rate: the better the start already is on the images, the smaller the changes that it needs, and the more
 * it has to lose.
 */
export const learningRateFor = (startScore: number): number =>
  startScore < 0.3 ? 6e-4 : startScore < 0.6 ? 3e-4 : 1e-4;

/** The training configuration for an amount of data, a start and a number of steps. */
export function recipeFor(input: RecipeInput): PartialSegmenterTraining {
  const { weights, scale, startScore, steps, everySteps } = input;
  return {
    network: networkFor(input),
    start: { kind: 'checkpoint', path: weights },
    seed: input.seed,
    batchSize: BATCH,
    steps,
    optimizer: { kind: 'adamw', weightDecay: 0.01 },
    schedule: { kind: 'one-cycle', maxLr: learningRateFor(startScore), pctStart: 0.2 },
    clipNorm: 5,
    // An average over about the last tenth of the steps.
    average: { decay: Math.min(0.998, Math.max(0.9, 1 - 10 / steps)) },
    precision: input.precision,
    device: input.device,
    resizeSamples: false,
    minVisible: MIN_VISIBLE,
    sampling: { boxBatchSize: 128 },
    transforms: [
      transforms.scaleJitter({ min: JITTER[0] * scale, max: JITTER[1] * scale }),
      transforms.randomCrop({ width: CROP, height: CROP }),
      transforms.flipHorizontal(),
      transforms.flipVertical(),
      transforms.quarterTurns(),
      transforms.intensity({ brightness: 0.25, contrast: 0.25, gamma: 0.3 }),
    ],
    validation: {
      everyEpochs: null,
      everySteps,
      metric: input.metric,
      patience: 4,
      samples: 2,
    },
    // An epoch has few steps, so that checkpoints follow the clock.
    checkpoint: { everyEpochs: null, everyMinutes: 1 },
    logs: { tensorboard: false },
  };
}

/** What the network changes for these images. */
function networkFor({ sizes, scale, pixelSize }: RecipeInput): PartialMaskRCNNConfig {
  const detections = Math.max(LEAST_DETECTIONS, Math.ceil(DETECTIONS_MARGIN * sizes.most));
  const proposals = 2 * detections;
  return {
    resize: { scale, maxSize: 1 << 16 },
    trainedOn: {
      diameter: Number((sizes.diameter * scale).toPrecision(4)),
      pixelSize: pixelSize === null ? null : Number((pixelSize / scale).toPrecision(4)),
    },
    box: { detectionsPerImage: detections },
    rpn: { preNmsTopN: proposals, postNmsTopN: proposals },
  };
}
