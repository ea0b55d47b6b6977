import { describe } from '../check.js';
import type { ImageSize } from '../mask/masks.js';
import { readName } from './names.js';

export type Fields = Readonly<Record<string, unknown>>;

/** Description of an image in a COCO file. */
export interface CocoImage {
  id: string;
  /** Path relative to the folder of images. */
  fileName: string;
  size: ImageSize;
  /** Its fields with strings and numbers. */
  columns: Record<string, string>;
}

export function readImage(place: string, fields: Fields): CocoImage | { column: string; reason: string } {
  const { id, file_name, width, height, ...others } = fields;
  const wrong = (field: string, expected: string) => ({
    column: `${place}.${field}`,
    reason: `expected ${expected}, but it is ${describe(fields[field])}`,
  });
  if (!isId(id)) return wrong('id', 'an integer or a string');
  const fileName = typeof file_name === 'string' ? readName(file_name) : undefined;
  if (fileName === undefined) return wrong('file_name', 'a path below the folder of images, such as a.png');
  if (!isSide(width)) return wrong('width', 'a number of pixels');
  if (!isSide(height)) return wrong('height', 'a number of pixels');
  if (width * height >= 2 ** 32) return wrong('width', 'fewer than 2^32 pixels with the height');
  const columns = Object.entries({ id, ...others }).filter(
    ([, value]) => typeof value === 'string' || typeof value === 'number',
  );
  return {
    id: String(id),
    fileName,
    size: { width, height },
    columns: Object.fromEntries(columns.map(([name, value]) => [name, String(value)])),
  };
}

/** Ids are compared as text, because tools mix the number 1 and the string "1". */
export const isId = (id: unknown): id is string | number =>
  typeof id === 'string' || Number.isSafeInteger(id);

/** Order of ids, numbers first, as numpy.unique. It decides between equal scores. */
export function compareIds(a: string, b: string): number {
  const [x, y] = [Number(a), Number(b)];
  const numbers = [x, y].map((value, i) => [a, b][i] === String(value) && Number.isSafeInteger(value));
  if (numbers[0] && numbers[1]) return x - y;
  if (numbers[0] !== numbers[1]) return numbers[0] ? -1 : 1;
  return a < b ? -1 : Number(a > b);
}

/**
 * Whether an annotation is a region of many cells: COCO's `iscrowd` as 0, 1, false, true, "0" or "1". A missing value and
 * null are 0. Returns undefined for any other value.
 */
export function readCrowd(value: unknown): boolean | undefined {
  if (value === undefined || value === null || value === 0 || value === false || value === '0') return false;
  return value === 1 || value === true || value === '1' ? true : undefined;
}

const isSide = (side: unknown): side is number => Number.isInteger(side) && (side as number) >= 1;
