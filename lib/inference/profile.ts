import { performance } from 'node:perf_hooks';
import { decodeImage } from '../image/decode.js';
import { imageName } from '../image/input.js';
import { readOptionsIn } from '../image/select.js';
import type { ImageInput, ImageReadOptions, RawImage } from '../image/types.js';
import type { Precision } from './precision.js';

/** What one segmentation took: a line of JSON on stderr where `CELLROUTE_PROFILE` is 1. */
export interface SegmentProfile {
  width: number;
  height: number;
  precision: Precision;
  cells: number;
  /** Seconds from the call until its promise settled, decoding included. */
  total: number;
  /**
   * Seconds per stage; a stage inside another counts once. `decode` runs in libuv's thread pool, the others on the
   * device's thread, for the whole batch where small images ran together. The rest of `total` is time in the queue and
   * copies between threads.
   */
  seconds: Record<string, number>;
}

/** Whether each segmentation reports what its stages took. */
export const isProfiling = (): boolean => process.env.CELLROUTE_PROFILE === '1';

/** An image on its way through `segment`. */
export interface DecodedImage {
  pixels: RawImage;
  decodeSeconds: number;
  /** The name that the input has: a path's or a File's. */
  name?: string;
}

const secondsSince = (started: number): number => (performance.now() - started) / 1000;

/** {@link decodeImage}, with the time that it took. */
export async function decodeTimed(
  image: ImageInput,
  options: ImageReadOptions & { signal?: AbortSignal },
): Promise<DecodedImage> {
  const started = performance.now();
  const pixels = await decodeImage(image, {
    ...readOptionsIn(options),
    ...(options.signal && { signal: options.signal }),
  });
  const name = imageName(image);
  return { pixels, decodeSeconds: secondsSince(started), ...(name !== undefined && { name }) };
}

/**
 * Writes the profile of one segmentation.
 *
 * @param started performance.now() when the decoded image was passed on.
 * @param stages seconds per stage, `decode` among them.
 */
export function writeProfile(
  { width, height }: RawImage,
  precision: Precision,
  cells: number,
  started: number,
  stages: Record<string, number> & { decode: number },
): void {
  const round = (seconds: number) => Math.round(seconds * 1e6) / 1e6;
  const profile: SegmentProfile = {
    width,
    height,
    precision,
    cells,
    total: round(stages.decode + secondsSince(started)),
    seconds: Object.fromEntries(Object.entries(stages).map(([stage, time]) => [stage, round(time)])),
  };
  process.stderr.write(`${JSON.stringify(profile)}\n`);
}
