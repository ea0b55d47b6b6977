import { damaged, type Where } from './errors.js';
import { type DType, itemBytes, type TensorEntry } from './table.js';

/** As many dimensions as a tensor may have here; PyTorch's own limit is 64. */
export const MAX_RANK = 64;

/**
 * Product of the dimensions, refused where it, or the product of the dimensions that are not 0, leaves the
 * integers a double holds: strides of an empty tensor are as long as its other dimensions say.
 */
export function elementCount(shape: readonly number[], where: Where): number {
  if (shape.length > MAX_RANK) throw damaged(where, `a tensor of ${shape.length} dimensions`);
  let span = 1;
  let empty = false;
  for (const length of shape) {
    if (!Number.isSafeInteger(length) || length < 0) throw damaged(where, `a dimension of ${length}`);
    if (length === 0) empty = true;
    else span *= length;
    if (!Number.isSafeInteger(span))
      throw damaged(where, `a shape too large to count: [${shape.join(', ')}]`);
  }
  return empty ? 0 : span;
}

/** Strides, in elements, of a tensor of this shape whose elements follow one another. */
export function contiguousStrides(shape: readonly number[]): number[] {
  const strides = new Array<number>(shape.length);
  let step = 1;
  for (let axis = shape.length - 1; axis >= 0; axis--) {
    strides[axis] = step;
    step *= Math.max(1, shape[axis]!);
  }
  return strides;
}

/** Whether the elements follow one another in the order of their indices. */
export function isContiguous({ shape, strides }: Pick<TensorEntry, 'shape' | 'strides'>): boolean {
  if (shape.includes(0)) return true;
  const dense = contiguousStrides(shape);
  return shape.every((length, axis) => length === 1 || strides[axis] === dense[axis]);
}

/** Bytes of the tensor once its elements follow one another. */
export const tensorBytes = ({ dtype, shape }: { dtype: DType; shape: readonly number[] }): number =>
  shape.reduce((product, length) => product * length, itemBytes(dtype));

/**
 * Checks that every element lies inside the storage and the storage inside the file, and that the tensor has no
 * more elements than its storage has room for: a stride of 0 could otherwise ask for any amount of memory.
 */
export function checkEntry(entry: TensorEntry, storageStart: number, fileSize: number, where: Where): void {
  const { name, dtype, shape, strides, offset, storageEnd } = entry;
  const size = itemBytes(dtype);
  const count = elementCount(shape, where);
  if (strides.length !== shape.length) {
    throw damaged(where, `tensor ${name} has ${shape.length} dimensions and ${strides.length} strides`);
  }
  let last = 0;
  for (const [axis, stride] of strides.entries()) {
    if (!Number.isSafeInteger(stride) || stride < 0)
      throw damaged(where, `tensor ${name} has a stride of ${stride}`);
    if (count > 0) last += (shape[axis]! - 1) * stride;
  }
  const end = offset + (count > 0 ? (last + 1) * size : 0);
  const inside =
    Number.isSafeInteger(offset) &&
    Number.isSafeInteger(end) &&
    storageStart >= 0 &&
    offset >= storageStart &&
    end <= storageEnd &&
    storageEnd <= fileSize;
  if (!inside) {
    throw damaged(
      where,
      `tensor ${name} reaches from byte ${offset} to ${end}, outside its storage (${storageStart} to ${storageEnd} of ${fileSize})`,
    );
  }
  if (count * size > storageEnd - storageStart) {
    throw damaged(
      where,
      `tensor ${name} repeats a storage of ${storageEnd - storageStart} bytes into ${count} elements`,
    );
  }
}
