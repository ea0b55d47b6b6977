import { CellrouteError } from '../errors.js';
import type { DatasetContents } from './types.js';

/** What images without annotated cells serve for, as the end of a sentence. */
export const TYPES_SERVE = 'they serve to train a classifier (cellroute train classifier) and nothing else';

/**
 * Refuses a data set with images whose cells are not known, such as class folders.
 *
 * @param option names the data set in the error.
 * @throws {CellrouteError} INVALID_ARGUMENT
 */
export function checkAnnotated({ items }: Pick<DatasetContents, 'items'>, option: string): void {
  const alone = items.filter(({ typeOnly }) => typeOnly);
  const [first] = alone;
  if (!first) return;
  const expected = 'images with annotated cells';
  throw new CellrouteError(
    'INVALID_ARGUMENT',
    `Expected ${expected} for ${option} but ${alone.length} of ${items.length} images (${first.id}, …) have a cell type alone: ${TYPES_SERVE}`,
    {
      option,
      expected,
      got: 'images with a cell type alone',
      images: alone.slice(0, 10).map(({ id }) => id),
    },
  );
}
