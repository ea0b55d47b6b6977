import { performance } from 'node:perf_hooks';
import { decodeImage } from '../image/decode.js';
import { readOptionsIn } from '../image/select.js';
import type { ImageInput, ImageReadOptions, RawImage } from '../image/types.js';
import type { Precision } from './segmenter.js';

/** What one segmentation took: a line of JSON on stderr where `CELLROUTE_PROFILE` is 1. */
export interface SegmentProfile {
  width: number;
  height: number;
  precision: Precision;
  cells: number;
  /** From the call until its promise settled, decoding included. */
  total: number;
  /**
   * Seconds by stage, a stage inside another counted once: `decode` in libuv's pool, the others on the owner thread.
   * Those are of the whole batch where small images ran together. What is missing to `total` is the time in the
   * queue and the copies to and from the owner thread.
   */
  seconds: Record<string, number>;
}

/** Whether each segmentation tells what its stages took. */
export const isProfiling = (): boolean => process.env.CELLROUTE_PROFILE === '1';

const decodeSeconds = new WeakMap<RawImage, number>();

const secondsSince = (began: number): number => (performance.now() - began) / 1000;

/** {@link decodeImage} for a call that goes on to segment. */
export async function decodeToSegment(
  image: ImageInput,
  options: ImageReadOptions & { signal?: AbortSignal },
): Promise<RawImage> {
  const began = performance.now();
  const decoded = await decodeImage(image, {
    ...readOptionsIn(options),
    ...(options.signal && { signal: options.signal }),
  });
  if (isProfiling()) decodeSeconds.set(decoded, secondsSince(began));
  return decoded;
}

/** Writes the profile of a segmentation of a decoded image that began at `began` of performance.now(). */
export function writeProfile(
  decoded: RawImage,
  precision: Precision,
  cells: number,
  began: number,
  stages: Record<string, number>,
): void {
  const decode = decodeSeconds.get(decoded) ?? 0;
  const round = (seconds: number) => Math.round(seconds * 1e6) / 1e6;
  const seconds = Object.entries({ decode, ...stages }).map(([stage, time]) => [stage, round(time)]);
  const profile: SegmentProfile = {
    width: decoded.width,
    height: decoded.height,
    precision,
    cells,
    total: round(decode + secondsSince(began)),
    seconds: Object.fromEntries(seconds),
  };
  process.stderr.write(`${JSON.stringify(profile)}\n`);
}
