import { types } from 'node:util';
import { isDetached, refuse } from '../check.js';

/** A box in pixels. It contains the columns x1 to x2 - 1 and the rows y1 to y2 - 1 of the image. */
export interface Box {
  x1: number;
  y1: number;
  x2: number;
  y2: number;
}

declare const order: unique symbol;

/**
 * Boxes as a flat array of x1, y1, x2, y2: 4 n numbers in pixels. This is the only order of boxes in cellroute. The type
 * cannot be confused with COCO's x, y, width, height. {@link fromCocoBoxes} and {@link toCocoBoxes} convert between the
 * two; {@link boxArray} checks an array that already has this order.
 */
export type BoxArray<T extends Float32Array | Float64Array = Float32Array | Float64Array> = T & {
  readonly [order]: 'x1, y1, x2, y2';
};

/**
 * Checks an array of x1, y1, x2, y2 and marks it as boxes. A Float32Array or Float64Array is returned itself; a plain
 * array is copied.
 *
 * @param option name of the boxes in error messages.
 * @throws {CellrouteError} INVALID_ARGUMENT if the length is not a multiple of 4, a number is not finite, or a box has
 *   x2 < x1 or y2 < y1, as x, y, width, height often gives.
 */
export function boxArray<T extends Float32Array | Float64Array>(values: T, option?: string): BoxArray<T>;
export function boxArray(values: readonly number[], option?: string): BoxArray<Float64Array>;
export function boxArray(values: ArrayLike<number>, option = 'boxes'): BoxArray {
  const typed = (types.isFloat32Array(values) || types.isFloat64Array(values)) && !isDetached(values);
  if (!typed && !Array.isArray(values))
    throw refuse(option, 'an array of x1, y1, x2, y2 of each box', values);
  const boxes = typed ? values : Float64Array.from(values as readonly number[]);
  if (boxes.length % 4 !== 0) throw refuse(option, 'four numbers per box', `${boxes.length} numbers`);
  for (let i = 0; i < boxes.length; i++) {
    if (!Number.isFinite(boxes[i])) throw refuse(`${option}[${i}]`, 'a finite number', values[i]);
    if (i % 4 >= 2 && boxes[i]! < boxes[i - 2]!) {
      const [low, high] = i % 4 === 2 ? ['x1', 'x2'] : ['y1', 'y2'];
      throw refuse(
        `${option}[${i}]`,
        `${high} of at least ${low} (${boxes[i - 2]}); convert boxes of x, y, width, height with fromCocoBoxes`,
        boxes[i],
      );
    }
  }
  return boxes as BoxArray;
}

/**
 * Converts boxes of COCO's x, y, width, height.
 *
 * @param values 4 n numbers in pixels.
 * @throws {CellrouteError} INVALID_ARGUMENT for a number that is not finite, or a negative width or height.
 */
export function fromCocoBoxes(values: ArrayLike<number>): BoxArray<Float64Array> {
  const usable = ArrayBuffer.isView(values) ? !isDetached(values) : Array.isArray(values);
  if (!usable) throw refuse('values', 'an array of x, y, width, height of each box', values);
  const corners = Float64Array.from(values, (value, i) => (i % 4 < 2 ? value : value + values[i - 2]!));
  return boxArray(corners);
}

/**
 * Converts boxes to COCO's x, y, width, height.
 *
 * @returns 4 n numbers in pixels.
 * @throws {CellrouteError} INVALID_ARGUMENT
 */
export function toCocoBoxes(boxes: BoxArray): Float64Array {
  boxArray(boxes);
  return Float64Array.from(boxes, (value, i) => (i % 4 < 2 ? value : value - boxes[i - 2]!));
}

/** Box `index` of an array. The index must be in range. */
export function boxAt(boxes: BoxArray, index: number): Box {
  const at = 4 * index;
  return { x1: boxes[at]!, y1: boxes[at + 1]!, x2: boxes[at + 2]!, y2: boxes[at + 3]! };
}
