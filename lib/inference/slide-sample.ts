// Measurements of a slide before its tiles are segmented, from a sample of its pixels.
import { setImmediate as turn } from 'node:timers/promises';
import { CellrouteError } from '../errors.js';
import { arrayLike } from '../image/pixels.js';
import type { Slide, SlideWindow } from '../image/slide.js';
import { readWindow } from '../image/slide-window.js';
import type { RawImage } from '../image/types.js';
import type { ImageSize } from '../mask/masks.js';

/** A level with at most this number of pixels is its own sample. */
const MAX_WHOLE_PIXELS = 2048 ** 2;
/** The sample of a larger level: 8 × 8 windows of 256 × 256 pixels, which have the same number of pixels. */
const WINDOWS = 8;
const SIDE = 256;
/** For a larger level, the router and the scale are decided by some of 3 × 3 windows of 512 × 512 pixels. */
const OVERVIEW_WINDOWS = 3;
const OVERVIEW_SIDE = 512;
const ROUTED_CONTRAST = 0.1;
const SCALE_WINDOWS = 3;

/** Side of the blocks whose means distinguish background from cells. */
const BLOCK = 8;

/** Windows at equal distances; the whole level where it has few pixels. */
function windowsOf({ width, height }: ImageSize, level: number, count: number, side: number): SlideWindow[] {
  if (width * height <= MAX_WHOLE_PIXELS) return [{ x: 0, y: 0, width, height, level }];
  const [across, down] = [Math.min(side, width), Math.min(side, height)];
  const at = (length: number, own: number, i: number) =>
    Math.max(0, Math.min(length - own, Math.round(((i + 0.5) * length) / count - own / 2)));
  return Array.from({ length: count * count }, (_, i) => ({
    x: at(width, across, i % count),
    y: at(height, down, Math.floor(i / count)),
    width: across,
    height: down,
    level,
  }));
}

/**
 * The windows of level 0 whose classes decide the slide's. Of several, those are excluded that have less than a tenth of
 * the contrast of the one with most: an empty background has no type.
 */
export async function readRoutedWindows(slide: Slide, signal: AbortSignal): Promise<RawImage[]> {
  const seen = await readSeenWindows(slide, 0, signal);
  const maxContrast = Math.max(...seen.map(({ contrast }) => contrast));
  return seen.filter(({ contrast }) => contrast >= ROUTED_CONTRAST * maxContrast).map(({ image }) => image);
}

/** The windows of a level that decide its scale: of several, the three with most contrast. */
export async function readScaleWindows(
  slide: Slide,
  level: number,
  signal: AbortSignal,
): Promise<RawImage[]> {
  const seen = await readSeenWindows(slide, level, signal);
  const ranked = seen.sort((a, b) => b.contrast - a.contrast);
  return ranked.slice(0, SCALE_WINDOWS).map(({ image }) => image);
}

async function readSeenWindows(
  slide: Slide,
  level: number,
  signal: AbortSignal,
): Promise<{ image: RawImage; contrast: number }[]> {
  const seen = [];
  for (const window of windowsOf(slide.levels[level]!, level, OVERVIEW_WINDOWS, OVERVIEW_SIDE)) {
    const image = await readWindow(slide, window, signal);
    seen.push({ image, contrast: await contrastOf(image) });
  }
  return seen;
}

/** The sample of a level: windows below each other, all pixels where the level is small. */
export async function readSample(
  slide: Slide,
  level: number,
  size: ImageSize,
  signal: AbortSignal,
): Promise<RawImage> {
  const parts: RawImage[] = [];
  for (const window of windowsOf(size, level, WINDOWS, SIDE)) {
    parts.push(await readWindow(slide, window, signal));
  }
  const [first] = parts as [RawImage];
  if (parts.length === 1) return first;
  const data = arrayLike(first.data, first.data.length * parts.length);
  for (const [i, part] of parts.entries()) {
    checkAlike(part, first);
    data.set(part.data, i * first.data.length);
  }
  const { width, height, channels } = first;
  return { data, width, height: height * parts.length, channels };
}

/** @throws {CellrouteError} IMAGE_UNREADABLE for windows of different types. */
export function checkAlike(image: RawImage, first: { channels: number; data: RawImage['data'] }): void {
  const bytes = (data: RawImage['data']) => `${data.constructor.name}, `;
  if (image.channels === first.channels && image.data.constructor.name === first.data.constructor.name)
    return;
  throw new CellrouteError(
    'IMAGE_UNREADABLE',
    `The slide returned windows of different types: ${bytes(image.data)}${image.channels} channels, and ${bytes(first.data)}${first.channels} channels`,
  );
}

/** By how much the means of blocks of 8 × 8 pixels differ, over all channels: noise of single pixels has no effect. */
export async function contrastOf({ data, width, height, channels }: RawImage): Promise<number> {
  let [min, max] = [Infinity, -Infinity];
  const rows = Math.max(1, Math.floor(height / BLOCK));
  const columns = Math.max(1, Math.floor(width / BLOCK));
  const [blockHeight, blockWidth] = [Math.min(BLOCK, height), Math.min(BLOCK, width)];
  const sums = new Float64Array(columns);
  for (let row = 0; row < rows; row++) {
    if (row % 32 === 31) await turn();
    sums.fill(0);
    for (let y = row * blockHeight; y < (row + 1) * blockHeight; y++) {
      let i = y * width * channels;
      for (let column = 0; column < columns; column++) {
        let sum = 0;
        for (const end = i + blockWidth * channels; i < end; i++) sum += data[i]!;
        sums[column]! += sum;
      }
    }
    for (const sum of sums) {
      if (sum < min) min = sum;
      if (sum > max) max = sum;
    }
  }
  return (max - min) / (blockHeight * blockWidth * channels);
}
