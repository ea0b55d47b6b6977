import { readFile } from 'node:fs/promises';
import { extname } from 'node:path';
import { describe } from '../../check.js';
import { cocoEntries } from '../../data/coco-file.js';
import { type Fields, isId, readImage } from '../../data/coco-image.js';
import { readSegmentation } from '../../data/coco-segmentation.js';
import { dataInvalid } from '../../data/problems.js';
import { CellrouteError } from '../../errors.js';
import { type ImageSize, Masks } from '../../mask/masks.js';
import { type Side, type SideImage, type SideOptions, typeOf } from './side.js';

/** An image's annotations as they came. */
interface Gathered {
  id: number | string;
  size: ImageSize;
  name: string;
  columns: Record<string, string>;
  cells: { place: string; fields: Fields }[];
}

/** A COCO data set, of truth or of predictions; those may have scores. No image is looked at. */
export async function readCocoDataset(path: string, options: SideOptions): Promise<Side> {
  const images = new Map<unknown, Gathered>();
  const categories: [number | string, string][] = [];
  const early: { place: string; fields: Fields }[] = [];
  for await (const { list, place, value } of cocoEntries(path, options.signal)) {
    if (typeof value !== 'object' || value === null) throw wrong(path, place, 'an object', value);
    const fields = value as Fields;
    if (list === 'images') {
      const image = readImage(place, fields);
      if ('reason' in image) throw dataInvalid(path, `${image.column}: ${image.reason}`);
      const name = image.fileName.slice(0, image.fileName.length - extname(image.fileName).length);
      const { size, columns } = image;
      images.set(fields.id, { id: fields.id as number | string, size, name, columns, cells: [] });
    } else if (list === 'categories') {
      if (!isId(fields.id)) throw wrong(path, `${place}.id`, 'a whole number or a text', fields.id);
      categories.push([fields.id, typeof fields.name === 'string' ? fields.name : String(fields.id)]);
    } else {
      // The lists may come in any order.
      early.push({ place, fields });
    }
  }
  for (const { place, fields } of early) {
    const image = images.get(fields.image_id);
    if (!image) throw wrong(path, `${place}.image_id`, 'the id of an image of this file', fields.image_id);
    image.cells.push({ place, fields });
  }
  if (images.size === 0) throw dataInvalid(path, 'it has no images');
  const byId = categories.sort(([a], [b]) => compareIds(a, b));
  const names = new Map(byId.map(([id, name]) => [String(id), name]));
  return {
    path,
    images: [...images.values()]
      .sort((a, b) => compareIds(a.id, b.id))
      .map((image) => ({
        ...imageOf(path, image),
        ...typeOf(image.columns, options),
      })),
    classes: 'names',
    categories: names,
  };
}

/** A list of results, as pycocotools' loadRes takes it. */
export async function readCocoResults(path: string): Promise<Side> {
  const list = await readJson(path);
  if (!Array.isArray(list)) throw wrong(path, 'the file', 'a list of results', list);
  const images = new Map<string, Gathered>();
  list.forEach((value: unknown, i) => {
    const place = `[${i}]`;
    if (typeof value !== 'object' || value === null) throw wrong(path, place, 'an object', value);
    const fields = value as Fields;
    if (!isId(fields.image_id)) throw wrong(path, `${place}.image_id`, 'an id', fields.image_id);
    if (typeof fields.score !== 'number') throw wrong(path, `${place}.score`, 'a number', fields.score);
    const size = sizeOf(fields.segmentation);
    if (!size) throw wrong(path, `${place}.segmentation`, 'run lengths with their size', fields.segmentation);
    const id = fields.image_id;
    const image = images.get(String(id)) ?? { id, size, name: String(id), columns: {}, cells: [] };
    images.set(String(id), image);
    image.cells.push({ place, fields });
  });
  // loadRes looks at the first result alone: with a box there, areas are those of boxes.
  const first = (list[0] as Fields | undefined)?.bbox;
  const boxes = Array.isArray(first) && first.length > 0;
  return {
    path,
    images: [...images.values()].map((image) => resultOf(path, image, boxes)),
    classes: 'ids',
  };
}

