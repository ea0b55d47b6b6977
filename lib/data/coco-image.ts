import { isAbsolute, posix } from 'node:path';
import { describe } from '../check.js';
import type { ImageSize } from '../mask/masks.js';

export type Fields = Readonly<Record<string, unknown>>;

/** An image of a COCO file, with the cells that came for it. */
export interface CocoImage {
  place: string;
  /** Below the folder of images. */
  fileName: string;
  size: ImageSize;
  /** Texts and numbers the file says of it. */
  columns: Record<string, string>;
  /** Annotations of single cells, usable or not. */
  annotations: number;
  /** Usable ones as COCO's strings, each with its category. */
  cells: { place: string; counts: string; category: unknown }[];
}

export function readImage(place: string, fields: Fields): CocoImage | { column: string; reason: string } {
  const { id, file_name, width, height, ...others } = fields;
  const wrong = (field: string, expected: string) => ({
    column: `${place}.${field}`,
    reason: `expected ${expected}, but it is ${describe(fields[field])}`,
  });
  if (!isId(id)) return wrong('id', 'a whole number or a text');
  if (typeof file_name !== 'string' || !isInside(file_name)) {
    return wrong('file_name', 'a path below the folder of images');
  }
  if (!isSide(width)) return wrong('width', 'a number of pixels');
  if (!isSide(height)) return wrong('height', 'a number of pixels');
  if (width * height >= 2 ** 32) return wrong('width', 'fewer than 2^32 pixels with the height');
  const columns = Object.entries({ id, ...others }).filter(
    ([, value]) => typeof value === 'string' || typeof value === 'number',
  );
  return {
    place,
    fileName: posix.normalize(file_name),
    size: { width, height },
    columns: Object.fromEntries(columns.map(([name, value]) => [name, String(value)])),
    annotations: 0,
    cells: [],
  };
}

export const isId = (id: unknown): id is string | number =>
  typeof id === 'string' || Number.isSafeInteger(id);

const isSide = (side: unknown): side is number => Number.isInteger(side) && (side as number) >= 1;

/** A data set may not name images anywhere on the machine. */
function isInside(fileName: string): boolean {
  const path = posix.normalize(fileName);
  return (
    fileName !== '' &&
    !/[\0\\]/.test(fileName) &&
    !isAbsolute(path) &&
    path !== '..' &&
    !path.startsWith('../')
  );
}
