import type { ImageContent } from '../image/types.js';
import type { Masks } from '../mask/masks.js';
import type { Canvas } from '../render/canvas.js';
import { drawForSheet, type PredictedCells } from '../render/comparison.js';
import { sheetOf } from '../trainer/samples.js';

/** An image with its ground truth and the predictions before and after the training. */
export interface FigureImage {
  id: string;
  image: ImageContent;
  groundTruth: Masks;
  before: PredictedCells;
  after: PredictedCells;
}

/** Longer side of a comparison of two images side by side, in pixels. */
const MAX_SIDE = 1400;

/**
 * Draws two comparisons per image, one below the other: ground truth beside the prediction before the training, and beside
 * the prediction after it.
 */
export async function renderBeforeAfter(
  images: readonly FigureImage[],
  names: { before: string; after: string },
  signal?: AbortSignal,
): Promise<Buffer> {
  const drawn: Canvas[] = [];
  for (const { id, image, groundTruth, before, after } of images) {
    for (const [name, cells] of [
      [names.before, before],
      [names.after, after],
    ] as const) {
      drawn.push(
        await drawForSheet(image, groundTruth, cells, {
          title: `${id} · ${name}`,
          maxSide: MAX_SIDE,
          signal,
        }),
      );
    }
  }
  return sheetOf(drawn, 1);
}
