import { readdir, stat } from 'node:fs/promises';
import { basename, dirname, extname, join, relative, resolve, sep } from 'node:path';
import { isHidden, maskedImage, portableName, stemOf, uniqueStems } from '../annotations/names.js';
import { CellrouteError } from '../errors.js';
import { outputsAmong } from '../export/file-names.js';
import { RESULT_FORMAT_NAMES, resultFormat } from '../export/formats.js';
import { cannotRead, unreadable } from '../file-errors.js';
import { isZarrFolder, refuseSlideOfFiles } from '../image/companions.js';
import { imageEndings } from '../image/format.js';
import { readManifest } from '../outputs.js';

/** An image file, and the names of its results. */
export interface ImageFile {
  path: string;
  /**
   * File name with extension. If files in several folders have the same name: the path relative to their common folder,
   * with `/` between its parts. Unique among the images.
   */
  fileName: string;
  /** Name without extension, unless that would be ambiguous: the id in tables, which a data set of the images has, too. */
  id: string;
  /** The id as every file system accepts it. Results are files with this name. */
  name: string;
}

/** Names of the files with the results of all images, which no single image may use. */
const RESERVED = RESULT_FORMAT_NAMES.filter((name) => resultFormat(name).scope === 'run');

/** Whether an argument is the address of an OME-Zarr image behind HTTP. */
export const isWebAddress = (path: string): boolean => /^https?:\/\//i.test(path);

/**
 * Finds the images at paths: files themselves, and the images in folders, sorted by name. Hidden files, outputs of cellroute
 * and Cellpose's masks of other images in a folder are not images; outputs and masks are reported on stderr.
 *
 * @param slides whether OME-Zarr images, folders or web addresses, are images.
 */
export async function findImages(paths: readonly string[], { slides = false } = {}): Promise<ImageFile[]> {
  const found: string[] = [];
  for (const path of paths) {
    const isZarr = await isZarrFolder(path);
    if (slides && (isWebAddress(path) || isZarr)) {
      found.push(path);
      continue;
    }
    const info = await stat(path).catch(unreadable(path));
    if (isZarr) {
      throw new CellrouteError(
        'IMAGE_UNSUPPORTED',
        `${path} is an OME-Zarr image, which the commands segment, segment-slide and submit --slides read`,
        { file: path, expected: 'an image file or a folder of them', got: 'an OME-Zarr image' },
      );
    }
    if (info.isDirectory()) found.push(...(await imagesIn(path)));
    else {
      await refuseSlideOfFiles(path);
      found.push(path);
    }
  }
  const unique = new Map(found.map((path) => [resolve(path), path]));
  return withNames([...unique.values()]);
}

async function imagesIn(folder: string): Promise<string[]> {
  const all = (await readdir(folder).catch(unreadable(folder))).sort();
  const own = new Set([...outputsAmong(all), ...(await readManifest(folder)).keys()]);
  const images = all.filter(isImageName);
  const outputs = images.filter((name) => own.has(name));
  const masks = masksAmong(images.filter((name) => !own.has(name)));
  reportSkipped(folder, outputs, 'have names of cellroute outputs');
  reportSkipped(folder, [...masks], 'have names of masks of other images');
  const inputs = images.filter((name) => !own.has(name) && !masks.has(name));
  if (inputs.length === 0) {
    const hint = await imagesBelow(folder);
    throw cannotRead(folder, `the folder contains no images (${imageEndings.join(', ')})${hint}`);
  }
  return inputs.map((name) => join(folder, name));
}

const isImageName = (name: string): boolean =>
  !isHidden(name) && imageEndings.includes(extname(name).toLowerCase());

/** Files with the names of Cellpose's masks, such as `x_masks.png`, beside their image. */
function masksAmong(images: readonly string[]): Set<string> {
  const stems = new Set(images.map(stemOf));
  return new Set(images.filter((name) => stems.has(maskedImage(stemOf(name)) ?? '')));
}

function reportSkipped(folder: string, names: readonly string[], what: string): void {
  if (names.length === 0) return;
  const shown = names.length > 3 ? `${names.slice(0, 3).join(', ')}, …` : names.join(', ');
  console.error(
    `${folder}: ${names.length} files ${what} and are skipped (${shown}). To use such a file, pass its own path.`,
  );
}

/** A hint that names the folder with the images of a data set: `images`, or the only folder with images. */
async function imagesBelow(folder: string): Promise<string> {
  const withImages: string[] = [];
  for (const entry of await readdir(folder, { withFileTypes: true })) {
    if (!entry.isDirectory() || isHidden(entry.name)) continue;
    const names = await readdir(join(folder, entry.name)).catch(() => []);
    if (names.some(isImageName)) withImages.push(entry.name);
  }
  const one = withImages.includes('images') ? 'images' : withImages.length === 1 ? withImages[0] : undefined;
  return one === undefined ? '' : `; there are some in its folder ${one}: pass ${join(folder, one)}`;
}

/** Assigns names that differ even if case is ignored. */
export function withNames(paths: readonly string[]): ImageFile[] {
  const fileNames = fileNamesOf(paths);
  const taken = new Set<string>();
  return uniqueStems(fileNames, RESERVED).map((own, i) => {
    const stem = portableName(own);
    let name = stem;
    for (let k = 2; taken.has(name.normalize('NFC').toLowerCase()); k++) name = `${stem}-${k}`;
    taken.add(name.normalize('NFC').toLowerCase());
    return { path: paths[i]!, fileName: fileNames[i]!, id: own, name };
  });
}

function fileNamesOf(paths: readonly string[]): string[] {
  const names = paths.map((path) => basename(path));
  if (new Set(names.map((name) => name.normalize('NFC').toLowerCase())).size === names.length) return names;
  const full = paths.map((path) => resolve(path));
  let shared = dirname(full[0]!);
  while (!full.every((path) => path.startsWith(shared.endsWith(sep) ? shared : shared + sep))) {
    const above = dirname(shared);
    // Paths on two drives of Windows have no common folder.
    if (above === shared) return full.map((path) => path.replaceAll(/[:\\]+/g, '/'));
    shared = above;
  }
  return full.map((path) => relative(shared, path).split(sep).join('/'));
}
