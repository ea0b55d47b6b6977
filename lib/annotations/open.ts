import { open, readdir, stat } from 'node:fs/promises';
import { basename, extname, join, relative } from 'node:path';
import { unreadable } from '../file-errors.js';
import { classFoldersIn, readClassFolders } from './class-folders.js';
import { readCoco } from './coco.js';
import { readCocoResults } from './coco-results.js';
import { foreignJson, startOfText } from './foreign-forms.js';
import { isFolder } from './image-folder.js';
import { readKaggle } from './kaggle.js';
import { hasMasksBeside, labelFolderAmong, readLabels, readMasksBeside } from './labels.js';
import { isHidden, maskedImage, stemOf } from './names.js';
import { dataInvalid } from './problems.js';
import { jsonFiles, readResults } from './results.js';
import type { AnnotationOptions, AnnotationSource, ImageAnnotations } from './types.js';

type Reader = (path: string, options: AnnotationOptions) => Promise<AnnotationSource>;

/** A data set at a path, and the function that reads it. */
export interface FoundAnnotations {
  path: string;
  read: Reader;
}

/**
 * Finds the data set at a path:
 *
 * - a `.csv` file, or a folder with `train.csv`: one row per cell;
 * - a `.json` file, or a folder with exactly one, possibly in its subfolder `annotations`: COCO;
 * - a folder with `labels`, or with `masks` and `images`: label images;
 * - a folder of images with masks beside them, as Cellpose names them.
 *
 * Returns undefined for a folder that is not itself a data set.
 *
 * @throws {CellrouteError} FILE_UNREADABLE; DATA_INVALID for a folder with several COCO files or with several forms.
 */
export async function findDataset(path: string): Promise<FoundAnnotations | undefined> {
  const info = await stat(path).catch(unreadable(path));
  if (!info.isDirectory()) {
    const ending = extname(path).toLowerCase();
    if (ending === '.csv') return { read: readKaggle, path };
    if (ending === '.json') return { read: readCoco, path };
    throw dataInvalid(path, 'expected a .csv file, a .json file or a folder');
  }
  const names = await visibleNames(path);
  const json = await jsonIn(path, names);
  const forms = formsIn(path, names);
  if (forms.length > 0) {
    for (const file of json)
      if (await isCoco(file)) forms.push({ what: relative(path, file), read: readCoco, path: file });
    if (forms.length === 1) return forms[0];
    throw dataInvalid(
      path,
      `it has cells in more than one form (${forms.map(({ what }) => what).join(' and ')}): pass the path of the file to use, or move the others to another folder`,
    );
  }
  if (json.length > 1) {
    const origin = foreignJson(await startOfText(json[0]!));
    const files = json.map((file) => relative(path, file));
    throw dataInvalid(
      path,
      `it has several .json files (${files.join(', ')}): pass the path of one${origin}`,
    );
  }
  return json.length === 1 ? { read: readCoco, path: json[0]! } : undefined;
}

/** The forms of annotations that the names in a folder tell, each with the name of what has the cells. */
function formsIn(path: string, names: readonly string[]): (FoundAnnotations & { what: string })[] {
  const forms: (FoundAnnotations & { what: string })[] = [];
  const labels = labelFolderAmong(names);
  if (labels !== undefined) forms.push({ what: `${labels}/`, read: readLabels, path });
  if (names.includes('train.csv')) {
    forms.push({ what: 'train.csv', read: readKaggle, path: join(path, 'train.csv') });
  }
  if (hasMasksBeside(names)) {
    const mask = names.find((name) => maskedImage(stemOf(name)) !== undefined)!;
    forms.push({ what: `masks beside images, such as ${mask}`, read: readMasksBeside, path });
  }
  return forms;
}

/** Whether a .json file starts like COCO: folders of labels may have other .json files. */
const isCoco = async (file: string): Promise<boolean> =>
  /"(images|annotations|categories)"\s*:/.test(await startOfText(file));

/** Data sets in the subfolders of a folder, by name. */
export const findDatasetsBelow = (path: string) => findBelow(path, findDataset);

/**
 * The class folders at a path without annotated cells.
 *
 * @throws {CellrouteError} DATA_INVALID where it is ambiguous whether folders are types.
 */
export async function findClassFolders(path: string): Promise<FoundAnnotations | undefined> {
  return (await classFoldersIn(path)) && { path, read: readClassFolders };
}

/** Class folders in the subfolders of a folder, such as `train` and `val`, by name. */
export const findClassFoldersBelow = (path: string) => findBelow(path, findClassFolders);

async function findBelow(
  path: string,
  find: (path: string) => Promise<FoundAnnotations | undefined>,
): Promise<[name: string, found: FoundAnnotations][]> {
  const sets: [string, FoundAnnotations][] = [];
  for (const name of await visibleNames(path)) {
    const below = join(path, name);
    const found = (await isFolder(below)) ? await find(below) : undefined;
    if (found) sets.push([name, found]);
  }
  return sets;
}

