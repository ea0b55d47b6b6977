import { extname } from 'node:path';
import { refuse } from '../check.js';
import type { FloatType } from './convert-dtype.js';
import { type TensorSource, withFloats } from './source.js';
import { writeSafetensors } from './write-safetensors.js';
import { writeTorchZip } from './write-torch-zip.js';

export interface WeightsToWrite {
  tensors: readonly TensorSource[];
  /** Texts kept beside the tensors. */
  metadata?: Readonly<Record<string, string>>;
  /** What floating-point tensors are written as; default: what they are. Integers stay what they are. */
  floats?: FloatType | undefined;
}

const WRITERS: Readonly<Record<string, typeof writeSafetensors>> = {
  '.safetensors': writeSafetensors,
  '.pth': writeTorchZip,
  '.pt': writeTorchZip,
  '.bin': writeTorchZip,
};

/**
 * Writes a file of weights in the format its name ends in: `.safetensors`, or `.pth`, `.pt`, `.bin` for a torch zip
 * file. The file is there whole or not at all.
 *
 * @throws CellrouteError INVALID_ARGUMENT for another ending, FILE_UNWRITABLE
 */
export async function writeWeights(
  path: string,
  { tensors, metadata = {}, floats }: WeightsToWrite,
): Promise<void> {
  const write = WRITERS[extname(path).toLowerCase()];
  if (!write) throw refuse('path', `a name that ends in ${Object.keys(WRITERS).join(', ')}`, path);
  await write(path, floats ? tensors.map((source) => withFloats(source, floats)) : tensors, metadata);
}
