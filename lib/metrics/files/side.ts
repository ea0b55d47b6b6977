import type { ImageSize, Masks } from '../../mask/masks.js';

/** What a file says of one image's cells. */
export interface SideImage {
  /** Its name without an ending (in COCO's files with its folders), or COCO's id where a list of results has nothing else. */
  name: string;
  /** COCO's id of the image. */
  cocoId?: number | string;
  /** Where the file says so. */
  size?: ImageSize;
  type?: string;
  columns?: Readonly<Record<string, string>>;
  /** Needs the image's size only where the file does not have it. */
  masks(size: ImageSize): Masks;
  /** One a cell each, or nothing. */
  scores?: readonly number[];
  classes?: readonly string[];
  crowd?: readonly boolean[];
  /** x, y, width, height. */
  boxes?: readonly number[];
  areas?: readonly number[];
}

/** Truth or predictions as a file or folder has them. */
export interface Side {
  path: string;
  images: SideImage[];
  /** What a cell's class is called by: a name, COCO's number of it, or nothing. */
  classes: 'names' | 'ids' | 'none';
  /** COCO's categories: names by number, by rising number. */
  categories?: ReadonlyMap<string, string>;
}

export interface SideOptions {
  /** Columns that may hold the cell type; the first there is. */
  typeColumn?: readonly string[];
  signal?: AbortSignal;
}

const usualTypeColumns = ['type', 'cell_type'];

/** The cell type among an image's columns. */
export function typeOf(
  columns: Readonly<Record<string, string>>,
  { typeColumn = usualTypeColumns }: SideOptions,
): { type?: string } {
  const name = typeColumn.find((one) => Object.hasOwn(columns, one));
  const type = name === undefined ? '' : columns[name]!;
  return type === '' ? {} : { type };
}
