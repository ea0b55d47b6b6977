import { checkKeys, checkNumber, checkObject } from '../check.js';
import { CellrouteError } from '../errors.js';

/** Limits of images, checked with the header before memory is allocated for pixels. */
export interface ImageLimits {
  /** Maximum width × height. Default 1e9. */
  pixels?: number | undefined;
  /** Maximum bytes of the decoded pixels (width × height × channels × bytes per sample). Default 2 GiB. */
  bytes?: number | undefined;
  /** Maximum longer side in pixels. Default 200,000. */
  side?: number | undefined;
  /**
   * Maximum decoded bytes per byte of the file, beyond the first 64 MiB of decoded bytes. Default 1000. A file with a higher
   * ratio is damaged or malicious: deflate, used in PNG and TIFF, cannot reach 1033.
   */
  ratio?: number | undefined;
}

/** {@link ImageLimits} with defaults. */
export type CheckedLimits = Record<keyof ImageLimits, number>;

export const LIMIT_KEYS = ['pixels', 'bytes', 'side', 'ratio'] as const;

const DEFAULT_LIMITS: Readonly<CheckedLimits> = {
  pixels: 1e9,
  bytes: 2 ** 31,
  side: 200_000,
  ratio: 1000,
};

/** Advice about an image that is too large to be decoded as a whole. */
export const READ_BY_WINDOW =
  'to read it by window, pass the slide that openSlide opens (command line: cellroute segment-slide)';

/** Decoded bytes that are allowed for any size of the file. */
const FREE_BYTES = 2 ** 26;

/** Completes limits with defaults. */
export function checkLimits(option: string, limits: unknown = {}): CheckedLimits {
  checkKeys(option, checkObject(option, limits), LIMIT_KEYS);
  const given = limits as ImageLimits;
  const read = { ...DEFAULT_LIMITS };
  for (const key of LIMIT_KEYS) {
    if (given[key] !== undefined) read[key] = checkNumber(`${option}.${key}`, given[key], { min: 1 });
  }
  return read;
}

export interface DecodedSize {
  width: number;
  height: number;
  /** Bytes per decoded pixel. */
  bytesPerPixel: number;
  /** Size of the file in bytes; undefined for raw pixels, which are in memory. */
  encodedBytes?: number;
  /** Whether files of this format can be read by window. */
  byWindow?: boolean;
}

/** @throws {CellrouteError} IMAGE_TOO_LARGE with the limit that the image exceeds. */
export function checkSize(size: DecodedSize, limits: CheckedLimits): void {
  const { width, height, bytesPerPixel, encodedBytes, byWindow = false } = size;
  const advice = byWindow ? `; ${READ_BY_WINDOW}` : '';
  const pixels = width * height;
  const bytes = pixels * bytesPerPixel;
  const shape = `${width} × ${height}`;
  if (Math.max(width, height) > limits.side) {
    throw tooLarge('side', limits.side, `${shape} pixels`, 'a side longer than', shape);
  }
  if (pixels > limits.pixels) {
    throw tooLarge('pixels', limits.pixels, `${shape} pixels`, 'more than', shape, advice);
  }
  if (bytes > limits.bytes) {
    const has = `${bytes} bytes of ${shape} pixels`;
    throw tooLarge('bytes', limits.bytes, has, 'more than', String(bytes), advice);
  }
  if (encodedBytes !== undefined && bytes > FREE_BYTES + limits.ratio * encodedBytes) {
    const has = `${bytes} bytes of ${shape} pixels in a file of ${encodedBytes} bytes`;
    throw tooLarge('ratio', limits.ratio, has, 'more than', String(Math.round(bytes / encodedBytes)));
  }
}

function tooLarge(
  key: keyof ImageLimits,
  limit: number,
  has: string,
  than: string,
  got: string,
  advice = '',
): CellrouteError {
  return new CellrouteError(
    'IMAGE_TOO_LARGE',
    `The image has ${has}, ${than} limits.${key} allows (${limit})${advice}`,
    { option: `limits.${key}`, expected: `at most ${limit}`, got },
  );
}
