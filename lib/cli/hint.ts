import type { Segmentation } from '../inference/result.js';

/** The part of a result that a hint depends on. */
export interface FoundCells {
  count: number;
  scale: number;
}

export const foundCells = ({ cells, scale }: Segmentation): FoundCells => ({ count: cells.length, scale });

/** Fewer cells per image than this are few: most images that people segment have dozens. */
const FEW = 3;

/**
 * Advice for an image with no or few cells: most often the cells have another size than in training, or are of another kind.
 * undefined if there are enough cells.
 */
function hintFor(results: readonly FoundCells[]): string | undefined {
  const few = results.filter(({ count }) => count < FEW);
  if (few.length === 0 || 2 * few.length < results.length) return undefined;
  const scales = [...new Set(few.map(({ scale }) => scale))];
  const used =
    scales.length === 1 && scales[0] === 1
      ? ''
      : ` at scale ${scales.map((one) => one.toPrecision(3)).join(', ')}`;
  return [
    `${few.length} of ${results.length} images have fewer than ${FEW} cells${used}. If they should have more, try:`,
    '  --scale auto               decides for each image',
    '  --diameter PIXELS          the diameter of a typical cell in your images',
    '  --scale FACTOR             2 if your cells are half as large as those the model was trained on',
    '  cellroute finetune FOLDER --out MODEL   if you have some images with annotated cells',
  ].join('\n');
}

/** Prints {@link hintFor}. */
export function printHint(results: readonly FoundCells[]): void {
  const hint = hintFor(results);
  if (hint !== undefined) console.error(hint);
}
