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
  /** Images to hold out. Default: a quarter of the data, one at least and twenty at most. */
  validation?: Dataset;
  /**
   * Where training starts: `auto` (default) tries each segmenter of the starter ensemble on the training images; a type of the
   * starter ensemble; or a segmenter of your own: a file of weights, the folder of a run, or an ensemble with one segmenter.
   */
  start?: string;
  /** Time budget in minutes, from the call to the result, 0.5 to 10,000; default 10. */
  minutes?: number;
  /** Number of training steps, instead of as many as the time budget allows. */
  steps?: number;
  /** Metric that is maximized; default `kaggle`. */
  metric?: MetricName;
  /** Name of the cell type in the resulting ensemble; default `cells`. */
  cellType?: string;
  /** Default `auto`: a GPU if there is one. */
  device?: Device;
  /**
   * Arithmetic of the training; default `auto`: the faster one of those that the device has, measured. With `steps` it is
   * float32, or tf32 on a GPU, so that the result does not depend on the speed of the machine.
   */
  precision?: 'auto' | 'float32' | 'bfloat16' | 'tf32';
  /** Random seed; default 3011. */
  seed?: number;
  /** Continues an interrupted call with the same folder. Options that shape the training are those of that call. */
  resume?: boolean;
  /** Stored with the result: how the data was opened. */
  source?: Record<string, unknown>;
  /** Called with every event. */
  onEvent?: (event: FinetuneEvent) => void;
  /** Stops the call with a checkpoint; it rejects with `signal.reason`. */
  signal?: AbortSignal;
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

/** Options with their defaults. */
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
