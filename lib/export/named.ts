import { checkIterable, checkNumber, checkObject, checkString, refuse } from '../check.js';
import type { RoutedSegmentation, Segmentation } from '../inference/result.js';

/** A result and the name of its image in the written file. */
export interface NamedResult {
  /** File name of the image: with extension in COCO files, without in Kaggle files. */
  id: string;
  result: Segmentation | RoutedSegmentation;
}

/** @throws {CellrouteError} INVALID_ARGUMENT if the value is not a segmentation result */
export function checkResult<T extends Segmentation>(option: string, value: T): T {
  const { cells } = checkObject(option, value);
  const { length } = checkObject(`${option}.cells`, cells);
  if (typeof length !== 'number') throw refuse(`${option}.cells`, 'the cells of a segmentation', cells);
  return value;
}

/** Writer of a text file of many results: a header, chunks per result and a footer. */
export interface TextWriter<T> {
  begin(): string;
  add(image: T): Iterable<string>;
  end(): string;
}

type Named = { id: string | number; result: Segmentation };

/**
 * Returns the complete text.
 *
 * @throws {CellrouteError} INVALID_ARGUMENT if `images` are not results with the names of their images
 */
export function textOf<T extends Named>(images: Iterable<T>, writer: TextWriter<T>): string {
  checkIterable('images', images, 'results with the names of their images');
  const parts = [writer.begin()];
  let index = 0;
  for (const image of images) parts.push(...writer.add(checkNamed(image, index++)));
  return [...parts, writer.end()].join('');
}

/** Returns the text in chunks while results arrive; no result is kept in memory. */
export async function* streamOf<T extends Named>(
  images: Iterable<T> | AsyncIterable<T>,
  writer: TextWriter<T>,
): AsyncGenerator<string, void, undefined> {
  checkIterable('images', images, 'results with the names of their images');
  yield writer.begin();
  let index = 0;
  for await (const image of images) yield* writer.add(checkNamed(image, index++));
  yield writer.end();
}

function checkNamed<T extends Named>(image: T, index: number): T {
  const option = `images[${index}]`;
  const { id, result } = checkObject(option, image);
  // COCO's ids are numbers or texts.
  if (typeof id === 'number') checkNumber(`${option}.id`, id);
  else checkString(`${option}.id`, id);
  checkResult(`${option}.result`, result as Segmentation);
  return image;
}

/** Cell type that the router predicted; undefined without a router. */
export function cellTypeOf(result: Segmentation | RoutedSegmentation): string | undefined {
  return 'cellType' in result ? result.cellType : undefined;
}
