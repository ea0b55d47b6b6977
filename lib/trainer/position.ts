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

const from = (start: number) => required(integer(start, start, Number.MAX_SAFE_INTEGER));

const numbersByName: Reader<Record<string, number>> = (value, path) =>
  Object.fromEntries(
    Object.entries(checkObject(path, value)).map(([name, one]) => [
      name,
      checkNumber(`${path}.${name}`, one),
    ]),
  );

/**
 * Where a run stands between two actions: with the network's tensors, all that it needs to go on as if it had never
 * stopped. Everything random follows from the seed and these counters.
 */
const shape = object({
  /** From 0. */
  epoch: from(0),
  /** Steps of the epoch that are done. */
  batch: from(0),
  /** Steps of the run that are done. */
  step: from(0),
  /** Whether the epoch's line was written. */
  closed: required(flag(false)),
  /** Sums of the epoch's losses over `summed` steps, and the seconds they took. */
  sums: numbersByName,
  summed: from(0),
  epochSeconds: required(number(0, { min: 0 })),
  /** Total losses of the last steps, against which divergence is told. */
  recent: required(list<number>([], number(0, {}), { min: 0, max: 100_000 })),
  /** The last step that was validated; 0 for none. */
  validated: from(0),
  best: nullable(
    null,
    object({
      score: required(number(0, {})),
      tie: required(number(0, {})),
      step: from(0),
      /** From 1. */
      epoch: from(1),
      /** In `checkpoints/`. */
      file: required(text),
    }),
  ),
  /** Validations since the best one. */
  waited: from(0),
  /** Length of log.jsonl. */
  logBytes: from(0),
  /** That steps took, over interruptions. */
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

/** The same step among epochs of another length: of a run that goes on with other images or larger batches. */
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
