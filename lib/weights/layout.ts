import { damaged, type Where } from './errors.js';
import { type DType, itemBytes, type TensorEntry } from './table.js';

/** Maximum number of dimensions, as in PyTorch. */
export const MAX_RANK = 64;

/**
 * Product of the dimensions. It is refused if it, or the product of the dimensions other than 0, is not a safe integer:
 * the strides of an empty tensor depend on its other dimensions.
 */
export function elementCount(shape: readonly number[], where: Where): number {
  if (shape.length > MAX_RANK)
    throw damaged(where, `a tensor has ${shape.length} dimensions; at most ${MAX_RANK}`);
  let span = 1;
  let empty = false;
  for (const length of shape) {
    if (!Number.isSafeInteger(length) || length < 0)
      throw damaged(where, `a tensor has a dimension of ${length}`);
    if (length === 0) empty = true;
    else span *= length;
    if (!Number.isSafeInteger(span))
      throw damaged(where, `a tensor has too many elements: [${shape.join(', ')}]`);
  }
  return empty ? 0 : span;
}

/** Strides, in elements, of a contiguous tensor of this shape. */
export function contiguousStrides(shape: readonly number[]): number[] {
  const strides = new Array<number>(shape.length);
  let step = 1;
  for (let axis = shape.length - 1; axis >= 0; axis--) {
    strides[axis] = step;
    step *= Math.max(1, shape[axis]!);
  }
  return strides;
}

/** Whether the elements are stored contiguously in row-major order. */
export function isContiguous({ shape, strides }: Pick<TensorEntry, 'shape' | 'strides'>): boolean {
  if (shape.includes(0)) return true;
  const dense = contiguousStrides(shape);
  return shape.every((length, axis) => length === 1 || strides[axis] === dense[axis]);
}

/** Size of the tensor in bytes when stored contiguously. */
export const tensorBytes = ({ dtype, shape }: { dtype: DType; shape: readonly number[] }): number =>
  shape.reduce((product, length) => product * length, itemBytes(dtype));

/**
 * Checks that each element is inside the storage, the storage inside the file, and that the tensor has no more elements
 * than its storage. Otherwise, a stride of 0 could demand any amount of memory.
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
      `tensor ${name} expands a storage of ${storageEnd - storageStart} bytes to ${count} elements`,
    );
  }
}
