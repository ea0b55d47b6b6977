import { readdir, stat } from 'node:fs/promises';
import { basename, extname, join } from 'node:path';
import { outputsAmong } from '../export/file-names.js';
import { unreadable } from '../file-errors.js';
import { readImageFile } from '../image/companions.js';
import { readImageInfo } from '../image/decode.js';
import { imageEndings } from '../image/format.js';
import type { ImageReadOptions } from '../image/types.js';
import type { ImageSize } from '../mask/masks.js';
import { isHidden, readName, similarName, stemOf } from './names.js';

/** Number of files read at the same time when annotations are opened. libuv has four threads by default. */
export const CONCURRENT_FILES = 4;

/** An image file with its size, or the reason why it cannot be used. */
export type FoundImage =
  | { path: string; size: ImageSize; orientation?: number; notices: readonly string[] }
  | { reason: string };

/** Images of a folder, found by name with or without extension. Names are compared in Unicode's composed form. */
export class ImageFolder {
  readonly path: string;
  /** File names of images, sorted, without hidden files and outputs of cellroute. */
  readonly fileNames: readonly string[];
  readonly #byName = new Map<string, string[]>();
  readonly #below = new Map<string, Promise<ImageFolder | undefined>>();

  private constructor(path: string, names: readonly string[], isOther: (name: string) => boolean) {
    this.path = path;
    const outputs = outputsAmong(names);
    this.fileNames = names.filter((name) => isImageName(name) && !outputs.has(name) && !isOther(name)).sort();
    for (const name of this.fileNames) {
      const composed = name.normalize('NFC');
      for (const key of new Set([composed, stemOf(composed)])) {
        this.#byName.set(key, [...(this.#byName.get(key) ?? []), name]);
      }
    }
  }

  /**
   * @param isOther whether a file is known not to be an image of the data set.
   * @throws {CellrouteError} FILE_UNREADABLE if the folder does not exist.
   */
  static async read(path: string, isOther: (name: string) => boolean = () => false): Promise<ImageFolder> {
    return new ImageFolder(path, await readdir(path).catch(unreadable(path)), isOther);
  }

  /** Names of the images without extension. */
  get names(): string[] {
    return [...new Set(this.fileNames.map((name) => stemOf(name.normalize('NFC'))))];
  }

  /** Path of the file with that name, which may be in a subfolder, or the reason why it was not found. */
  async find(name: string): Promise<{ path: string } | { reason: string }> {
    const missing = {
      reason: `there is no image with this name in ${this.path}${similarName(name, this.fileNames)}`,
    };
    const parts = readName(name)?.split('/') ?? [];
    let folder: ImageFolder = this;
    for (const part of parts.slice(0, -1)) {
      const below = await folder.#folder(part);
      if (!below) return missing;
      folder = below;
    }
    const found = folder.#byName.get(parts.at(-1) ?? '') ?? [];
    if (found.length === 0) return missing;
    // An exact name has priority over one with another extension.
    const exact = found.filter((file) => file.normalize('NFC') === parts.at(-1));
    const [file, ...others] = exact.length > 0 ? exact : found;
    if (others.length === 0) return { path: join(folder.path, file!) };
    return { reason: `there are several images with this name: ${found.join(', ')}` };
  }

  #folder(name: string): Promise<ImageFolder | undefined> {
    const known = this.#below.get(name);
    if (known) return known;
    const read = (async () => {
      const names = await readdir(this.path);
      const own = names.find((one) => one.normalize('NFC') === name);
      return own === undefined ? undefined : ImageFolder.read(join(this.path, own)).catch(() => undefined);
    })();
    this.#below.set(name, read);
    return read;
  }
}

export const isImageName = (name: string): boolean =>
  !isHidden(name) && imageEndings.includes(extname(name).toLowerCase());

/** Reads the size of an image from its header. */
export async function measureImage(
  path: string,
  signal: AbortSignal | undefined,
  read: ImageReadOptions = {},
): Promise<FoundImage> {
  try {
    const { width, height, source } = await readImageInfo(await readImageFile(path, signal), read);
    const { orientation, notices } = source;
    return { path, size: { width, height }, ...(orientation !== undefined && { orientation }), notices };
  } catch (error) {
    signal?.throwIfAborted();
    return { reason: `${basename(path)}: ${(error as Error).message}` };
  }
}

/** The first of these folders that exists, otherwise the last. */
export async function firstFolder(...paths: readonly string[]): Promise<string> {
  for (const path of paths) if (await isFolder(path)) return path;
  return paths.at(-1)!;
}

export const isFolder = async (path: string): Promise<boolean> =>
  (await stat(path).catch(() => undefined))?.isDirectory() ?? false;
