import { inTurns } from '../in-parts.js';
import type { Masks, RowRun } from '../mask/masks.js';
import type { MaskWindow } from './outline.js';

/** A mask in the drawing's grid: its runs, and their bounding box. */
export interface Shape {
  runs: RowRun[];
  left: number;
  top: number;
  width: number;
  height: number;
}

/**
 * Maps mask `index` to a grid of `width` × `height` squares over the image. A square belongs to the mask if the pixel at its
 * centre does. A mask that contains no centre keeps one square, so that every cell is visible.
 */
export function shapeOf(masks: Masks, index: number, width: number, height: number): Shape {
  const all = Array.from(masks.runs(index));
  const runs = width === masks.width && height === masks.height ? all : coarser(all, masks, width, height);
  let [left, top, right, bottom] = [width, height, 0, 0];
  for (const { x, y, length } of runs) {
    left = Math.min(left, x);
    right = Math.max(right, x + length);
    top = Math.min(top, y);
    bottom = Math.max(bottom, y + 1);
  }
  return { runs, left, top, width: Math.max(0, right - left), height: Math.max(0, bottom - top) };
}

/** The shapes of all masks; see {@link shapeOf}. */
export async function shapesOf(
  masks: Masks,
  grid: { width: number; height: number },
  signal?: AbortSignal | undefined,
): Promise<Shape[]> {
  const shapes: Shape[] = [];
  await inTurns(masks.length, (i) => shapes.push(shapeOf(masks, i, grid.width, grid.height)), signal);
  return shapes;
}

function coarser(runs: readonly RowRun[], masks: Masks, width: number, height: number): RowRun[] {
  const acrossX = masks.width / width;
  const acrossY = masks.height / height;
  // First square whose centre is at or after a position.
  const first = (place: number, across: number) => Math.ceil(place / across - 0.5);
  const found: RowRun[] = [];
  for (const run of runs) {
    const y = first(run.y, acrossY);
    if (y === first(run.y + 1, acrossY)) continue;
    const x = first(run.x, acrossX);
    const length = first(run.x + run.length, acrossX) - x;
    if (length > 0) found.push({ x, y, length });
  }
  const middle = runs[runs.length >> 1];
  if (found.length > 0 || !middle) return found;
  return [
    {
      x: Math.min(width - 1, Math.floor((middle.x + middle.length / 2) / acrossX)),
      y: Math.min(height - 1, Math.floor((middle.y + 0.5) / acrossY)),
      length: 1,
    },
  ];
}

/** Converts a shape to a window with a border, for drawing its outline. */
export function windowOf({ runs, left, top, width, height }: Shape): MaskWindow {
  const frame = { left: left - 1, top: top - 1, width: width + 2, height: height + 2 };
  const bits = new Uint8Array(frame.width * frame.height);
  for (const { x, y, length } of runs) {
    const at = (y - frame.top) * frame.width + x - frame.left;
    bits.fill(1, at, at + length);
  }
  return { ...frame, bits };
}
