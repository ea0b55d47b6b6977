import type { DatasetItem } from '../data/types.js';
import { CellrouteError } from '../errors.js';
import { decodeImage } from '../image/decode.js';
import type { RawImage } from '../image/types.js';
import type { Cells } from '../inference/cells.js';
import type { EvaluatedImage } from './types.js';

/**
 * Segments the images of a data set one after the other, for `evaluate`.
 *
 * @param segment from an image to its cells.
 * @param withClasses whether the classes of cells are evaluated; otherwise all cells have one class.
 * @param onImage called with the id of each image when its cells are there.
 */
export async function segmentItems(
  items: readonly DatasetItem[],
  segment: (image: RawImage) => Promise<{ cells: Cells }>,
  { withClasses = false, onImage }: { withClasses?: boolean; onImage?: (id: string) => void } = {},
): Promise<EvaluatedImage[]> {
  const images: EvaluatedImage[] = [];
  for (const item of items) {
    const { image, masks, labels } = await item.load();
    const { cells } = await segment(await decodeImage(image)).catch((error: unknown) => {
      throw error instanceof CellrouteError ? error.restated(`${item.id}: ${error.message}`, {}) : error;
    });
    images.push({
      id: item.id,
      cellType: item.cellType,
      groundTruth: masks,
      predicted: cells.masks,
      scores: cells.scores,
      // The predicted ones, as in result files; those of the masks differ.
      boxes: cells.boxes,
      ...(withClasses && { groundTruthLabels: labels, labels: cells.labels }),
    });
    onImage?.(item.id);
  }
  return images;
}
