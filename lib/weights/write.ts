import { extname } from 'node:path';
import { refuse } from '../check.js';
import type { FloatType } from './convert-dtype.js';
import { type TensorSource, withFloats } from './source.js';
import { writeSafetensors } from './write-safetensors.js';
import { writeTorchZip } from './write-torch-zip.js';

export interface WeightsToWrite {
  tensors: readonly TensorSource[];
  /** Texts stored with the tensors. */
  metadata?: Readonly<Record<string, string>>;
  /** Type of floating-point tensors. Default: unchanged. Integers are always unchanged. */
  floats?: FloatType | undefined;
  /** Checked before each tensor. */
  signal?: AbortSignal | undefined;
}

const WRITERS: Readonly<Record<string, typeof writeSafetensors>> = {
  '.safetensors': writeSafetensors,
  '.pth': writeTorchZip,
  '.pt': writeTorchZip,
  '.bin': writeTorchZip,
};

/** The extension of a weights file that can be written. */
export function checkExtension(option: string, path: string): string {
  const extension = extname(path).toLowerCase();
  if (Object.hasOwn(WRITERS, extension)) return extension;
  throw refuse(option, `a file name with the extension ${Object.keys(WRITERS).join(', ')}`, path);
}

/**
 * Writes a weights file. The format follows from the extension: `.safetensors`, or `.pth`, `.pt`, `.bin` for a torch zip
 * file. The file is replaced atomically.
 *
 * @throws CellrouteError INVALID_ARGUMENT for another extension, FILE_UNWRITABLE; `signal.reason` after an abort
 */
export async function writeWeights(
  path: string,
  { tensors, metadata = {}, floats, signal }: WeightsToWrite,
): Promise<void> {
  const write = WRITERS[checkExtension('path', path)]!;
  await write(path, floats ? tensors.map((source) => withFloats(source, floats)) : tensors, metadata, signal);
}
