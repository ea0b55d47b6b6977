import { damaged } from './errors.js';
import { checkEntry } from './layout.js';
import type { StorageRef, TensorRef, Value } from './pickle/values.js';
import { itemBytes, type Refusal, type TensorEntry } from './table.js';

/** The pickles of real checkpoints have some 100 KiB: their tensors lie elsewhere. */
export const MAX_PICKLE_BYTES = 1 << 26;

/** The bytes of the file a storage takes. */
export interface StoragePlace {
  start: number;
  end: number;
}

/** What torch.save's two containers have in common: a pickled value, and where its storages lie. */
export interface Checkpoint {
  root: Value;
  storage(ref: StorageRef): StoragePlace;
  steppedOver: ReadonlyMap<string, Refusal>;
  metadata: Record<string, string>;
}

/** The table's row of a tensor, its range checked. */
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
