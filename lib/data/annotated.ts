import { CellrouteError } from '../errors.js';
import type { DatasetContents } from './types.js';

/** The use of images without annotated cells, as the end of a sentence. */
export const ONLY_FOR_CLASSIFIERS =
  'they can only be used to train a classifier (cellroute train classifier)';

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
    `Expected ${expected} for ${option} but ${alone.length} of ${items.length} images (${first.id}, …) have only a cell type: ${ONLY_FOR_CLASSIFIERS}`,
    {
      option,
      expected,
      got: 'images with only a cell type',
      images: alone.slice(0, 10).map(({ id }) => id),
    },
  );
}
