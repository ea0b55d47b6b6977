import type { ImageSize } from '../mask/masks.js';
import type { NativeProbe } from '../native/contract.js';

/** Blocks along each side of the grid in which contrast is measured. */
export const CONTRAST_BLOCKS = 16;

/**
 * The window with most contrast at a scale, because an empty part of an image has no cells to measure.
 *
 * @param contrast of each block of the grid, row by row.
 * @param factor pixels of the network's input per pixel of the image.
 * @param side of the window, in pixels of the network's input; a smaller image is taken whole.
 */
export function windowAt(
  contrast: ArrayLike<number>,
  image: ImageSize,
  factor: number,
  side: number,
): NativeProbe {
  const across = axisOf(image.width, factor, side);
  const down = axisOf(image.height, factor, side);
  let best = { x: 0, y: 0, mean: -1 };
  for (const y of down.starts) {
    for (const x of across.starts) {
      const mean = meanIn(contrast, x / across.length, y / down.length, across, down);
      if (mean > best.mean) best = { x, y, mean };
    }
  }
  return { scale: factor, x: best.x, y: best.y, width: across.size, height: down.size };
}

interface Axis {
  /** Size of the whole image in pixels of the network's input. */
  length: number;
  size: number;
  /** Where windows may begin: half a window apart. */
  starts: number[];
}

function axisOf(pixels: number, factor: number, side: number): Axis {
  // Rounded down as by native/model/transform.
  const length = Math.max(1, Math.floor(pixels * factor));
  const size = Math.min(side, length);
  const count = Math.max(1, Math.ceil((length - size) / (size / 2)) + 1);
  const starts = Array.from({ length: count }, (_, i) =>
    count === 1 ? 0 : Math.round((i * (length - size)) / (count - 1)),
  );
  return { length, size, starts };
}

/** Mean contrast of the blocks whose centre is in the window, which begins at shares x and y of the image. */
function meanIn(contrast: ArrayLike<number>, x: number, y: number, across: Axis, down: Axis): number {
  const range = (begin: number, share: number) => {
    const first = Math.floor(begin * CONTRAST_BLOCKS);
    const last = Math.ceil((begin + share) * CONTRAST_BLOCKS) - 1;
    return [first, Math.min(CONTRAST_BLOCKS - 1, Math.max(first, last))] as const;
  };
  const [left, right] = range(x, across.size / across.length);
  const [top, bottom] = range(y, down.size / down.length);
  let sum = 0;
  for (let row = top; row <= bottom; row++) {
    for (let column = left; column <= right; column++) sum += contrast[row * CONTRAST_BLOCKS + column]!;
  }
  return sum / ((right - left + 1) * (bottom - top + 1));
}
