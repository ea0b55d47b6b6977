import { readFile } from 'node:fs/promises';
import { types } from 'node:util';
import { decodeImage } from '../image/decode.js';
import { Masks } from '../mask/masks.js';

/** The cells of a label image (0 is background, every other value one cell), or the reason why it cannot be used. */
export async function readLabelImage(
  path: string,
  signal: AbortSignal | undefined,
): Promise<Masks | { reason: string }> {
  try {
    const { data, width, height, channels } = await decodeImage(await readFile(path), {
      ...(signal && { signal }),
    });
    if (channels !== 1 || types.isFloat32Array(data)) {
      return {
        reason: `its labels are ${channels === 1 ? 'floats' : 'in colour'}; whole numbers in one channel are read`,
      };
    }
    return Masks.fromLabels(data, { width, height }).masks;
  } catch (error) {
    signal?.throwIfAborted();
    return { reason: `its labels cannot be read: ${(error as Error).message}` };
  }
}
