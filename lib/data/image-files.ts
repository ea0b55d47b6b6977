import { readdir, readFile } from 'node:fs/promises';
import { basename, extname, join } from 'node:path';
import { CellrouteError } from '../errors.js';
import { readImageSize } from '../image/decode.js';
import { imageEndings } from '../image/format.js';
import type { ImageSize, Masks } from '../mask/masks.js';
import type { DatasetItem } from './types.js';

/** Files looked into at a time while a data set is opened: libuv has four threads unless told otherwise. */
export const FILES_AT_ONCE = 4;

/** The images of a folder by name, with and without ending. */
export class ImageFolder {
  readonly path: string;
  readonly #byName = new Map<string, string[]>();

  private constructor(path: string, names: readonly string[]) {
    this.path = path;
    for (const name of names) {
      for (const key of [name, basename(name, extname(name))]) {
        this.#byName.set(key, [...(this.#byName.get(key) ?? []), join(path, name)]);
      }
    }
  }

  /** @throws {CellrouteError} FILE_UNREADABLE where there is no such folder. */
  static async read(path: string): Promise<ImageFolder> {
    const names = await readdir(path).catch((cause: Error) => {
      throw new CellrouteError('FILE_UNREADABLE', `${path}: ${cause.message}`, { file: path }, { cause });
    });
    return new ImageFolder(
      path,
      names.filter((name) => imageEndings.includes(extname(name).toLowerCase())).sort(),
    );
  }

  get names(): string[] {
    return [...new Set([...this.#byName.values()].flat())].map((path) => basename(path, extname(path)));
  }

  async look(name: string, signal: AbortSignal | undefined): Promise<FoundImage> {
    const found = this.find(name);
    return 'path' in found ? lookInto(found.path, signal) : found;
  }

  /** The file of that name, or why there is none. */
  find(name: string): { path: string } | { reason: string } {
    const found = this.#byName.get(name) ?? [];
    if (found.length === 1) return { path: found[0]! };
    if (found.length === 0) return { reason: `there is no image of this name in ${this.path}` };
    return {
      reason: `there are several images of this name: ${found.map((path) => basename(path)).join(', ')}`,
    };
  }
}

/** A file and its image's size, or why it cannot be used. */
export type FoundImage = { path: string; size: ImageSize } | { reason: string };

export async function lookInto(path: string, signal: AbortSignal | undefined): Promise<FoundImage> {
  try {
    return { path, size: await readImageSize(await readFile(path, { signal })) };
  } catch (error) {
    signal?.throwIfAborted();
    return { reason: `${basename(path)}: ${(error as Error).message}` };
  }
}

/** An item whose image waits in its file and whose masks, which are small, in memory. */
export function fileItem(item: {
  id: string;
  type: string | undefined;
  columns: Readonly<Record<string, string>>;
  path: string;
  masks: Masks;
  labels: Int32Array;
}): DatasetItem {
  const { id, type, columns, path, masks, labels } = item;
  return {
    id,
    type,
    columns,
    width: masks.width,
    height: masks.height,
    cells: masks.length,
    areas: masks.areas(),
    async load(signal) {
      const image = await readFile(path, { signal }).catch((cause: Error) => {
        signal?.throwIfAborted();
        const message = `${path}: ${cause.message}`;
        throw new CellrouteError('FILE_UNREADABLE', message, { file: path }, { cause });
      });
      return { image, masks, labels: labels.slice() };
    },
  };
}
