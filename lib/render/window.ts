import type { Masks } from '../mask/masks.js';
import type { MaskWindow } from './outline.js';

/** Mask `index` inside its frame; `boxes` as `masks.boxes()` gives them. */
export function maskWindow(masks: Masks, index: number, boxes: ArrayLike<number>): MaskWindow {
  const left = boxes[4 * index]! - 1;
  const top = boxes[4 * index + 1]! - 1;
  const width = boxes[4 * index + 2]! + 2;
  const height = boxes[4 * index + 3]! + 2;
  const bits = new Uint8Array(width * height);
  for (const { x, y, length } of masks.runs(index)) {
    const at = (y - top) * width + x - left;
    bits.fill(1, at, at + length);
  }
  return { left, top, width, height, bits };
}
