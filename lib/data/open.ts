import { readdir, stat } from 'node:fs/promises';
import { basename, extname, join } from 'node:path';
import { checkString, refuse } from '../check.js';
import { CellrouteError } from '../errors.js';
import { readCoco } from './coco.js';
import { Dataset } from './dataset.js';
import { readKaggle } from './kaggle.js';
import { readLabels } from './labels.js';
import { dataInvalid } from './problems.js';
import { checkOptions, type OpenDatasetOptions } from './reader.js';

type Reader = (path: string, options: OpenDatasetOptions) => Promise<Dataset>;

/**
 * Opens a data set, in the form its path shows:
 *
 * - a `.csv` file, or a folder with `train.csv`: the Sartorius competition's form, a row a cell;
 * - a `.json` file, or a folder with just one: COCO;
 * - a folder with `labels` (and `images`, and `index.csv`): images with label images;
 * - a folder whose subfolders are such sets: all of them as one, each under its folder's name ({@link Dataset.join}).
 *
 * Truth is read and checked from end to end, of images the size alone. What cannot be used is left out and listed in
 * `problems`, unless `strict` is set.
 *
 * @throws {CellrouteError} FILE_UNREADABLE; DATA_INVALID where nothing can be used, with `strict` where anything cannot,
 *   and where a needed column is missing.
 */
export async function openDataset(path: string, options: OpenDatasetOptions = {}): Promise<Dataset> {
  checkString('path', path);
  checkOptions(options);
  const found = await find(path);
  if (found) return found.read(found.path, options);

  const sets: [string, Dataset][] = [];
  for (const name of (await readdir(path)).sort()) {
    const below = join(path, name);
    const isFolder = await stat(below).then(
      (info) => info.isDirectory(),
      () => false,
    );
    const inside = isFolder ? await find(below) : undefined;
    if (!inside) continue;
    if (options.images !== undefined) {
      throw refuse('images', 'no folder for a folder of several sets', options.images);
    }
    sets.push([name, await inside.read(inside.path, options)]);
  }
  if (sets.length === 0) {
    throw dataInvalid(
      path,
      'it is no data set: expected train.csv, one COCO .json file, the folders images and labels, or subfolders with one of these',
    );
  }
  return Dataset.join(Object.fromEntries(sets));
}

/** The reader for a path and what it is to read; nothing for a folder that is no data set by itself. */
async function find(path: string): Promise<{ read: Reader; path: string } | undefined> {
  const info = await stat(path).catch((cause: Error) => {
    throw new CellrouteError('FILE_UNREADABLE', `${path}: ${cause.message}`, { file: path }, { cause });
  });
  if (!info.isDirectory()) {
    const ending = extname(path).toLowerCase();
    if (ending === '.csv') return { read: readKaggle, path };
    if (ending === '.json') return { read: readCoco, path };
    throw refuse('path', 'a .csv file, a .json file or a folder', basename(path));
  }
  const names = await readdir(path);
  if (names.includes('labels')) return { read: readLabels, path };
  if (names.includes('train.csv')) return { read: readKaggle, path: join(path, 'train.csv') };
  const json = names.filter((name) => extname(name).toLowerCase() === '.json');
  return json.length === 1 ? { read: readCoco, path: join(path, json[0]!) } : undefined;
}
