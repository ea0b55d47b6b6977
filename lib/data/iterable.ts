import { type SignalOptions, valuesUntilAborted } from '../abort.js';
import { checkIterable, checkKeys, checkNumber, checkObject, checkString, refuse } from '../check.js';
import { readImageInfo } from '../image/decode.js';
import { imageInMemory, readImage } from '../image/input.js';
import type { ImageContent, ImageInput } from '../image/types.js';
import { Masks } from '../mask/masks.js';
import { checkClassNames, Dataset } from './dataset.js';
import type { DatasetItem } from './types.js';

/** An image of your own with its cells. */
export interface AnnotatedImage {
  /** Unique id. Splits depend on it, so it should be the same on every machine. */
  id: string;
  /**
   * The image, or a function that returns it when it is needed, at least once per epoch. A path or URL is read at each
   * use; other images stay in memory.
   */
  image: ImageInput | ((options: SignalOptions) => ImageInput | Promise<ImageInput>);
  /** One mask per cell, with the size of the image. Empty masks are refused. */
  masks: Masks;
  /** Class of each cell, from 1. Default 1 for all. */
  labels?: ArrayLike<number>;
  cellType?: string;
  /** For splits, such as plate or fold. */
  columns?: Readonly<Record<string, string>>;
}

/** Options of {@link datasetFrom}. */
export interface DatasetFromOptions {
  /** Class names of cells: label k is `classNames[k - 1]`. Default ['cell']. */
  classNames?: readonly string[] | undefined;
  signal?: AbortSignal | undefined;
}

/**
 * Creates a data set of your own images. Masks stay in memory (they are small), and so do images that are not paths, URLs
 * or functions.
 *
 * @throws {CellrouteError} INVALID_ARGUMENT for an invalid image, with its index and the reason.
 */
export async function datasetFrom(
  images: Iterable<AnnotatedImage> | AsyncIterable<AnnotatedImage>,
  options: DatasetFromOptions = {},
): Promise<Dataset> {
  checkKeys('', checkObject('options', options), ['classNames', 'signal']);
  const { signal } = options;
  const classNames = checkClassNames(options.classNames);
  checkIterable('images', images, 'images');
  const items: DatasetItem[] = [];
  for await (const own of valuesUntilAborted(images, signal)) {
    items.push(await ownItem(own, `images[${items.length}]`, classNames.length));
  }
  if (items.length === 0) throw refuse('images', 'at least one image', 'none');
  return new Dataset(items, { classNames });
}

async function ownItem(own: AnnotatedImage, option: string, classes: number): Promise<DatasetItem> {
  checkKeys(option, checkObject(option, own), ['id', 'image', 'masks', 'labels', 'cellType', 'columns']);
  const { image, masks, cellType } = own;
  const id = checkString(`${option}.id`, own.id);
  if (cellType !== undefined) checkString(`${option}.cellType`, cellType);
  if (!(masks instanceof Masks)) throw refuse(`${option}.masks`, 'Masks', masks);
  const areas = masks.areas();
  const empty = areas.indexOf(0);
  if (empty >= 0) throw refuse(`${option}.masks`, 'masks with pixels', `an empty mask (${empty})`);
  const labels = checkLabels(`${option}.labels`, own.labels, masks.length, classes);
  const columns = checkColumns(`${option}.columns`, own.columns ?? {});
  const isPath = typeof image === 'string' || image instanceof URL;
  const fetchImage = typeof image === 'function' ? image : isPath ? () => image : undefined;
  // A path is read now, so that an error is found before the first epoch.
  const content =
    typeof image === 'function' ? undefined : await contentOf(`${option}.image`, image, undefined);
  if (content) await checkSize(`${option}.image`, content, masks);
  const kept = fetchImage ? undefined : content;
  return {
    id,
    cellType,
    columns,
    width: masks.width,
    height: masks.height,
    cells: masks.length,
    areas,
    async load({ signal } = {}) {
      const loaded = kept ?? (await contentOf(`the image of ${id}`, await fetchImage!({ signal }), signal));
      if (!kept) await checkSize(`the image of ${id}`, loaded, masks);
      return { image: loaded, masks, labels: labels.slice() };
    },
  };
}

const contentOf = async (
  option: string,
  image: ImageInput,
  signal: AbortSignal | undefined,
): Promise<ImageContent> =>
  imageInMemory(image, option) ?? (await readImage(image, { signal, maxBytes: Number.POSITIVE_INFINITY }));

async function checkSize(option: string, image: ImageContent, masks: Masks): Promise<void> {
  const { width, height } = ArrayBuffer.isView(image)
    ? await readImageInfo(image)
    : (checkObject(option, image) as Record<'width' | 'height', unknown>);
  if (width === masks.width && height === masks.height) return;
  throw refuse(
    option,
    `${masks.width} x ${masks.height} pixels, the size of its masks,`,
    `${width} x ${height}`,
  );
}

function checkLabels(option: string, labels: unknown, cells: number, classes: number): Int32Array {
  if (labels === undefined) return new Int32Array(cells).fill(1);
  const given = checkArray(option, labels, cells);
  return Int32Array.from(given, (label, i) =>
    checkNumber(`${option}[${i}]`, label, { min: 1, max: classes, integer: true }),
  );
}

function checkArray(option: string, value: unknown, length: number): ArrayLike<unknown> {
  const array = value as ArrayLike<unknown>;
  if (typeof value === 'object' && value !== null && array.length === length) return array;
  throw refuse(option, `an array of ${length} numbers, one per mask`, value);
}

function checkColumns(option: string, columns: unknown): Record<string, string> {
  const given = Object.entries(checkObject(option, columns));
  const wrong = given.find(([, value]) => typeof value !== 'string');
  if (wrong) throw refuse(`${option}.${wrong[0]}`, 'a string', wrong[1]);
  return Object.fromEntries(given) as Record<string, string>;
}
