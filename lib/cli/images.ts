import { readdir, stat } from 'node:fs/promises';
import { basename, extname, join } from 'node:path';
import { CellrouteError } from '../errors.js';
import { imageEndings } from '../image/format.js';

/** An input image and the base name of its result files. */
export interface ImageFile {
  path: string;
  /** File name with extension. */
  fileName: string;
  /** File name without extension; unique among the images of a run. */
  name: string;
}

/** Resolves paths to images: files as given, folders to the images in them, sorted by name. */
export async function findImages(paths: readonly string[]): Promise<ImageFile[]> {
  const found: string[] = [];
  for (const path of paths) {
    const info = await stat(path).catch((cause: Error) => {
      throw new CellrouteError('FILE_UNREADABLE', `${path}: ${cause.message}`, { file: path }, { cause });
    });
    if (!info.isDirectory()) {
      found.push(path);
      continue;
    }
    const names = (await readdir(path))
      .filter((name) => imageEndings.includes(extname(name).toLowerCase()))
      .sort();
    if (names.length === 0) {
      throw new CellrouteError('FILE_UNREADABLE', `${path} contains no images (${imageEndings.join(', ')})`, {
        file: path,
      });
    }
    found.push(...names.map((name) => join(path, name)));
  }
  return withNames(found);
}

/** Makes base names unique, so that images with the same name do not overwrite each other's results. */
function withNames(paths: readonly string[]): ImageFile[] {
  const taken = new Set<string>();
  return paths.map((path) => {
    const fileName = basename(path);
    const stem = basename(path, extname(path));
    let name = stem;
    for (let i = 2; taken.has(name.toLowerCase()); i++) name = `${stem}-${i}`;
    taken.add(name.toLowerCase());
    return { path, fileName, name };
  });
}
