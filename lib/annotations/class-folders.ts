import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { unreadable } from '../file-errors.js';
import { Masks } from '../mask/masks.js';
import { ImageFolder, isFolder, isImageName, measureImage } from './image-folder.js';
import { isHidden, uniqueStems } from './names.js';
import { dataInvalid } from './problems.js';
import type { AnnotationOptions, AnnotationSource, ImageAnnotations } from './types.js';

/** Names of folders that contain images or annotations of all types, and are not types themselves. */
const NO_TYPE =
  /^(images?|imgs?|raw|masks?|labels?|annotations?|ground_?truth|gt|targets?|seg(mentations?)?|outputs?|results?)$/i;

/**
 * Names of the folders of a data set with one folder of images per cell type; undefined for any other folder.
 *
 * @throws {CellrouteError} DATA_INVALID for a folder that may be one and is ambiguous, with the remedy.
 */
export async function classFoldersIn(path: string): Promise<string[] | undefined> {
  const names = (await readdir(path).catch(unreadable(path))).filter((name) => !isHidden(name)).sort();
  const folders: { name: string; images: number; folders: string[] }[] = [];
  for (const name of names) {
    const below = join(path, name);
    if (!(await isFolder(below))) continue;
    const inside = (await readdir(below).catch(unreadable(below))).filter((one) => !isHidden(one));
    const nested: string[] = [];
    for (const one of inside) if (await isFolder(join(below, one))) nested.push(one);
    folders.push({ name, images: inside.filter(isImageName).length, folders: nested });
  }
  const types = folders.filter(({ images }) => images > 0);
  if (types.length === 0 || folders.some(({ name }) => NO_TYPE.test(name))) return undefined;
  const loose = names.filter(isImageName);
  const remedy =
    'for class folders put all images into one folder per cell type, and nothing else beside these';
  if (loose.length > 0) {
    const what = `${types.length} folders of images (${types[0]!.name}, …)`;
    throw dataInvalid(path, `it has ${what} and images beside them (${loose[0]}, …): ${remedy}`);
  }
  const nested = types.find((type) => type.folders.length > 0);
  if (nested) {
    const what = `${nested.name} has images and folders (${nested.folders[0]}, …)`;
    throw dataInvalid(path, `its folder ${what}: ${remedy}`);
  }
  if (types.length === 1) {
    const { name } = types[0]!;
    throw dataInvalid(
      path,
      `it has one folder of images (${name}) and no annotations: with annotated cells, call the folders images and labels; for class folders, two types at least are needed`,
    );
  }
  return types.map(({ name }) => name);
}

/**
 * Reads a folder of images per cell type. The images have a type, the name of their folder, and no annotated cells. Their ids
 * are `type/name`.
 */
export async function readClassFolders(path: string, options: AnnotationOptions): Promise<AnnotationSource> {
  const types = (await classFoldersIn(path)) ?? [];
  const images: ImageAnnotations[] = [];
  for (const type of types) {
    options.signal?.throwIfAborted();
    const { path: folder, fileNames } = await ImageFolder.read(join(path, type));
    const stems = uniqueStems(fileNames);
    for (const [i, fileName] of fileNames.entries()) {
      const file = join(folder, fileName);
      images.push({
        name: `${type}/${stems[i]!}`.normalize('NFC'),
        fileName: `${type}/${fileName}`.normalize('NFC'),
        place: { file },
        needsSize: true,
        cellType: type.normalize('NFC'),
        columns: {},
        locate: (signal, read) => measureImage(file, signal, read),
        read: async (size) => ({ cells: { masks: Masks.fromCoco([], size!) }, problems: [], notices: [] }),
      });
    }
  }
  return { path, images, typesOnly: true, classes: 'none', columns: [], problems: [], notices: [] };
}