/**
 * Opens ground truth or predictions. The path determines the format: a data set (see {@link findDataset}), a folder of data
 * sets, a list of COCO results, the result of one image, a folder of results from `cellroute segment`, or a folder of
 * label images.
 *
 * @throws {CellrouteError} FILE_UNREADABLE; DATA_INVALID for any other content.
 */
export async function openAnnotations(path: string, options: AnnotationOptions): Promise<AnnotationSource> {
  const info = await stat(path).catch(unreadable(path));
  return info.isDirectory() ? openFolder(path, options) : openFile(path, options);
}

async function openFile(path: string, options: AnnotationOptions): Promise<AnnotationSource> {
  if (extname(path).toLowerCase() === '.json') {
    const start = await startOf(path);
    if (start.trimStart().startsWith('[')) return readCocoResults(path, options.signal);
    if (isResult(start)) return readResults(path, [[stemOf(basename(path)), path]], options);
  }
  const found = (await findDataset(path))!;
  return found.read(found.path, options);
}

async function openFolder(path: string, options: AnnotationOptions): Promise<AnnotationSource> {
  const names = await visibleNames(path);
  if (labelFolderAmong(names) !== undefined) {
    const found = (await findDataset(path))!;
    return found.read(found.path, options);
  }
  const json = await jsonFiles(path);
  const starts = await Promise.all(json.map((name) => startOf(join(path, name))));
  const results = json.filter((_, i) => isResult(starts[i]!));
  if (results.length > 0) {
    const files = results.map((name): [string, string] => [stemOf(name), join(path, name)]);
    return readResults(path, files, options);
  }
  // Outputs of `cellroute segment` that contain all images.
  for (const name of ['coco.json', 'kaggle.csv']) {
    if (names.includes(name)) return openFile(join(path, name), options);
  }
  if (json.length === 1 && !json[0]!.includes('/')) return openFile(join(path, json[0]!), options);
  const found = await findDataset(path);
  if (found) return found.read(found.path, options);
  const below = await findDatasetsBelow(path);
  return below.length > 0 ? joined(path, below, options) : readLabels(path, options);
}

/** Joins several data sets. Images are named `set/name`, and the column `set` has the name of the set. */
async function joined(
  path: string,
  found: Awaited<ReturnType<typeof findDatasetsBelow>>,
  options: AnnotationOptions,
): Promise<AnnotationSource> {
  const sets: [string, AnnotationSource][] = [];
  for (const [name, one] of found) sets.push([name, await one.read(one.path, options)]);
  const all = sets.map(([, set]) => set);
  const hasNames = all.every(({ classes }) => classes === 'names');
  return {
    path,
    images: sets.flatMap(([name, { images }]) => images.map((image) => inSet(image, name))),
    classes: hasNames ? 'names' : 'none',
    ...(hasNames && {
      categories: new Map(
        [...new Set(all.flatMap(({ categories }) => [...(categories?.values() ?? [])]))].map((name) => [
          name,
          name,
        ]),
      ),
    }),
    columns: [...new Set(all.flatMap(({ columns }) => columns)), 'set'],
    problems: all.flatMap(({ problems }) => problems),
    notices: all.flatMap(({ notices }) => notices),
  };
}

function inSet(image: ImageAnnotations, set: string): ImageAnnotations {
  const { place, size, needsSize, cellType, columns } = image;
  return {
    name: `${set}/${image.name}`,
    fileName: `${set}/${image.fileName}`,
    place,
    size,
    needsSize,
    cellType,
    columns: { ...columns, set },
    locate: (signal, read) => image.locate(signal, read),
    read: (own, signal) => image.read(own, signal),
  };
}

async function visibleNames(folder: string): Promise<string[]> {
  const names = await readdir(folder).catch(unreadable(folder));
  return names.filter((name) => !isHidden(name)).sort();
}

/** The .json files of a folder, or otherwise those of its subfolder `annotations`, as in COCO and CVAT. */
async function jsonIn(path: string, names: readonly string[]): Promise<string[]> {
  const isJson = (name: string) => extname(name).toLowerCase() === '.json';
  const own = names.filter(isJson).map((name) => join(path, name));
  const annotations = join(path, 'annotations');
  if (own.length > 0 || !names.includes('annotations') || !(await isFolder(annotations))) return own;
  return (await visibleNames(annotations)).filter(isJson).map((name) => join(annotations, name));
}

/** The start of a JSON file, which is enough to recognise its format. */
async function startOf(path: string): Promise<string> {
  const file = await open(path).catch(unreadable(path));
  try {
    const { buffer, bytesRead } = await file.read(Buffer.alloc(256), 0, 256, 0);
    return buffer.toString('utf8', 0, bytesRead).replace(/^\ufeff/, '');
  } finally {
    await file.close();
  }
}

const isResult = (start: string): boolean => start.includes('"cellroute-result"');
