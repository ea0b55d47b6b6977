import type { Colour } from './canvas.js';

/** Bright enough for dark fluorescence, strong enough for grey phase contrast, in the order they are handed out. */
export const palette: readonly Colour[] = [
  [255, 82, 82],
  [64, 196, 255],
  [255, 225, 64],
  [178, 120, 255],
  [90, 225, 90],
  [255, 150, 40],
  [60, 240, 190],
  [255, 105, 205],
  [190, 240, 60],
  [95, 135, 255],
];

/** Cells this near to each other, in pixels along a row or column, get different colours. */
const reach = 4;

/**
 * A palette index for each of `count` cells so that no two neighbours have the same, as far as the palette lasts;
 * `labels` has k + 1 in the pixels of cell k, in rows.
 */
export function neighbourColours(
  labels: Uint16Array | Uint32Array,
  width: number,
  count: number,
): Uint8Array {
  const neighbours = findNeighbours(labels, width, count);
  const colours = new Uint8Array(count);
  const uses = new Array<number>(palette.length).fill(0);
  for (let cell = 0; cell < count; cell++) {
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
  }
  return colours;
}

function findNeighbours(labels: Uint16Array | Uint32Array, width: number, count: number): Set<number>[] {
  const neighbours = Array.from({ length: count }, () => new Set<number>());
  const meet = (a: number, b: number) => {
    if (b === 0 || a === b) return;
    neighbours[a - 1]!.add(b - 1);
    neighbours[b - 1]!.add(a - 1);
  };
  const look = (at: number, stride: number, end: number) => {
    const label = labels[at]!;
    // Only where a label ends: what lies within reach of any of its pixels is within reach of its last
    if (label === 0 || labels[at + stride] === label) return;
    for (let step = 1, next = at + stride; step <= reach && next < end; step++, next += stride) {
      meet(label, labels[next]!);
    }
  };
  for (let rowEnd = width; rowEnd <= labels.length; rowEnd += width) {
    for (let at = rowEnd - width; at < rowEnd; at++) {
      look(at, 1, rowEnd);
      look(at, width, labels.length);
    }
  }
  return neighbours;
}
