import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { unreadable } from '../file-errors.js';
import { once } from '../once.js';
import { mapAll } from '../pool.js';
import {
  CONCURRENT_FILES,
  type FoundImage,
  ImageFolder,
  isFolder,
  isImageName,
  measureImage,
} from './image-folder.js';
import { LabelFolder } from './label-folder.js';
import { type LabelImage, readLabelImage } from './label-image.js';
import { maskedImage, stemOf } from './names.js';
import { dataInvalid, ProblemList } from './problems.js';
import { columnsOf, openTable } from './table.js';
import { type AnnotationOptions, type AnnotationSource, type ImageAnnotations, typeOf } from './types.js';

/** The folder of label images in a data set: `labels`, or `masks` beside `images`, as in StarDist's examples. */
export function labelFolderAmong(names: readonly string[]): string | undefined {
  if (names.includes('labels')) return 'labels';
  return names.includes('masks') && names.includes('images') ? 'masks' : undefined;
}

interface Row {
  id: string;
  /** Line in index.csv; undefined without that file. */
  row?: number;
  columns: Record<string, string>;
}

/**
 * Reads label images from a folder with `labels` and, for a data set, `images`. An optional `index.csv` lists the images
 * and their columns; without it, all images and labels are used. A folder may also contain only label images, including
 * subfolders. {@link LabelFolder} has the names of label images.
 */
export async function readLabels(path: string, options: AnnotationOptions): Promise<AnnotationSource> {
  const names = await readdir(path).catch(unreadable(path));
  const own = labelFolderAmong(names);
  const isSet = own !== undefined && (await isFolder(join(path, own)));
  if (isSet && own === 'labels' && names.includes('images') && names.includes('masks')) {
    throw dataInvalid(
      path,
      'beside images it has both labels and masks: rename the folder that is not the ground truth',
    );
  }
  const imagePath = options.images ?? (isSet ? join(path, 'images') : undefined);
  const images = once(async () => (imagePath === undefined ? undefined : ImageFolder.read(imagePath)));
  const labels = await LabelFolder.read(isSet ? join(path, own) : path, {
    withBelow: !isSet,
    onlyMasks: false,
    imageNames: new Set((await images().catch(() => undefined))?.names),
  });
  return readLabelImages(path, labels, images, options);
}

/** Endings of further files that Cellpose writes beside an image, without their extensions. */
const CELLPOSE_OUTPUT = /^(.+)_(flows|cp_output|dP|outlines)$/;

/**
 * Reads masks that are beside their images: `NAME_masks.png` or `NAME_cp_masks.tif` beside `NAME.png`, as Cellpose reads and
 * writes them. An optional `index.csv` has columns of the images.
 */
export async function readMasksBeside(path: string, options: AnnotationOptions): Promise<AnnotationSource> {
  const imagePath = options.images ?? path;
  const isOther = (name: string) =>
    maskedImage(stemOf(name)) !== undefined || CELLPOSE_OUTPUT.test(stemOf(name));
  const images = once(async () => ImageFolder.read(imagePath, isOther));
  const labels = await LabelFolder.read(path, { withBelow: false, onlyMasks: true, imageNames: new Set() });
  return readLabelImages(path, labels, images, options);
}

/** Whether a folder with these files has masks beside their images. */
export function hasMasksBeside(names: readonly string[]): boolean {
  const images = names.filter(isImageName).map(stemOf);
  return images.some((stem) => images.includes(maskedImage(stem) ?? ''));
}

async function readLabelImages(
  path: string,
  labels: LabelFolder,
  images: () => Promise<ImageFolder | undefined>,
  options: AnnotationOptions,
): Promise<AnnotationSource> {
  const { signal } = options;
  const index = join(path, 'index.csv');
  const indexed = await stat(index).catch(() => undefined);
  const file = indexed ? index : path;
  const problems = new ProblemList();
  const { rows, columns } = indexed
    ? await readIndex(index, problems, signal)
    : { rows: rowsOf(labels.names, await images().catch(() => undefined)), columns: [] };
  if (rows.length === 0 && problems.list().length === 0) {
    throw dataInvalid(labels.path, `there are no label images in it${labels.foreign}`);
  }
  const read = await mapAll(rows, CONCURRENT_FILES, async ({ id }) => {
    signal?.throwIfAborted();
    const found = labels.find(id);
    return 'reason' in found ? found : readLabelImage(found.path, signal);
  });
  return {
    path,
    images: rows.map(({ id, row, columns: own }, i) => {
      const place = { file, ...(row !== undefined && { row, column: 'id' }) };
      const common = { name: id, fileName: id, place, columns: own, ...typeOf(own, options) };
      return labelled(common, read[i]!, images);
    }),
    classes: 'none',
    columns,
    problems: problems.list(),
    notices: [],
  };
}

function labelled(
  common: Pick<ImageAnnotations, 'name' | 'fileName' | 'place' | 'columns'>,
  labels: LabelImage,
  images: () => Promise<ImageFolder | undefined>,
): ImageAnnotations {
  return {
    ...common,
    ...(!('reason' in labels) && { size: { width: labels.masks.width, height: labels.masks.height } }),
    needsSize: false,
    async locate(signal, read): Promise<FoundImage> {
      const found = (await (await images())?.find(common.name)) ?? {
        reason: `${common.place.file} has no folder of images`,
      };
      return 'path' in found ? measureImage(found.path, signal, read) : found;
    },
    async read(size) {
      const none = { problems: [], notices: [] };
      if ('reason' in labels) return { reason: labels.reason, ...none };
      const { masks } = labels;
      const notices = labels.notices.map((reason) => ({ ...common.place, id: common.name, reason }));
      if (!size || (size.width === masks.width && size.height === masks.height)) {
        return { cells: { masks }, problems: [], notices };
      }
      const own = `${masks.width} x ${masks.height}`;
      return {
        reason: `its labels have ${own} pixels, but the image ${size.width} x ${size.height}`,
        ...none,
      };
    },
  };
}

/** Rows for the images of a folder, and for labels without an image. */
function rowsOf(labels: readonly string[], images: ImageFolder | undefined): Row[] {
  const names = new Set([...(images?.names ?? []), ...labels]);
  return [...names].sort().map((id) => ({ id, columns: {} }));
}

async function readIndex(path: string, problems: ProblemList, signal: AbortSignal | undefined) {
  const { columns, rows } = await openTable(path, [['id']], signal);
  const idAt = columns.indexOf('id');
  const firstRows = new Map<string, number>();
  const found: Row[] = [];
  for await (const { fields, row } of rows) {
    const id = fields[idAt]?.normalize('NFC');
    const before = firstRows.get(id ?? '');
    if (fields.length !== columns.length) {
      const reason = `${fields.length} fields, but the header has ${columns.length}`;
      problems.add({ file: path, row, reason });
    } else if (!id) {
      problems.add({ file: path, row, column: 'id', reason: 'it is empty' });
    } else if (before !== undefined) {
      problems.add({ file: path, row, column: 'id', id, reason: `row ${before} already has this id` });
    } else {
      firstRows.set(id, row);
      found.push({ id, row, columns: columnsOf(columns, fields, ['id']) });
    }
  }
  return { rows: found, columns };
}
