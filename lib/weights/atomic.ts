import { randomBytes } from 'node:crypto';
import { copyFile, type FileHandle, link, mkdir, open, readdir, rename, rm, stat } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { unwritable } from '../file-errors.js';

/** Characters of a file's name in that of its temporary file, which must not be too long where the file's own is not. */
const NAME_CHARACTERS = 40;

/**
 * A temporary name beside a file, for the content that replaces it once it is complete.
 *
 * @param extension for writers that depend on it, with the period.
 */
export const temporaryPath = (path: string, extension = ''): string => {
  const name = basename(path).slice(0, NAME_CHARACTERS);
  return join(dirname(path), `${name}.${randomBytes(6).toString('hex')}.part${extension}`);
};

/** Whether a file is a temporary file of a process that was killed while it wrote. */
export const isTemporary = (name: string): boolean => /\.[\da-f]{12}\.part(\.\w+)?$/.test(name);

/**
 * Deletes the temporary files in a folder. Its lock must be held, because another process may be writing them.
 *
 * @throws CellrouteError FILE_UNWRITABLE
 */
export async function removeTemporaryFiles(folder: string): Promise<void> {
  for (const name of await readdir(folder).catch(unwritable(folder))) {
    if (!isTemporary(name)) continue;
    const path = join(folder, name);
    await rm(path, { force: true }).catch(unwritable(path));
  }
}

/**
 * Writes a file atomically: the parts are written to a temporary file in the same folder, which is flushed to disk and
 * renamed over the previous file. If `parts` or `beforeRename` fails, the previous file stays as it was.
 *
 * @param beforeRename is called when the temporary file is complete.
 * @throws CellrouteError FILE_UNWRITABLE; an error of `parts` or `beforeRename` is passed on as it is
 */
export async function writeAtomically(
  path: string,
  parts: Iterable<Uint8Array> | AsyncIterable<Uint8Array>,
  beforeRename?: () => Promise<void>,
): Promise<void> {
  const temporary = temporaryPath(path);
  try {
    await writeTemporary(temporary, path, parts);
    await beforeRename?.();
    await rename(temporary, path).catch(unwritable(path));
  } catch (error) {
    await rm(temporary, { force: true }).catch(() => undefined);
    throw error;
  }
  await syncFolder(dirname(path));
}

/** Errors of file systems that have no hard links. */
const NO_LINKS = ['EPERM', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS', 'EMLINK'];

/**
 * Writes a file as {@link writeAtomically}, unless there is one of this name: of several processes that write one file, one
 * does. On a file system without hard links, two that end within the same moment both may.
 *
 * @returns whether this call wrote the file.
 * @throws CellrouteError FILE_UNWRITABLE; an error of `parts` is passed on as it is
 */
export async function createAtomically(
  path: string,
  parts: Iterable<Uint8Array> | AsyncIterable<Uint8Array>,
): Promise<boolean> {
  const temporary = temporaryPath(path);
  try {
    await writeTemporary(temporary, path, parts);
    if (!(await linkNew(temporary, path))) return false;
  } finally {
    await rm(temporary, { force: true }).catch(() => undefined);
  }
  await syncFolder(dirname(path));
  return true;
}

/** Gives a file a second name, or its new name where it can have only one; false where that name is taken. */
async function linkNew(from: string, to: string): Promise<boolean> {
  try {
    await link(from, to);
    return true;
  } catch (error) {
    const { code = '' } = error as NodeJS.ErrnoException;
    if (code === 'EEXIST') return false;
    if (!NO_LINKS.includes(code)) return unwritable(to)(error);
  }
  if (await stat(to).catch(() => undefined)) return false;
  await rename(from, to).catch(unwritable(to));
  return true;
}

/** @param path of the file that it becomes, for errors. */
async function writeTemporary(
  temporary: string,
  path: string,
  parts: Iterable<Uint8Array> | AsyncIterable<Uint8Array>,
): Promise<void> {
  const fail = unwritable(path);
  let handle: FileHandle | undefined;
  try {
    handle = await open(temporary, 'wx').catch(fail);
    for await (const part of parts) await writeWhole(handle, part).catch(fail);
    await handle.sync().catch(fail);
    await handle.close().catch(fail);
    handle = undefined;
  } finally {
    await handle?.close().catch(() => undefined);
  }
}

/**
 * Copies a file atomically.
 *
 * @throws CellrouteError FILE_UNWRITABLE
 */
export async function copyAtomically(from: string, to: string): Promise<void> {
  const temporary = temporaryPath(to);
  try {
    await copyFile(from, temporary).catch(unwritable(to));
    await rename(temporary, to).catch(unwritable(to));
  } catch (error) {
    await rm(temporary, { force: true }).catch(() => undefined);
    throw error;
  }
}

/**
 * Creates a folder and those above it, where they do not exist.
 *
 * @throws CellrouteError FILE_UNWRITABLE
 */
export async function makeFolder(path: string): Promise<void> {
  await makeFolders(resolve(path)).catch(unwritable(path));
}

/** Does not use mkdir's `recursive`, which loops forever in file systems such as /proc, where nothing can be created. */
async function makeFolders(path: string): Promise<void> {
  const attempt = () =>
    mkdir(path).catch(async (error: NodeJS.ErrnoException) => {
      if ((await stat(path).catch(() => undefined))?.isDirectory()) return;
      throw error;
    });
  await attempt().catch(async (error: NodeJS.ErrnoException) => {
    if (error.code !== 'ENOENT') throw error;
    await makeFolders(dirname(path));
    await attempt();
  });
}

async function writeWhole(handle: FileHandle, part: Uint8Array): Promise<void> {
  for (let done = 0; done < part.byteLength; ) {
    const { bytesWritten } = await handle.write(part, done, part.byteLength - done);
    done += bytesWritten;
  }
}

/** Flushes the folder, which contains the new name. Windows and some file systems do not support it. */
async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, 'r').catch(() => undefined);
  await handle?.sync().catch(() => undefined);
  await handle?.close().catch(() => undefined);
}
