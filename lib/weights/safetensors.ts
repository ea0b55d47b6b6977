import type { BoundedFile } from './bounded-file.js';
import { damaged, refused } from './errors.js';
import { contiguousStrides, elementCount } from './layout.js';
import { parseSafetensorsHeader } from './safetensors-header.js';
import { isDType, itemBytes, type TensorEntry } from './table.js';

/** Maximum size of the header, the limit of the Rust crate. */
export const MAX_HEADER_BYTES = 100_000_000;

/**
 * Reads the table of a safetensors file, as strict as the Rust crate: known types, unique names, and data that cover the
 * rest of the file without gaps or overlaps.
 */
export async function readSafetensors(
  file: BoundedFile,
): Promise<{ tensors: TensorEntry[]; metadata: Record<string, string> }> {
  const where = (position: number) => ({ file: file.path, position });
  const length = Number((await file.bytes(0, 8)).readBigUInt64LE());
  if (length > MAX_HEADER_BYTES)
    throw refused(where(0), `the header has ${length} bytes; at most ${MAX_HEADER_BYTES} are allowed`);
  const dataStart = 8 + length;
  if (dataStart > file.size)
    throw damaged(where(0), `the header has ${length} bytes, but the file only ${file.size}`);

  const header = parseSafetensorsHeader(await file.bytes(8, length), file.path);
  const tensors = header.tensors.map(({ name, dtype, shape, begin, end, position }): TensorEntry => {
    if (!isDType(dtype))
      throw refused(where(position), `tensor ${name} has the type ${dtype}, which is not supported`);
    const bytes = elementCount(shape, where(position)) * itemBytes(dtype);
    if (end - begin !== bytes) {
      throw damaged(
        where(position),
        `tensor ${name} needs ${bytes} bytes, but its range is ${begin} to ${end}`,
      );
    }
    return {
      name,
      dtype,
      shape,
      strides: contiguousStrides(shape),
      offset: dataStart + begin,
      storageEnd: dataStart + end,
    };
  });

  let covered = dataStart;
  for (const { name, offset, storageEnd } of tensors.toSorted(
    (a, b) => a.offset - b.offset || a.storageEnd - b.storageEnd,
  )) {
    if (offset !== covered) {
      throw damaged(
        where(offset),
        `tensor ${name} starts at ${offset}, but the previous one ends at ${covered}`,
      );
    }
    covered = storageEnd;
  }
  if (covered !== file.size) {
    throw damaged(
      where(Math.min(covered, file.size)),
      `the tensors end at ${covered}, but the file at ${file.size}`,
    );
  }
  return { tensors, metadata: header.metadata };
}
