import { types } from 'node:util';
import { readImageFile } from '../image/companions.js';
import { decodeImage } from '../image/decode.js';
import { recognise } from '../image/format.js';
import { Masks } from '../mask/masks.js';
import { IN_COLOUR, type LabelPixels, type LabelValues, readLabelTiff } from './label-tiff.js';

const MAX_LABEL = 2 ** 32 - 1;

/** The cells of a label image with notices, or the reason why it cannot be used. */
export type LabelImage = { masks: Masks; notices: readonly string[] } | { reason: string };

/** Reads a label image: 0 is background, every other value one cell. */
export async function readLabelImage(path: string, signal: AbortSignal | undefined): Promise<LabelImage> {
  try {
    const bytes = await readImageFile(path, signal);
    const pixels = await readPixels(bytes, signal);
    if ('reason' in pixels) return pixels;
    const { width, height } = pixels;
    const labels = wholeNumbers(pixels.values, width);
    if ('reason' in labels) return labels;
    const { masks, ids } = Masks.fromLabels(labels, { width, height });
    const checked = checkParts(labels, width, ids);
    return 'reason' in checked ? checked : { masks, ...checked };
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
      reason: `its labels use lossy compression (${supported}), which changes their values: save them as PNG or TIFF`,
    };
  }
  const { data, width, height, channels } = await decodeImage(bytes, { signal });
  if (channels !== 1 || types.isFloat32Array(data)) {
    return { reason: IN_COLOUR };
  }
  return { values: data, width, height };
}

/** Usual foreground values of binary masks. */
const BINARY: ReadonlySet<number> = new Set([1, 255, 65_535]);
/** An image with more values is not a map of classes. */
const MAX_CLASSES = 8;
/** With at least this number of connected parts per value, values are more likely classes than cells. */
const MANY_PARTS = 3;

/** Detects binary masks and maps of classes, in which separate cells have the same value and would be read as one cell. */
function checkParts(
  labels: Uint8Array | Uint16Array | Uint32Array,
  width: number,
  ids: Uint32Array,
): { notices: string[] } | { reason: string } {
  if (ids.length === 0 || ids.length > MAX_CLASSES) return { notices: [] };
  const parts = countParts(labels, width, MANY_PARTS * ids.length);
  const remedy = 'give each cell a different number, as skimage.measure.label does';
  if (ids.length === 1 && parts > 1 && BINARY.has(ids[0]!)) {
    return {
      reason: `its labels are a mask of ${parts} parts or more with the one value ${ids[0]}: ${remedy}`,
    };
  }
  if (parts < MANY_PARTS * ids.length) return { notices: [] };
  return {
    notices: [
      `its labels have ${ids.length} values in ${parts} parts or more: if values are classes, ${remedy}`,
    ],
  };
}

/** Number of connected parts with one value other than 0, at most `max`. Pixels are connected at sides and corners. */
function countParts(labels: Uint8Array | Uint16Array | Uint32Array, width: number, max: number): number {
  const seen = new Uint8Array(labels.length);
  const stack: number[] = [];
  let parts = 0;
  for (let start = 0; start < labels.length && parts < max; start++) {
    if (labels[start] === 0 || seen[start] !== 0) continue;
    parts++;
    seen[start] = 1;
    stack.push(start);
    for (let at = stack.pop(); at !== undefined; at = stack.pop()) {
      const x = at % width;
      for (let row = at - width; row <= at + width; row += width) {
        for (let next = row - Number(x > 0); next <= row + Number(x < width - 1); next++) {
          if (next < 0 || next >= labels.length || seen[next] !== 0 || labels[next] !== labels[at]) continue;
          seen[next] = 1;
          stack.push(next);
        }
      }
    }
  }
  return parts;
}

/** Whether a frame of a WebP is a `VP8 ` chunk: those of `VP8L` are lossless. */
function isLossyWebp(bytes: Uint8Array): boolean {
  const file = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  for (let at = 12; at + 8 <= file.length; ) {
    const name = file.toString('latin1', at, at + 4);
    if (name === 'VP8 ') return true;
    // A frame of an animation contains its own chunks.
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
    return { reason: `its labels are not integers from 0 to 2^32 - 1: ${value} ${place}` };
  }
  return labels;
}
