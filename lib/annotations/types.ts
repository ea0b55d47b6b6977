import type { ImageReadOptions } from '../image/types.js';
import type { ImageSize, Masks } from '../mask/masks.js';
import type { FoundImage } from './image-folder.js';
import type { DataProblem } from './problems.js';

/** The annotations of one image, as a file or folder states them. */
export interface ImageAnnotations {
  /** Unique in its source: the file's name without its ending, which stays where two images would have one name. */
  name: string;
  /** With its ending, where the source states it. */
  fileName: string;
  /** COCO's id of the image, as text. */
  cocoId?: string;
  /** Where in the source the image is. */
  place: Pick<DataProblem, 'file' | 'row' | 'column'>;
  /** Where the source states it before the cells are read. */
  size?: ImageSize | undefined;
  /** Whether `read` needs a size that the source does not state. */
  needsSize: boolean;
  cellType?: string | undefined;
  /** What else the source states of the image. */
  columns: Readonly<Record<string, string>>;
  /** The file of the image, and the size that it has where it is read so. */
  locate(signal?: AbortSignal, read?: ImageReadOptions): Promise<FoundImage>;
  /** @param size of the image; the source's own where it is left out. */
  read(size?: ImageSize, signal?: AbortSignal): Promise<ReadAnnotations>;
}

/** What was read of one image: its cells, or the reason why the image cannot be used. */
export type ReadAnnotations = { problems: DataProblem[]; notices: DataProblem[] } & (
  | { cells: CellAnnotations; reason?: undefined }
  | { reason: string; cells?: undefined }
);

/** The cells of one image; the arrays have one value per mask. */
export interface CellAnnotations {
  masks: Masks;
  /** Path of each cell in the source. */
  places?: readonly string[];
  /** Names of the cells' classes, or COCO's ids where the source has no names. */
  classes?: readonly string[];
  /** Which masks are regions of many cells (COCO's iscrowd). */
  crowd?: readonly boolean[];
  scores?: readonly number[];
  /** x, y, width, height per cell. */
  boxes?: readonly number[];
  areas?: readonly number[];
  /** The cell type of the image, where its cells state it. */
  cellType?: string;
}

/** Annotations of many images: ground truth or predictions. */
export interface AnnotationSource {
  path: string;
  images: readonly ImageAnnotations[];
  /** Whether classes are names or COCO's ids, or are not stated. */
  classes: 'names' | 'ids' | 'none';
  /** COCO's categories: names by id as text, in rising order of ids. */
  categories?: ReadonlyMap<string, string>;
  /** Columns that images may have. */
  columns: readonly string[];
  /** What cannot be used, besides what `read` returns. */
  problems: readonly DataProblem[];
  /** What was read in another way than it stands there, or left out on purpose. */
  notices: readonly DataProblem[];
}

export interface AnnotationOptions {
  /** Folder of the images, where it is not one of the usual ones. */
  images?: string | undefined;
  /** Columns that may hold the cell type; the first present is used. */
  cellTypeColumn?: readonly string[] | undefined;
  /** What COCO's categories are: classes of cells, or types of whole images. Default `classes`. */
  categories?: 'classes' | 'cell-types' | undefined;
  /** What regions of many cells (COCO's `iscrowd: 1`) are. Default `leave-out`. */
  crowds?: Crowds | undefined;
  /** Predictions may have scores and empty masks. Default false. */
  predictions?: boolean | undefined;
  signal?: AbortSignal | undefined;
}

/** `leave-out`: not cells; `cells`: each region is one cell, as CVAT exports brush masks. */
export type Crowds = (typeof CROWDS)[number];
export const CROWDS = ['leave-out', 'cells'] as const;

const USUAL_TYPE_COLUMNS = ['type', 'cell_type'];

/** The column that holds the cell type, if any. */
export const cellTypeColumnOf = (
  columns: readonly string[],
  { cellTypeColumn = USUAL_TYPE_COLUMNS }: AnnotationOptions,
): string | undefined => cellTypeColumn.find((name) => columns.includes(name));

/** The cell type among an image's columns. */
export function typeOf(
  columns: Readonly<Record<string, string>>,
  options: AnnotationOptions,
): { cellType?: string } {
  const name = cellTypeColumnOf(Object.keys(columns), options);
  const type = name === undefined ? '' : columns[name]!;
  return type === '' ? {} : { cellType: type };
}
