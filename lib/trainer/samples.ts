import type { DatasetItem, LoadedItem } from '../data/types.js';
import type { Colour } from '../export/palette.js';
import { Canvas } from '../render/canvas.js';
import { encode } from '../render/encode.js';

/** Distance between the images of a sheet, in pixels. */
const GAP = 12;
const BACKGROUND: Colour = [24, 27, 33];

/** Selects items evenly over the sorted ids; always the same ones. */
export function spread(items: readonly DatasetItem[], count: number | null): DatasetItem[] {
  if (count === null || count >= items.length) return [...items];
  return Array.from({ length: count }, (_, i) => items[Math.floor(((i + 0.5) * items.length) / count)]!);
}

/** Arranges drawings in a grid, row by row, as a PNG. */
export function sheetOf(images: readonly Canvas[], columns: number): Promise<Buffer> {
  const cellWidth = Math.max(...images.map(({ width }) => width)) + GAP;
  let top = 0;
  const placed: { image: Canvas; left: number; top: number }[] = [];
  for (let first = 0; first < images.length; first += columns) {
    const row = images.slice(first, first + columns);
    for (const [i, image] of row.entries()) placed.push({ image, left: i * cellWidth, top });
    top += Math.max(...row.map(({ height }) => height)) + GAP;
  }
  const sheet = new Canvas(Math.min(columns, images.length) * cellWidth - GAP, top - GAP);
  sheet.fill(0, 0, sheet.width, sheet.height, BACKGROUND);
  for (const { image, left, top } of placed) sheet.place(image, left, top);
  return encode(sheet, 'png');
}

/** Loads each item while the previous one is processed. */
export async function* loadAhead(
  items: readonly DatasetItem[],
  signal?: AbortSignal,
): AsyncGenerator<{ item: DatasetItem; loaded: LoadedItem }> {
  let next = items[0]?.load({ signal });
  for (const [i, item] of items.entries()) {
    const loaded = await next!;
    next = items[i + 1]?.load({ signal });
    // The failure is reported when the item is due; until then it must not be an unhandled rejection.
    next?.catch(() => undefined);
    yield { item, loaded };
  }
}
