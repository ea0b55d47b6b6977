import { readdir, stat } from 'node:fs/promises';
import { basename, extname, join } from 'node:path';
import { CellrouteError } from '../errors.js';
import { imageEndings } from '../image/format.js';

/** An image to work on, and the name its results get. */
export interface ImageFile {
  path: string;
  /** The file's name with its ending. */
  fileName: string;
  /** Without it; unlike every other image's. */
  name: string;
}

/** The images that paths name: files as they are, folders as the images in them, in order of name. */
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
      throw new CellrouteError(
        'FILE_UNREADABLE',
        `${path} has no images in it (${imageEndings.join(', ')})`,
        { file: path },
      );
    }
    found.push(...names.map((name) => join(path, name)));
  }
  return withNames(found);
}

/** Two images called alike, from two folders or with two endings, may not overwrite each other's results. */
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
