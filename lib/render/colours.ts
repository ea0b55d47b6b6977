import { palette } from '../export/palette.js';
import { inTurns } from '../in-parts.js';
import type { Shape } from './shape.js';

/** Distance in grid squares along a row or column below which two cells get different colours. */
const reach = 4;

/**
 * Palette index per cell, so that neighbours have different colours if the palette has enough. The colour of a cell
 * depends only on the cells before it: cells with a lower score do not change it.
 */
export async function neighbourColours(
  shapes: readonly Shape[],
  { width, height }: { width: number; height: number },
  signal?: AbortSignal | undefined,
): Promise<Uint8Array> {
  const neighbours = await findNeighbours(shapes, width, height, signal);
  const colours = new Uint8Array(shapes.length);
  const uses = new Array<number>(palette.length).fill(0);
  const choose = (cell: number) => {
    const near = new Array<number>(palette.length).fill(0);
    for (const other of neighbours[cell]!) {
      if (other < cell) near[colours[other]!]!++;
    }
    let best = 0;
    for (let colour = 1; colour < palette.length; colour++) {
      const closer = near[colour]! - near[best]!;
      if (closer < 0 || (closer === 0 && uses[colour]! < uses[best]!)) best = colour;
    }
    colours[cell] = best;
    uses[best]!++;
  };
  await inTurns(shapes.length, choose, signal);
  return colours;
}

async function findNeighbours(
  shapes: readonly Shape[],
  width: number,
  height: number,
  signal: AbortSignal | undefined,
): Promise<Set<number>[]> {
  const neighbours = Array.from(shapes, () => new Set<number>());
  const addNeighbours = (a: number, b: number) => {
    if (b === 0 || a === b) return;
    neighbours[a - 1]!.add(b - 1);
    neighbours[b - 1]!.add(a - 1);
  };
  const labels = shapes.length < 65_536 ? new Uint16Array(width * height) : new Uint32Array(width * height);
  const draw = (cell: number) => {
    for (const { x, y, length } of shapes[cell]!.runs) {
      for (let at = y * width + x, end = at + length; at < end; at++) {
        // Where cells overlap, the first one keeps the pixel.
        if (labels[at] === 0) labels[at] = cell + 1;
        else addNeighbours(cell + 1, labels[at]!);
      }
    }
  };
  await inTurns(shapes.length, draw, signal);
  const visit = (at: number, stride: number, end: number) => {
    const label = labels[at]!;
    // Only the last pixel of a run is compared: everything within reach of the run is within reach of it.
    if (label === 0 || labels[at + stride] === label) return;
    for (let step = 1, next = at + stride; step <= reach && next < end; step++, next += stride) {
      addNeighbours(label, labels[next]!);
    }
  };
  const visitRow = (row: number) => {
    const rowEnd = (row + 1) * width;
    for (let at = rowEnd - width; at < rowEnd; at++) {
      visit(at, 1, rowEnd);
      visit(at, width, labels.length);
    }
  };
  await inTurns(height, visitRow, signal);
  return neighbours;
}
