import { cannotWrite, unwritable } from '../file-errors.js';
import { convertFloats, type FloatType, isFloat } from './convert-dtype.js';
import { tensorBytes } from './layout.js';
import type { TensorReader } from './read-tensor.js';
import type { DType, TensorEntry } from './table.js';

/** A tensor to be written. Its bytes are asked for when it is its turn, so that one tensor is in memory at a time. */
export interface TensorSource {
  name: string;
  dtype: DType;
  shape: readonly number[];
  /** Its elements, little-endian, in the order of their indices. */
  read(): Uint8Array | Promise<Uint8Array>;
}

/** A tensor of a file. */
export function sourceOfEntry(reader: TensorReader, entry: TensorEntry, name = entry.name): TensorSource {
  return { name, dtype: entry.dtype, shape: entry.shape, read: () => reader.read(entry) };
}

/** The same tensor, its numbers as `dtype` where they are floats; integers and truth values stay what they are. */
export function withFloats(source: TensorSource, dtype: FloatType): TensorSource {
  if (!isFloat(source.dtype)) return source;
  return { ...source, dtype, read: async () => convertFloats(await source.read(), source.dtype, dtype) };
}

/** The source's bytes, held against its shape. */
export async function bytesOf(source: TensorSource, path: string): Promise<Uint8Array> {
  const bytes = await (async () => source.read())().catch(unwritable(path));
  const expected = tensorBytes(source);
  if (bytes.byteLength !== expected) {
    throw cannotWrite(
      path,
      `tensor ${source.name} has ${bytes.byteLength} bytes where its shape says ${expected}`,
    );
  }
  return bytes;
}

export function checkUniqueNames(sources: readonly TensorSource[], path: string): void {
  const seen = new Set<string>();
  for (const { name } of sources) {
    if (seen.has(name)) throw cannotWrite(path, `two tensors are named ${name}`);
    seen.add(name);
  }
}
