import { readdir } from 'node:fs/promises';
import { dirname, extname, join } from 'node:path';
import { checkNumber, checkObject, checkOneOf, checkString, refuse } from '../check.js';
import { CellrouteError } from '../errors.js';
import type { ResultJson } from '../export/result-json.js';
import { unreadable } from '../file-errors.js';
import { Masks } from '../mask/masks.js';
import { once } from '../once.js';
import { type FoundImage, ImageFolder, isFolder, measureImage } from './image-folder.js';
import { inMemory } from './in-memory.js';
import { isHidden, readName, uniqueStems } from './names.js';
import { dataInvalid } from './problems.js';
import { readJson } from './text.js';
import type { AnnotationOptions, AnnotationSource, ImageAnnotations } from './types.js';

/** Whether parsed JSON was written by resultJson(). */
const isResult = (value: unknown): value is ResultJson =>
  typeof value === 'object' &&
  value !== null &&
  (value as { format?: unknown }).format === 'cellroute-result';

/**
 * Reads results of `cellroute segment`, one file per image. Results do not state where their images are: they are
 * searched in `images`, or beside the results and in a subfolder `images`.
 */
export async function readResults(
  path: string,
  files: readonly (readonly [name: string, file: string])[],
  { images: folder, signal }: AnnotationOptions = {},
): Promise<AnnotationSource> {
  const images: ImageAnnotations[] = [];
  const folders = once(async () => {
    const beside = (await isFolder(path)) ? path : dirname(path);
    const usual = [join(beside, 'images'), beside];
    const chosen = folder === undefined ? await filtered(usual, isFolder) : [folder];
    return Promise.all(chosen.map((one) => ImageFolder.read(one)));
  });
  for (const [name, file] of files) {
    const value = await readJson(file, signal);
    if (!isResult(value)) continue;
    try {
      images.push(imageOf(name, file, value, folders));
    } catch (error) {
      if (!(error instanceof CellrouteError)) throw error;
      throw dataInvalid(file, error.message);
    }
  }
  // Names that are stated in the files themselves.
  const stated = images.filter(({ name }) => name === '');
  const names = uniqueStems(stated.map(({ fileName }) => fileName));
  for (const [i, image] of stated.entries()) image.name = names[i]!;
  return { path, images, classes: 'names', columns: [], problems: [], notices: [] };
}

/** JSON files in a folder and its subfolders, as paths with `/`. */
export async function jsonFiles(folder: string, below = ''): Promise<string[]> {
  const entries = await readdir(join(folder, below), { withFileTypes: true }).catch(unreadable(folder));
  const found: string[] = [];
  for (const entry of entries.sort((a, b) => (a.name < b.name ? -1 : 1))) {
    if (isHidden(entry.name)) continue;
    const name = below === '' ? entry.name : `${below}/${entry.name}`;
    if (entry.isDirectory()) found.push(...(await jsonFiles(folder, name)));
    else if (extname(entry.name).toLowerCase() === '.json') found.push(name);
  }
  return found;
}

async function filtered<T>(values: readonly T[], test: (value: T) => Promise<boolean>): Promise<T[]> {
  const kept = await Promise.all(values.map(test));
  return values.filter((_, i) => kept[i]);
}

/** Finds the image of a result in the first folder that has it. */
async function find(fileName: string, folders: readonly ImageFolder[]) {
  let reason = '';
  for (const folder of folders) {
    const found = await folder.find(fileName);
    if ('path' in found) return found;
    reason = found.reason;
  }
  return { reason };
}

/** Annotations of one result. The image's name is empty if it must be derived from the file name in the result. */
function imageOf(
  name: string,
  file: string,
  result: ResultJson,
  folders: () => Promise<readonly ImageFolder[]>,
): ImageAnnotations {
  const { version, cells, rle, cellType, name: stated } = result;
  if ((version as number) !== 1) throw refuse('version', '1, the only supported version', version);
  const width = checkNumber('width', result.width, { min: 1, integer: true });
  const height = checkNumber('height', result.height, { min: 1, integer: true });
  const size = { width, height };
  checkOneOf('rle', rle, ['coco', 'counts', 'kaggle']);
  const fileName = stated === undefined ? name : readName(checkString('name', stated));
  if (fileName === undefined) throw refuse('name', 'a path inside a folder', stated);
  if (!Array.isArray(cells)) throw refuse('cells', 'a list', cells);
  cells.forEach((cell: unknown, i) => {
    const { box, score, label } = checkObject(`cells[${i}]`, cell);
    checkNumber(`cells[${i}].score`, score);
    checkNumber(`cells[${i}].label`, label, { integer: true });
    if (!Array.isArray(box) || box.length !== 4) throw refuse(`cells[${i}].box`, 'four numbers', box);
    for (const side of box) checkNumber(`cells[${i}].box`, side);
  });
  const runs = cells.map(({ mask }) => mask);
  const masks =
    rle === 'counts'
      ? Masks.fromCounts(runs as number[][], size)
      : Masks[rle === 'coco' ? 'fromCoco' : 'fromKaggle'](runs as string[], size);
  const category = cellType ?? 'cell';
  return inMemory(
    {
      name: stated === undefined ? name : '',
      fileName,
      place: { file },
      ...(cellType !== undefined && { cellType: checkString('cellType', cellType) }),
      async locate(signal, read): Promise<FoundImage> {
        const found = await find(fileName, await folders());
        return 'path' in found ? measureImage(found.path, signal, read) : found;
      },
    },
    {
      masks,
      scores: cells.map(({ score }) => score),
      // The names that cocoDatasetJson() uses.
      classes: cells.map(({ label }) => (label === 1 ? category : `${category} ${label}`)),
      boxes: cells.flatMap(({ box: [x1, y1, x2, y2] }) => [x1, y1, x2 - x1, y2 - y1]),
    },
  );
}
