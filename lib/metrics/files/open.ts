import { open, readdir, stat } from 'node:fs/promises';
import { extname, join } from 'node:path';
import { dataInvalid } from '../../data/problems.js';
import { CellrouteError } from '../../errors.js';
import { readCocoDataset, readCocoResults } from './coco.js';
import { readKaggleSide } from './kaggle.js';
import { readLabelSide } from './labels.js';
import { readResults } from './results.js';
import type { Side, SideOptions } from './side.js';

/**
 * Truth or predictions in the form their path shows: a `.csv` in the competitions' form; a `.json` that is a COCO data
 * set, a list of COCO results or one image's result; a folder of results as `cellroute segment` writes it, of label
 * images, or of a data set.
 *
 * @throws {CellrouteError} FILE_UNREADABLE; DATA_INVALID for anything in it that cannot be used: what is left out would
 *   change the numbers.
 */
export async function openSide(path: string, options: SideOptions): Promise<Side> {
  const info = await stat(path).catch((cause: Error) => {
    throw new CellrouteError('FILE_UNREADABLE', `${path}: ${cause.message}`, { file: path }, { cause });
  });
  return info.isDirectory() ? openFolder(path, options) : openFile(path, options);
}

async function openFile(path: string, options: SideOptions): Promise<Side> {
  const ending = extname(path).toLowerCase();
  if (ending === '.csv') return readKaggleSide(path, options);
  if (ending !== '.json') throw dataInvalid(path, 'expected a .csv file, a .json file or a folder');
  const begin = await firstCharacters(path);
  if (begin.trimStart().startsWith('[')) return readCocoResults(path);
  if (begin.includes('"cellroute-result"')) return readResults(path, [path]);
  return readCocoDataset(path, options);
}

async function openFolder(path: string, options: SideOptions): Promise<Side> {
  const names = (await readdir(path)).sort();
  const having = (ending: string) => names.filter((name) => extname(name).toLowerCase() === ending);
  if (names.includes('labels')) return readLabelSide(path, options);
  const json = having('.json').map((name) => join(path, name));
  const begins = await Promise.all(json.map(firstCharacters));
  if (begins.some((begin) => begin.includes('"cellroute-result"'))) return readResults(path, json);
  const coco = names.includes('coco.json') ? [join(path, 'coco.json')] : json;
  if (coco.length === 1) return openFile(coco[0]!, options);
  const tables = ['kaggle.csv', 'train.csv'].filter((name) => names.includes(name));
  if (tables.length > 0) return readKaggleSide(join(path, tables[0]!), options);
  return readLabelSide(path, options);
}

/** Enough to tell what a JSON file is. */
async function firstCharacters(path: string): Promise<string> {
  const file = await open(path);
  try {
    const { buffer, bytesRead } = await file.read(Buffer.alloc(256), 0, 256, 0);
    return buffer.toString('latin1', 0, bytesRead);
  } finally {
    await file.close();
  }
}
