import type { ImageContent } from '../image/types.js';
import type { Masks } from '../mask/masks.js';
import { type PredictedCells, renderComparison } from '../render/comparison.js';
import { sheetOf } from '../trainer/samples.js';

/** An image with the cells that were found in it before and after. */
export interface FigureImage {
  id: string;
  image: ImageContent;
  truth: Masks;
  before: PredictedCells;
  after: PredictedCells;
}

/** Longer side of a comparison, which has two images side by side. */
const MOST_SIDE = 1400;

/** Draws each image twice, below each other: ground truth beside the prediction before, and beside the one after. */
export async function renderBeforeAfter(
  images: readonly FigureImage[],
  names: { before: string; after: string },
  signal?: AbortSignal,
): Promise<Buffer> {
  const drawn: Buffer[] = [];
  for (const { id, image, truth, before, after } of images) {
    for (const [name, cells] of [
      [names.before, before],
      [names.after, after],
    ] as const) {
      drawn.push(
        await renderComparison(image, truth, cells, {
          title: `${id} · ${name}`,
          maxSide: MOST_SIDE,
          ...(signal && { signal }),
        }),
      );
    }
  }
  return sheetOf(drawn, 1);
}
