import { readdir, stat } from 'node:fs/promises';
import { basename, extname, join } from 'node:path';
import { CellrouteError } from '../errors.js';
import { pictureEndings } from '../image/format.js';

/** A picture to work on, and the name its results get. */
export interface PictureFile {
  path: string;
  /** The file's name with its ending. */
  fileName: string;
  /** Without it; unlike every other picture's. */
  name: string;
}

/** The pictures that paths name: files as they are, folders as the pictures in them, in order of name. */
export async function findPictures(paths: readonly string[]): Promise<PictureFile[]> {
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
      .filter((name) => pictureEndings.includes(extname(name).toLowerCase()))
      .sort();
    if (names.length === 0) {
      throw new CellrouteError(
        'FILE_UNREADABLE',
        `${path} has no pictures in it (${pictureEndings.join(', ')})`,
        { file: path },
      );
    }
    found.push(...names.map((name) => join(path, name)));
  }
  return withNames(found);
}

/** Two pictures called alike, from two folders or with two endings, may not overwrite each other's results. */
function withNames(paths: readonly string[]): PictureFile[] {
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
