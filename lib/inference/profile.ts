import { performance } from 'node:perf_hooks';
import type { CallImage } from './call-image.js';
import type { Precision } from './precision.js';

/** Profile of one segmentation: a line of JSON on stderr if `CELLROUTE_PROFILE` is 1. */
export interface SegmentProfile {
  width: number;
  height: number;
  precision: Precision;
  cells: number;
  /** Seconds from the call until its promise settled, including decoding. */
  total: number;
  /**
   * Seconds per stage. The time of an inner stage is not part of the outer one. `decode` runs in libuv's thread pool, all
   * others on the device's thread, for the whole batch if images were batched. The rest of `total` is time in the queue and
   * copies between threads.
   */
  seconds: Record<string, number>;
}

/** Whether segmentations write profiles. */
export const isProfiling = (): boolean => process.env.CELLROUTE_PROFILE === '1';

const secondsSince = (started: number): number => (performance.now() - started) / 1000;

/**
 * Writes the profile of one segmentation.
 *
 * @param started performance.now() when the decoded image was passed on.
 * @param stages seconds per stage on the device's thread.
 */
export function writeProfile(
  { width, height, decodeSeconds: decode }: CallImage,
  precision: Precision,
  cells: number,
  started: number,
  stages: Record<string, number>,
): void {
  const round = (seconds: number) => Math.round(seconds * 1e6) / 1e6;
  const profile: SegmentProfile = {
    width,
    height,
    precision,
    cells,
    total: round(decode + secondsSince(started)),
    seconds: Object.fromEntries(
      Object.entries({ decode, ...stages }).map(([stage, time]) => [stage, round(time)]),
    ),
  };
  process.stderr.write(`${JSON.stringify(profile)}\n`);
}
