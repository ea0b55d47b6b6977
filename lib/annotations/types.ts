import type { ImageReadOptions } from '../image/types.js';
import type { ImageSize, Masks } from '../mask/masks.js';
import type { FoundImage } from './image-folder.js';
import type { DataProblem } from './problems.js';

/** Annotations of one image in a file or folder. */
export interface ImageAnnotations {
  /** Unique name: the file name without extension, unless that would be ambiguous. */
  name: string;
  /** File name with its extension, if stated. */
  fileName: string;
  /** COCO's id of the image, as text. */
  cocoId?: string;
  /** Location of the image in the source. */
  place: Pick<DataProblem, 'file' | 'row' | 'column'>;
  /** Size of the image, if it is known before the cells are read. */
  size?: ImageSize | undefined;
  /** Whether `read` needs a size, because the source has none. */
  needsSize: boolean;
  cellType?: string | undefined;
  /** Other fields of the image in the source. */
  columns: Readonly<Record<string, string>>;
  /** Finds the image file, and its size when it is read with these options. */
  locate(signal?: AbortSignal, read?: ImageReadOptions): Promise<FoundImage>;
  /** Reads the cells. @param size size of the image. Default: that of the source. */
  read(size?: ImageSize, signal?: AbortSignal): Promise<ReadAnnotations>;
}

/** Result of reading an image: its cells, or the reason why it cannot be used. */
export type ReadAnnotations = { problems: DataProblem[]; notices: DataProblem[] } & (
  | { cells: CellAnnotations; reason?: undefined }
  | { reason: string; cells?: undefined }
);

/** Cells of one image. All arrays have one value per mask. */
export interface CellAnnotations {
  masks: Masks;
  /** Location of each cell in the source. */
  places?: readonly string[];
  /** Class name per cell, or COCO's category id if the source has no names. */
  classes?: readonly string[];
  /** Whether a mask is a region of many cells (COCO's iscrowd). */
  crowd?: readonly boolean[];
  scores?: readonly number[];
  /** x, y, width, height per cell. */
  boxes?: readonly number[];
  areas?: readonly number[];
  /** The cell type of the image, if the annotations of its cells have it. */
  cellType?: string;
}

/** Annotations of many images: ground truth or predictions. */
export interface AnnotationSource {
  path: string;
  images: readonly ImageAnnotations[];
  /** Whether the images have only a cell type, and their cells are not annotated. Default false. */
  typesOnly?: boolean;
  /** Whether classes are names, COCO's ids, or missing. */
  classes: 'names' | 'ids' | 'none';
  /** COCO's categories: names by id as text, in ascending order of ids. */
  categories?: ReadonlyMap<string, string>;
  /** Columns of the images. */
  columns: readonly string[];
  /** Entries that cannot be used, in addition to those that `read` returns. */
  problems: readonly DataProblem[];
  /** Entries that were changed or skipped intentionally. */
  notices: readonly DataProblem[];
}

export interface AnnotationOptions {
  /** Folder of the images. Default: searched beside the annotations. */
  images?: string | undefined;
  /** Columns that may hold the cell type; the first present is used. */
  cellTypeColumn?: readonly string[] | undefined;
  /** Meaning of COCO's categories: classes of cells, or cell types of whole images. Default `classes`. */
  categories?: 'classes' | 'cell-types' | undefined;
  /** Meaning of regions of many cells (COCO's `iscrowd: 1`). Default `skip`. */
  crowds?: Crowds | undefined;
  /** Allows scores and empty masks. Default false. */
  predictions?: boolean | undefined;
  signal?: AbortSignal | undefined;
}

/** `skip`: they are not cells; `cells`: each is one cell, as in CVAT's exports of brush masks. */
export type Crowds = (typeof CROWDS)[number];
export const CROWDS = ['skip', 'cells'] as const;

const USUAL_TYPE_COLUMNS = ['type', 'cell_type'];

/** The column that holds the cell type, if any. */
export const cellTypeColumnOf = (
  columns: readonly string[],
  { cellTypeColumn = USUAL_TYPE_COLUMNS }: AnnotationOptions,
): string | undefined => cellTypeColumn.find((name) => columns.includes(name));

/** Cell type in the columns of an image. */
export function typeOf(
  columns: Readonly<Record<string, string>>,
  options: AnnotationOptions,
): { cellType?: string } {
  const name = cellTypeColumnOf(Object.keys(columns), options);
  const type = name === undefined ? '' : columns[name]!;
  return type === '' ? {} : { cellType: type };
}
