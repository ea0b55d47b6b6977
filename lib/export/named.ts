import { checkIterable, checkObject, refuse } from '../check.js';
import type { RoutedSegmentation, Segmentation } from '../inference/result.js';

/** A result and what its image is called in the file that is written. */
export interface NamedResult {
  /** The image's name: in Kaggle's files without its ending, in COCO's with it. */
  id: string;
  result: Segmentation | RoutedSegmentation;
}

/** @throws {CellrouteError} INVALID_ARGUMENT where a value is no result of a segmentation */
export function checkResult<T extends Segmentation>(option: string, value: T): T {
  const { cells } = checkObject(option, value);
  const { length } = checkObject(`${option}.cells`, cells);
  if (typeof length !== 'number') throw refuse(`${option}.cells`, 'the cells of a segmentation', cells);
  return value;
}

/** @throws {CellrouteError} INVALID_ARGUMENT where something is no list of results with the names of their images */
export function* checkedResults<T extends { id: string | number; result: Segmentation }>(
  images: Iterable<T>,
): Generator<T> {
  checkIterable('images', images, 'results with the names of their images');
  let index = 0;
  for (const image of images) {
    const option = `images[${index++}]`;
    checkResult(`${option}.result`, checkObject(option, image).result as Segmentation);
    yield image;
  }
}

/** The cell type the router named, where there was a router. */
export function cellTypeOf(result: Segmentation | RoutedSegmentation): string | undefined {
  return 'cellType' in result ? result.cellType : undefined;
}
