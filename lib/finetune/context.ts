import { join } from 'node:path';
import type { Dataset, DatasetParts } from '../data/dataset.js';
import type { CellSizes } from '../data/diameters.js';
import { RUN_FILES } from '../inference/model-path.js';
import type { SegmentThresholds } from '../inference/thresholds.js';
import type { FinetuneEvent } from './events.js';
import type { CheckedOptions } from './options.js';
import type { Speed, StepPlan } from './schedule.js';
import type { TriedStart } from './summary.js';
import type { Start } from './try-starts.js';

/** Files in the folder of a result, in addition to those of the ensemble. */
export const FILES = {
  /** What was decided before the training, for resuming. */
  state: RUN_FILES.finetune,
  /** Folder of the training run. */
  run: 'run',
  summary: 'summary.json',
  figure: 'before-after.png',
} as const;

/** One call of `finetune`. */
export interface Context {
  options: CheckedOptions;
  parts: DatasetParts;
  call: { signal?: AbortSignal };
  emit(event: FinetuneEvent): void;
  /** Seconds since the call started. */
  seconds(): number;
}

export const fileOf = ({ options }: Context, name: keyof typeof FILES): string =>
  join(options.out, FILES[name]);

/** Decisions that are made before the training. They are stored, so that a resumed call uses the same ones. */
export interface Decided {
  start: Start & TriedStart;
  tried: TriedStart[];
  sizes: CellSizes;
  /** Micrometres per pixel, if all images have the same value; otherwise null. */
  pixelSize: number | null;
  precision: 'float32' | 'bfloat16' | 'tf32';
  /** Device name of the native code, such as `cuda:0`. */
  device: string;
  /** Ids of the held-out images. */
  heldOut: string[];
}

/** The planned number of steps and the measured speed that it follows from. */
export interface Planned {
  plan: StepPlan;
  speed: Speed;
}

/** Thresholds of a network whose file has none. */
export const DEFAULT_THRESHOLDS: SegmentThresholds = {
  minScore: 0.5,
  maskThreshold: 0.5,
  removeOverlaps: { maxLost: 0.2 },
};

const HELD_OUT = { share: 0.2, max: 20 } as const;

/**
 * Splits the images into training and validation. Held out are those of `ids`, or a random fifth of all images: at least one
 * and at most twenty. The random choice depends only on the seed and the ids of the images.
 */
export function splitHeldOut(data: Dataset, seed: number, ids?: readonly string[]): DatasetParts {
  if (ids) return data.split({ ids });
  const { length } = data.items;
  const fraction = Math.min(HELD_OUT.share, HELD_OUT.max / length);
  return data.split({ fraction, seed });
}
