import { damaged } from './errors.js';
import { checkEntry } from './layout.js';
import type { StorageRef, TensorRef, Value } from './pickle/values.js';
import { itemBytes, type Refusal, type TensorEntry } from './table.js';

/** Maximum size of a pickle. Real ones have about 100 KiB, because tensors are stored outside the pickle. */
export const MAX_PICKLE_BYTES = 1 << 26;

/** The range of bytes that a storage occupies in the file. */
export interface StoragePlace {
  start: number;
  end: number;
}

/** A checkpoint in either of torch.save's containers: the pickled value, and the location of its storages. */
export interface Checkpoint {
  root: Value;
  storage(ref: StorageRef): StoragePlace;
  skippedCalls: ReadonlyMap<string, Refusal>;
  metadata: Record<string, string>;
}

/** Creates the table entry of a tensor, and checks its range. */
export function entryOf(
  name: string,
  tensor: TensorRef,
  { start, end }: StoragePlace,
  file: { path: string; size: number },
): TensorEntry {
  const { storage, dtype, position } = tensor;
  const where = { file: file.path, position };
  let from = start;
  let to = end;
  if (storage.view) {
    from = start + storage.view.start * itemBytes(dtype);
    to = from + storage.view.length * itemBytes(dtype);
    if (!(to <= end)) throw damaged(where, `storage ${storage.key} is smaller than a view of it`);
  }
  const entry: TensorEntry = {
    name,
    dtype,
    shape: tensor.shape,
    strides: tensor.strides,
    offset: from + tensor.offset * itemBytes(dtype),
    storageEnd: to,
  };
  checkEntry(entry, from, file.size, where);
  return entry;
}
