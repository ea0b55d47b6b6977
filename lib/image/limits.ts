import { checkKeys, checkNumber, checkObject } from '../check.js';
import { CellrouteError } from '../errors.js';

/** Most that an image may be. Checked from its header, before memory is taken for its pixels. */
export interface ImageLimits {
  /** Width times height; default 1e9. */
  pixels?: number;
  /** Bytes of the decoded pixels (width × height × channels × bytes per sample); default 2 GiB. */
  bytes?: number;
  /** Longer side in pixels; default 200,000. */
  side?: number;
  /**
   * Decoded bytes per byte of the file, beyond the first 64 MiB of decoded bytes; default 1000. A file that claims more
   * than its size justifies is damaged or hostile: deflate, of PNG and TIFF, cannot reach 1033.
   */
  ratio?: number;
}

export const LIMIT_KEYS = ['pixels', 'bytes', 'side', 'ratio'] as const;

const DEFAULT_LIMITS: Readonly<Required<ImageLimits>> = {
  pixels: 1e9,
  bytes: 2 ** 31,
  side: 200_000,
  ratio: 1000,
};

/** Decoded bytes that need no justification by the file's size. */
const FREE_BYTES = 2 ** 26;

/** The limits with defaults for what is left out. */
export function checkLimits(option: string, limits: unknown = {}): Required<ImageLimits> {
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
  /** Of one pixel, decoded. */
  bytesPerPixel: number;
  /** Of the file; undefined for raw pixels, which are in memory already. */
  encodedBytes?: number;
}

/** @throws {CellrouteError} IMAGE_TOO_LARGE with the limit that the image exceeds. */
export function checkSize(size: DecodedSize, limits: Required<ImageLimits>): void {
  const { width, height, bytesPerPixel, encodedBytes } = size;
  const pixels = width * height;
  const bytes = pixels * bytesPerPixel;
  const shape = `${width} × ${height}`;
  if (Math.max(width, height) > limits.side) {
    throw tooLarge('side', limits.side, `${shape} pixels`, 'a side longer than', shape);
  }
  if (pixels > limits.pixels) {
    throw tooLarge('pixels', limits.pixels, `${shape} pixels`, 'more than', shape);
  }
  if (bytes > limits.bytes) {
    throw tooLarge('bytes', limits.bytes, `${bytes} bytes of ${shape} pixels`, 'more than', String(bytes));
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
): CellrouteError {
  return new CellrouteError(
    'IMAGE_TOO_LARGE',
    `The image has ${has}, ${than} limits.${key} allows (${limit})`,
    { option: `limits.${key}`, expected: `at most ${limit}`, got },
  );
}
