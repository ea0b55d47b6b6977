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

/** The files of a result, beside those of the ensemble. */
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
  /** Since the call. */
  seconds(): number;
}

export const fileOf = ({ options }: Context, name: keyof typeof FILES): string =>
  join(options.out, FILES[name]);

/** What is decided before the training. Stored, so that an interrupted call continues in the same way. */
export interface Decided {
  start: Start & TriedStart;
  tried: TriedStart[];
  sizes: CellSizes;
  /** Micrometres per pixel of the images, where all state the same. */
  pixelSize: number | null;
  precision: 'float32' | 'bfloat16' | 'tf32';
  /** As native code names it. */
  device: string;
  /** Ids. */
  heldOut: string[];
}

/** The images and the number of steps that are planned for them. */
export interface Planned {
  plan: StepPlan;
  speed: Speed;
}

/** Thresholds of a network whose own are not known, and of one that was trained. */
export const PLAIN: SegmentThresholds = {
  minScore: 0.5,
  maskThreshold: 0.5,
  removeOverlaps: { maxLost: 0.2 },
};

const HELD_OUT = { share: 0.2, most: 20 } as const;

/**
 * Divides the images: those of `ids`, or a fifth of all, one at least and twenty at most, are held out. The draw
 * depends on seed and ids alone.
 */
export function divide(data: Dataset, seed: number, ids?: readonly string[]): DatasetParts {
  if (ids) return data.split({ ids });
  const { length } = data.items;
  const fraction = Math.min(HELD_OUT.share, HELD_OUT.most / length);
  return data.split({ fraction, seed });
}
