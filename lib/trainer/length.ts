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
