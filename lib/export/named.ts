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

/** Text of many results, made of a beginning, pieces per result and an end: a file that is written piece by piece. */
export interface TextWriter<T> {
  begin(): string;
  add(image: T): Iterable<string>;
  end(): string;
}

type Named = { id: string | number; result: Segmentation };

/**
 * The whole text at once.
 *
 * @throws {CellrouteError} INVALID_ARGUMENT where something is no list of results with the names of their images
 */
export function textOf<T extends Named>(images: Iterable<T>, writer: TextWriter<T>): string {
  checkIterable('images', images, 'results with the names of their images');
  const parts = [writer.begin()];
  let index = 0;
  for (const image of images) parts.push(...writer.add(checkNamed(image, index++)));
  return [...parts, writer.end()].join('');
}

/** The text piece by piece, while results arrive: none is kept. */
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
  checkResult(`${option}.result`, checkObject(option, image).result as Segmentation);
  return image;
}

/** The cell type the router named, where there was a router. */
export function cellTypeOf(result: Segmentation | RoutedSegmentation): string | undefined {
  return 'cellType' in result ? result.cellType : undefined;
}
