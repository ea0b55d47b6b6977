import { types } from 'node:util';
import { checkNumber, refuse } from '../check.js';
import { type CheckedLimits, checkSize } from './limits.js';
import type { RawImage } from './types.js';

/** Hint for common errors in `data`. */
function dataHint(data: unknown): string | undefined {
  if (types.isAnyArrayBuffer(data)) return 'wrap the ArrayBuffer in the typed array of its values';
  if (types.isFloat64Array(data) || Array.isArray(data)) return 'convert it with Float32Array.from(data)';
  if (types.isUint8ClampedArray(data)) return 'view it with new Uint8Array(data.buffer)';
  if (types.isInt16Array(data)) return 'shift signed values into a Uint16Array or a Float32Array';
  return undefined;
}

/** Whether a value is an array of one of the supported sample types. */
export function isPixels(data: unknown): data is RawImage['data'] {
  return types.isUint8Array(data) || types.isUint16Array(data) || types.isFloat32Array(data);
}

/** Checks that the properties of a raw image are consistent. Copies nothing. */
export function checkRawImage(option: string, value: object, limits: CheckedLimits): RawImage {
  const { data, width, height, channels } = value as Record<keyof RawImage, unknown>;
  if (!isPixels(data)) {
    const hint = dataHint(data);
    throw refuse(
      `${option}.data`,
      `a Uint8Array, Uint16Array or Float32Array${hint ? ` (${hint})` : ''}`,
      data,
    );
  }
  const columns = checkNumber(`${option}.width`, width, { min: 1, integer: true });
  const rows = checkNumber(`${option}.height`, height, { min: 1, integer: true });
  const samples = checkNumber(`${option}.channels`, channels, { min: 1, max: 4, integer: true });
  const bytesPerPixel = samples * data.BYTES_PER_ELEMENT;
  checkSize({ width: columns, height: rows, bytesPerPixel }, limits);
  const expected = columns * rows * samples;
  if (data.length !== expected) {
    throw refuse(
      `${option}.data`,
      `${expected} values (width ${columns} × height ${rows} × channels ${samples})${lengthHint(data, columns * rows, samples)}`,
      data.length,
    );
  }
  return { data, width: columns, height: rows, channels: samples as RawImage['channels'] };
}

function lengthHint(data: RawImage['data'], pixels: number, samples: number): string {
  const channels = data.length / pixels;
  if (Number.isInteger(channels) && channels >= 1 && channels <= 4) {
    return `; this many would be right for channels ${channels}`;
  }
  const bytes = channels / samples;
  if (types.isUint8Array(data) && (bytes === 2 || bytes === 4)) {
    return `; these look like the bytes of a ${bytes === 2 ? 'Uint16Array' : 'Float32Array'}`;
  }
  return '';
}
