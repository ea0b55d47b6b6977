import type { Training } from './config.js';

/** How long a run is. */
export interface RunLength {
  stepsPerEpoch: number;
  epochs: number;
  steps: number;
}

/** A length in steps may end in the middle of an epoch, which is then a short one. */
export function lengthOf(
  { epochs, steps }: Pick<Training, 'epochs' | 'steps'>,
  stepsPerEpoch: number,
): RunLength {
  const all = steps ?? epochs! * stepsPerEpoch;
  return { stepsPerEpoch, epochs: Math.ceil(all / stepsPerEpoch), steps: all };
}

/** Steps of an epoch, which counts from 0. */
export const batchesOf = ({ stepsPerEpoch, steps }: RunLength, epoch: number): number =>
  Math.min(stepsPerEpoch, steps - epoch * stepsPerEpoch);
