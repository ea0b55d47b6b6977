import { checkNumber, checkObject } from '../check.js';
import {
  flag,
  integer,
  list,
  nullable,
  number,
  object,
  type Read,
  type Reader,
  required,
  text,
} from '../config/schema.js';
import { quantile } from '../data/quantile.js';
import type { Training } from './config.js';

/** Length of a run. */
export interface RunLength {
  stepsPerEpoch: number;
  epochs: number;
  steps: number;
}

/** A length in steps may end in the middle of an epoch, whose last epoch is then shorter. */
export function lengthOf(
  { epochs, steps }: Pick<Training, 'epochs' | 'steps'>,
  stepsPerEpoch: number,
): RunLength {
  const all = steps ?? epochs! * stepsPerEpoch;
  return { stepsPerEpoch, epochs: Math.ceil(all / stepsPerEpoch), steps: all };
}

/** Number of steps in an epoch; epochs count from 0. */
export const batchesOf = ({ stepsPerEpoch, steps }: RunLength, epoch: number): number =>
  Math.min(stepsPerEpoch, steps - epoch * stepsPerEpoch);

const from = (start: number) => required(integer(start, start, Number.MAX_SAFE_INTEGER));

const numbersByName: Reader<Record<string, number>> = (value, path) =>
  Object.fromEntries(
    Object.entries(checkObject(path, value)).map(([name, one]) => [
      name,
      checkNumber(`${path}.${name}`, one),
    ]),
  );

/**
 * Position of a run between two actions. Together with the tensors of the network it is the complete state of the run.
 * All random numbers follow from the seed and these counters.
 */
const shape = object({
  /** Current epoch, from 0. */
  epoch: from(0),
  /** Finished steps of the epoch. */
  batch: from(0),
  /** Finished steps of the run. */
  step: from(0),
  /** Whether the log line of the epoch was written. */
  closed: required(flag(false)),
  /** Sums of the epoch's losses over `summed` steps, and their duration in seconds. */
  sums: numbersByName,
  summed: from(0),
  epochSeconds: required(number(0, { min: 0 })),
  /** Total losses of the last steps, for the divergence check. */
  recent: required(list<number>([], number(0, {}), { min: 0, max: 100_000 })),
  /** The last step that was validated; 0 for none. */
  validated: from(0),
  best: nullable(
    null,
    object({
      score: required(number(0, {})),
      tie: required(number(0, {})),
      step: from(0),
      /** Epoch of the best validation, from 1. */
      epoch: from(1),
      /** File name in `checkpoints/`. */
      file: required(text),
    }),
  ),
  /** Number of validations since the best one. */
  waited: from(0),
  /** Length of log.jsonl in bytes. */
  logBytes: from(0),
  /** Duration of all steps in seconds, without interruptions. */
  seconds: required(number(0, { min: 0 })),
});

export type Position = Readonly<Read<typeof shape>>;

export const readPosition = (value: unknown, path: string): Position => shape(value, path);

export const beginning: Position = {
  epoch: 0,
  batch: 0,
  step: 0,
  closed: false,
  sums: {},
  summed: 0,
  epochSeconds: 0,
  recent: [],
  validated: 0,
  best: null,
  waited: 0,
  logBytes: 0,
  seconds: 0,
};

/** Converts the position to epochs of another length, for a run resumed with other images or another batch size. */
export function rebased(position: Position, stepsPerEpoch: number): Position {
  const { epoch, batch, step } = position;
  if (epoch * stepsPerEpoch + batch === step && batch <= stepsPerEpoch) return position;
  return {
    ...position,
    epoch: Math.floor(step / stepsPerEpoch),
    batch: step % stepsPerEpoch,
    closed: false,
    sums: {},
    summed: 0,
    epochSeconds: 0,
  };
}

/** A step that was timed. */
export interface TimedStep {
  images: number;
  seconds: number;
}

/**
 * Mean duration of a step of an epoch in seconds, from the median duration per image. The last step of an epoch can have fewer
 * images: with 5 images and batches of 4, every second step has one, so that a median over steps would be that of one image.
 *
 * @param imagesPerStep mean over an epoch.
 */
export const secondsPerStepOf = (timed: readonly TimedStep[], imagesPerStep: number): number =>
  imagesPerStep * quantile(Float64Array.from(timed, ({ images, seconds }) => seconds / images).sort(), 0.5);

/** Number of steps over which the speed is averaged. */
const WINDOW = 20;

/** Speed of the last steps. */
export class Pace {
  readonly #steps: TimedStep[] = [];

  add(images: number, seconds: number): void {
    this.#steps.push({ images, seconds });
    if (this.#steps.length > WINDOW) this.#steps.shift();
  }

  get imagesPerSecond(): number {
    return this.#sum('images') / this.#sum('seconds');
  }

  get secondsPerStep(): number {
    return this.#sum('seconds') / this.#steps.length;
  }

  #sum(key: 'images' | 'seconds'): number {
    return this.#steps.reduce((sum, step) => sum + step[key], 0);
  }
}
