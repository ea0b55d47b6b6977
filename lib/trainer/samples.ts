import sharp from 'sharp';
import type { DatasetItem, LoadedItem } from '../data/types.js';

/** Distance between the images of a sheet, in pixels. */
const GAP = 12;

/** Selects items evenly over the sorted ids; always the same ones. */
export function spread(items: readonly DatasetItem[], count: number | null): DatasetItem[] {
  if (count === null || count >= items.length) return [...items];
  return Array.from({ length: count }, (_, i) => items[Math.floor(((i + 0.5) * items.length) / count)]!);
}

/** Arranges PNGs in a grid, row by row. */
export async function sheetOf(images: readonly Buffer[], columns: number): Promise<Buffer> {
  const sizes = await Promise.all(images.map((image) => sharp(image).metadata()));
  const cellWidth = Math.max(...sizes.map(({ width }) => width)) + GAP;
  let top = 0;
  const placed: { input: Buffer; left: number; top: number }[] = [];
  for (let first = 0; first < images.length; first += columns) {
    const row = images.slice(first, first + columns);
    placed.push(...row.map((input, i) => ({ input, left: i * cellWidth, top })));
    top += Math.max(...sizes.slice(first, first + columns).map(({ height }) => height)) + GAP;
  }
  const width = Math.min(columns, images.length) * cellWidth - GAP;
  return sharp({ create: { width, height: top - GAP, channels: 3, background: '#181b21' } })
    .composite(placed)
    .png()
    .toBuffer();
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
