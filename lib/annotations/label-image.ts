import { readFile } from 'node:fs/promises';
import { types } from 'node:util';
import { decodeImage } from '../image/decode.js';
import { recognise } from '../image/format.js';
import { Masks } from '../mask/masks.js';
import { type LabelPixels, type LabelValues, readLabelTiff } from './label-tiff.js';

const MAX_LABEL = 2 ** 32 - 1;

/** The cells of a label image (0 is background, every other value one cell), or the reason why it cannot be used. */
export async function readLabelImage(
  path: string,
  signal: AbortSignal | undefined,
): Promise<Masks | { reason: string }> {
  try {
    const bytes = await readFile(path, { signal });
    const pixels = await readPixels(bytes, signal);
    if ('reason' in pixels) return pixels;
    const { width, height } = pixels;
    const labels = wholeNumbers(pixels.values, width);
    return 'reason' in labels ? labels : Masks.fromLabels(labels, { width, height }).masks;
  } catch (error) {
    signal?.throwIfAborted();
    return { reason: `its labels cannot be read: ${(error as Error).message}` };
  }
}

async function readPixels(
  bytes: Uint8Array,
  signal: AbortSignal | undefined,
): Promise<LabelPixels | { reason: string }> {
  const { supported } = recognise(bytes);
  if (supported === 'TIFF') return readLabelTiff(bytes);
  if (supported === 'JPEG' || (supported === 'WebP' && isLossyWebp(bytes))) {
    return {
      reason: `its labels are compressed with loss (${supported}), which changes their values: save them as PNG or TIFF`,
    };
  }
  const { data, width, height, channels } = await decodeImage(bytes, { signal });
  if (channels !== 1 || types.isFloat32Array(data)) {
    return { reason: 'its labels are in colour; whole numbers in one channel are read' };
  }
  return { values: data, width, height };
}

/** Whether a frame of a WebP is a `VP8 ` chunk: those of `VP8L` are lossless. */
function isLossyWebp(bytes: Uint8Array): boolean {
  const file = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  for (let at = 12; at + 8 <= file.length; ) {
    const name = file.toString('latin1', at, at + 4);
    if (name === 'VP8 ') return true;
    // A frame of an animation has its own chunks inside.
    const size = name === 'ANMF' ? 16 : file.readUInt32LE(at + 4);
    at += 8 + size + (size % 2);
  }
  return false;
}

function wholeNumbers(
  values: LabelValues,
  width: number,
): Uint8Array | Uint16Array | Uint32Array | { reason: string } {
  if (types.isUint8Array(values) || types.isUint16Array(values) || types.isUint32Array(values)) return values;
  const labels = new Uint32Array(values.length);
  for (let i = 0; i < values.length; i++) {
    const value = values[i]!;
    if (Number.isInteger(value) && value >= 0 && value <= MAX_LABEL) {
      labels[i] = value;
      continue;
    }
    const place = `at x ${i % width}, y ${Math.floor(i / width)}`;
    return { reason: `its labels are no whole numbers from 0 to 2^32 - 1: ${value} ${place}` };
  }
  return labels;
}
