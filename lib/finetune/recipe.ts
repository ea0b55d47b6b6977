import type { MaskRCNNConfig, PartialMaskRCNNConfig } from '../config/mask-rcnn.js';
import type { CellSizes } from '../data/diameters.js';
import type { Device } from '../inference/device.js';
import type { MetricName } from '../metrics/index.js';
import type { PartialSegmenterTraining } from '../trainer/config.js';
import * as transforms from '../transforms/index.js';

/** Inputs of {@link recipeFor}. */
export interface RecipeInput {
  /** File of the initial weights. Its configuration applies to everything that the recipe does not set. */
  weights: string;
  /** Factor of the network's `resize`. */
  scale: number;
  /** AP at IoU 0.5 of the start on the training images, 0 to 1. */
  startScore: number;
  sizes: CellSizes;
  /** Micrometres per pixel, if all images have the same value; otherwise null. */
  pixelSize: number | null;
  steps: number;
  /** Steps between two validations. */
  everySteps: number;
  precision: 'float32' | 'bfloat16' | 'tf32';
  device: Device;
  metric: MetricName;
  seed: number;
}

/** Side of a training crop in pixels of the network's input: about five cell diameters of the starter's training. */
const CROP = 256;
const BATCH = 4;
/** Range of the random factor on the scale of a training sample. */
const JITTER = [0.75, 1.35] as const;
/** Minimum share of a cell that must lie inside a crop. */
const MIN_VISIBLE = 0.05;
/** Detections per image: 1.5 times the cells of the densest image, and at least the starter's limit. */
const DETECTIONS_MARGIN = 1.5;
const MIN_DETECTIONS = 500;

/**
 * Factor of the network's resize at which these cells have the diameter of the network's training. A network without
 * `trainedOn.diameter` keeps its own scale.
 */
export function scaleFor({ resize, trainedOn }: MaskRCNNConfig, { diameter }: CellSizes): number {
  const own = resize?.scale ?? 1;
  const wanted = trainedOn.diameter === null ? own : trainedOn.diameter / diameter;
  // Rounded to three digits, because the number is printed and stored.
  return Number(Math.min(16, Math.max(0.05, wanted)).toPrecision(3));
}

/** Peak learning rate: smaller for a start with a higher score, which needs smaller changes. */
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
    // Averages about the last tenth of the steps.
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
    // By time, because an epoch has few steps.
    checkpoint: { everyEpochs: null, everyMinutes: 1 },
    logs: { tensorboard: false },
  };
}

/** Settings of the network that follow from the images. */
function networkFor({ sizes, scale, pixelSize }: RecipeInput): PartialMaskRCNNConfig {
  const detections = Math.max(MIN_DETECTIONS, Math.ceil(DETECTIONS_MARGIN * sizes.maxPerImage));
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
