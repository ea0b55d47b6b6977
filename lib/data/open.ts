import { stat } from 'node:fs/promises';
import { basename, extname } from 'node:path';
import { foreignFolder } from '../annotations/foreign-forms.js';
import { CONCURRENT_FILES } from '../annotations/image-folder.js';
import {
  type FoundAnnotations,
  findClassFolders,
  findClassFoldersBelow,
  findDataset,
  findDatasetsBelow,
} from '../annotations/open.js';
import { dataInvalid } from '../annotations/problems.js';
import type { AnnotationOptions } from '../annotations/types.js';
import { checkString, refuse } from '../check.js';
import { unreadable } from '../file-errors.js';
import { readOptionsIn } from '../image/select.js';
import { mapAll } from '../pool.js';
import { DatasetBuilder } from './builder.js';
import { Dataset } from './dataset.js';
import { checkOptions, type OpenDatasetOptions } from './options.js';

/**
 * Opens a data set. The path determines its format:
 *
 * - a `.csv` file, or a folder with `train.csv`: the format of the Sartorius competition, one row per cell;
 * - a `.json` file, or a folder with exactly one, possibly in its subfolder `annotations`: COCO;
 * - a folder with `labels` or `masks` (and `images`, and `index.csv`): images with label images;
 * - a folder of images with masks beside them, `NAME_masks.png` or `NAME_cp_masks.png`, as Cellpose has them;
 * - a folder whose subfolders are data sets: all of them, joined under their folder's names ({@link Dataset.join});
 * - a folder of one folder of images per cell type, without annotated cells: for training a classifier.
 *
 * Annotations are read and checked completely; of images, only the size is read. Unusable entries are skipped and listed in
 * `problems`, unless `strict` is set. An image without a usable annotation is skipped too.
 *
 * @throws {CellrouteError} FILE_UNREADABLE; DATA_INVALID if no image can be used, with `strict` if anything cannot be
 *   used, and if a required column is missing.
 */
export async function openDataset(path: string, options: OpenDatasetOptions = {}): Promise<Dataset> {
  checkString('path', path);
  checkOptions(options);
  const info = await stat(path).catch(unreadable(path));
  if (!info.isDirectory() && !['.csv', '.json'].includes(extname(path).toLowerCase())) {
    throw refuse('path', 'a .csv file, a .json file or a folder', basename(path));
  }
  const found = await findDataset(path);
  if (found) return readDataset(found, options);
  let below = await findDatasetsBelow(path);
  const foreign = below.length === 0 ? await foreignFolder(path) : '';
  if (below.length === 0 && foreign === '') {
    const types = await findClassFolders(path);
    if (types) return readDataset(types, options);
    below = await findClassFoldersBelow(path);
  }
  if (below.length === 0) {
    throw dataInvalid(
      path,
      `it is not a data set: expected train.csv, one COCO .json file, the folders images and labels, masks beside images (NAME_masks.png), subfolders with one of these, or a folder of images per cell type${foreign}`,
    );
  }
  if (options.images !== undefined) {
    throw refuse('images', 'no value, because the path contains several data sets,', options.images);
  }
  const sets: [string, Dataset][] = [];
  for (const [name, one] of below) sets.push([name, await readDataset(one, options)]);
  return Dataset.join(Object.fromEntries(sets));
}

async function readDataset({ path, read }: FoundAnnotations, options: OpenDatasetOptions): Promise<Dataset> {
  const source = await read(path, annotationOptions(options));
  const builder = new DatasetBuilder(source, options);
  const { signal } = options;
  const how = readOptionsIn(options);
  const loaded = await mapAll(source.images, CONCURRENT_FILES, async (image) => {
    signal?.throwIfAborted();
    const file = await image.locate(signal, how);
    return 'reason' in file ? file : { file, read: await image.read(file.size, signal) };
  });
  for (const [i, image] of source.images.entries()) {
    const one = loaded[i]!;
    if ('reason' in one) builder.skip(image, one.reason);
    else builder.add(image, one.file, one.read);
  }
  return builder.dataset();
}

function annotationOptions(options: OpenDatasetOptions): AnnotationOptions {
  const { images, cellTypeColumn, categories, crowds, signal } = options;
  return {
    images,
    ...(cellTypeColumn !== undefined && { cellTypeColumn: [cellTypeColumn].flat() }),
    categories,
    crowds,
    signal,
  };
}