function imageOf(path: string, { id, size, name, columns, cells }: Gathered): SideImage {
  const masks = masksOf(path, cells, size);
  const [areas, boxes] = [masks.areas(), masks.boxes()];
  const scored = cells.length > 0 && cells.every(({ fields }) => fields.score !== undefined);
  return {
    name,
    cocoId: id,
    size,
    columns,
    masks: () => masks,
    ...(scored && { scores: cells.map((cell) => numberOf(path, cell, 'score')) }),
    classes: classesOf(path, cells),
    crowd: cells.map(({ fields }) => fields.iscrowd === 1 || fields.iscrowd === true),
    areas: cells.map((cell, i) =>
      cell.fields.area === undefined ? areas[i]! : numberOf(path, cell, 'area'),
    ),
    boxes: cells.flatMap((cell, i) =>
      cell.fields.bbox === undefined ? [...boxes.subarray(4 * i, 4 * i + 4)] : boxOf(path, cell),
    ),
  };
}

function resultOf(path: string, { id, size, name, cells }: Gathered, boxes: boolean): SideImage {
  const masks = masksOf(path, cells, size);
  const own = boxes ? cells.map((cell) => boxOf(path, cell)) : undefined;
  return {
    name,
    cocoId: id,
    size,
    masks: () => masks,
    scores: cells.map((cell) => numberOf(path, cell, 'score')),
    classes: classesOf(path, cells),
    ...(own && { boxes: own.flat(), areas: own.map(([, , width, height]) => width * height) }),
  };
}

type Cell = Gathered['cells'][number];

function classesOf(path: string, cells: readonly Cell[]): string[] {
  return cells.map(({ place, fields: { category_id } }) => {
    if (!isId(category_id)) throw wrong(path, `${place}.category_id`, 'an id', category_id);
    return String(category_id);
  });
}

function numberOf(path: string, { place, fields }: Cell, name: 'score' | 'area'): number {
  const value = fields[name];
  if (typeof value !== 'number') throw wrong(path, `${place}.${name}`, 'a number', value);
  return value;
}

function boxOf(path: string, { place, fields: { bbox } }: Cell): [number, number, number, number] {
  if (!Array.isArray(bbox) || bbox.length !== 4 || bbox.some((value) => typeof value !== 'number')) {
    throw wrong(path, `${place}.bbox`, 'x, y, width and height', bbox);
  }
  return bbox as [number, number, number, number];
}

/** All masks of an image; compressed strings, which most are, at one go. */
function masksOf(path: string, cells: readonly Cell[], size: ImageSize): Masks {
  const texts = cells.map(({ place, fields: { segmentation } }) => {
    const own = sizeOf(segmentation);
    const { counts } = (segmentation ?? {}) as { counts?: unknown };
    if (typeof counts === 'string' && own?.width === size.width && own.height === size.height) return counts;
    const mask = readSegmentation(segmentation, size);
    if ('reason' in mask) throw dataInvalid(path, `${place}.segmentation: ${mask.reason}`);
    return mask.toCoco()[0]!;
  });
  try {
    return Masks.fromCoco(texts, size);
  } catch (error) {
    if (!(error instanceof CellrouteError) || error.code !== 'RLE_MALFORMED') throw error;
    const [, index, reason] = /^Mask (\d+): (.*)$/s.exec(error.message) ?? ['', '0', error.message];
    throw dataInvalid(path, `${cells[Number(index)]!.place}.segmentation: ${reason}`);
  }
}

function sizeOf(segmentation: unknown): ImageSize | undefined {
  const { size } = (segmentation ?? {}) as { size?: unknown };
  if (!Array.isArray(size) || size.length !== 2 || !size.every((side) => Number.isInteger(side) && side >= 1))
    return undefined;
  return { width: size[1] as number, height: size[0] as number };
}

/** A file of JSON, at one go. */
export async function readJson(path: string): Promise<unknown> {
  const text = await readFile(path, 'utf8').catch((cause: Error) => {
    throw new CellrouteError('FILE_UNREADABLE', `${path}: ${cause.message}`, { file: path }, { cause });
  });
  try {
    return JSON.parse(text);
  } catch (error) {
    throw dataInvalid(path, `it cannot be read as JSON: ${(error as Error).message}`);
  }
}

function wrong(path: string, place: string, expected: string, value: unknown): CellrouteError {
  return dataInvalid(path, `${place}: expected ${expected}, but it is ${describe(value)}`);
}

/** As numpy.unique sorts ids: equal scores are settled by the images' order. */
function compareIds(a: number | string, b: number | string): number {
  if (typeof a === 'number' && typeof b === 'number') return a - b;
  return String(a) < String(b) ? -1 : 1;
}
