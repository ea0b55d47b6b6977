import { checkKeys, checkNumber, checkObject, checkOneOf, checkString, refuse } from '../check.js';
import { checkAnnotated } from '../data/annotated.js';
import { Dataset } from '../data/dataset.js';
import { checkDevice, type Device } from '../inference/device.js';
import { SINGLE_TYPE } from '../inference/single-type.js';
import { METRIC_NAMES, type MetricName } from '../metrics/index.js';
import type { FinetuneEvent } from './events.js';

/** Options of {@link finetune}. */
export interface FinetuneOptions {
  /** Folder of the result; created if missing. */
  out: string;
  /** Images to hold out. Default: a fifth of the data, at least one image and at most twenty. */
  validation?: Dataset | undefined;
  /**
   * Weights that training starts from: `auto` (default), the best segmenter of the starter ensemble on the training images; a
   * type of the starter ensemble; or a segmenter of your own: a file of weights, the folder of a run, or an ensemble with one
   * segmenter.
   */
  start?: string | undefined;
  /** Time budget in minutes for the whole call, 0.5 to 10,000; default 10. */
  minutes?: number | undefined;
  /** Number of training steps, 1 to 1e9; replaces the time budget. */
  steps?: number | undefined;
  /** Metric that is maximized; default `kaggle` (the competition's mean precision). */
  metric?: MetricName | undefined;
  /** Name of the cell type in the resulting ensemble; default `cells`. */
  cellType?: string | undefined;
  /** Device of the training; default `auto`: a GPU if there is one. */
  device?: Device | undefined;
  /**
   * Arithmetic of the training. Default `auto`: tf32 on a GPU; on a CPU the faster of float32 and, if the CPU supports it,
   * bfloat16, by measurement. With `steps`, `auto` is float32 on a CPU, so that the result does not depend on the speed of the
   * machine.
   */
  precision?: 'auto' | 'float32' | 'bfloat16' | 'tf32' | undefined;
  /** Random seed; default 3011. */
  seed?: number | undefined;
  /** Continues an interrupted call with the same folder; options of the training are those of that call. Default false. */
  resume?: boolean | undefined;
  /** Description of how the data was opened; stored with the result. */
  source?: Record<string, unknown> | undefined;
  /**
   * Called with every event. An error that it throws, or a promise of it that is rejected, stops the call, which then rejects with
   * that error.
   */
  onEvent?: ((event: FinetuneEvent) => void) | undefined;
  /** Stops the training after writing a checkpoint; the call rejects with `signal.reason`. */
  signal?: AbortSignal | undefined;
}

const KEYS: readonly (keyof FinetuneOptions)[] = [
  'out',
  'validation',
  'start',
  'minutes',
  'steps',
  'metric',
  'cellType',
  'device',
  'precision',
  'seed',
  'resume',
  'source',
  'onEvent',
  'signal',
];

export const MINUTES = { min: 0.5, max: 10_000 } as const;

/** Options with defaults filled in. */
export interface CheckedOptions {
  out: string;
  start: string;
  minutes: number;
  steps: number | null;
  metric: MetricName;
  cellType: string;
  device: Device;
  precision: NonNullable<FinetuneOptions['precision']>;
  seed: number;
}

/** @throws {CellrouteError} INVALID_ARGUMENT, with the name of the option. */
export function checkFinetune(data: Dataset, options: FinetuneOptions): CheckedOptions {
  if (!(data instanceof Dataset)) throw refuse('data', 'a Dataset', data);
  checkAnnotated(data, 'data');
  checkKeys('', checkObject('options', options), KEYS);
  const { validation, steps, minutes, onEvent } = options;
  if (validation !== undefined && !(validation instanceof Dataset)) {
    throw refuse('validation', 'a Dataset', validation);
  }
  if (validation !== undefined) checkAnnotated(validation, 'validation');
  if (onEvent !== undefined && typeof onEvent !== 'function') throw refuse('onEvent', 'a function', onEvent);
  if (steps !== undefined && minutes !== undefined) throw refuse('steps', 'steps or minutes', 'both');
  return {
    out: checkString('out', options.out),
    start: checkString('start', options.start ?? 'auto'),
    minutes: checkNumber('minutes', minutes ?? 10, MINUTES),
    steps: steps === undefined ? null : checkNumber('steps', steps, { min: 1, max: 1e9, integer: true }),
    metric: checkOneOf('metric', options.metric ?? 'kaggle', METRIC_NAMES),
    cellType: checkString('cellType', options.cellType ?? SINGLE_TYPE),
    device: checkDevice('device', options.device ?? 'auto'),
    precision: checkOneOf('precision', options.precision ?? 'auto', ['auto', 'float32', 'bfloat16', 'tf32']),
    seed: checkNumber('seed', options.seed ?? 3011, { min: 0, max: Number.MAX_SAFE_INTEGER, integer: true }),
  };
}
