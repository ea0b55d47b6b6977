import { cannotWrite, unwritable } from '../file-errors.js';
import { convertFloats, type FloatType, isFloat } from './convert-dtype.js';
import { tensorBytes } from './layout.js';
import type { TensorReader } from './read-tensor.js';
import type { DType, TensorEntry } from './table.js';

/** A tensor to be written. Its bytes are read only when they are written, so one tensor is in memory at a time. */
export interface TensorSource {
  name: string;
  dtype: DType;
  shape: readonly number[];
  /** Reads its elements, little-endian, in row-major order. */
  read(): Uint8Array | Promise<Uint8Array>;
}

/** A tensor of a weights file, as a source. */
export function sourceOfEntry(reader: TensorReader, entry: TensorEntry, name = entry.name): TensorSource {
  return { name, dtype: entry.dtype, shape: entry.shape, read: () => reader.read(entry) };
}

/** Converts floating-point tensors to `dtype`; integers and booleans are unchanged. */
export function withFloats(source: TensorSource, dtype: FloatType): TensorSource {
  if (!isFloat(source.dtype)) return source;
  return { ...source, dtype, read: async () => convertFloats(await source.read(), source.dtype, dtype) };
}

/**
 * Reads the bytes of a source and checks their number against its shape.
 *
 * @param path of the file that is written, for errors.
 */
export async function bytesOf(
  source: TensorSource,
  path: string,
  signal: AbortSignal | undefined,
): Promise<Uint8Array> {
  signal?.throwIfAborted();
  const bytes = await (async () => source.read())().catch(unwritable(path));
  const expected = tensorBytes(source);
  if (bytes.byteLength !== expected) {
    throw cannotWrite(
      path,
      `tensor ${source.name} has ${bytes.byteLength} bytes, but its shape needs ${expected}`,
    );
  }
  return bytes;
}

export function checkUniqueNames(sources: readonly TensorSource[], path: string): void {
  const seen = new Set<string>();
  for (const { name } of sources) {
    if (seen.has(name)) throw cannotWrite(path, `two tensors have the name ${name}`);
    seen.add(name);
  }
}
