import { randomBytes } from 'node:crypto';
import { type FileHandle, mkdir, open, rename, rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import { CellrouteError } from '../errors.js';
import { unwritable } from './errors.js';

/**
 * Writes a file so that it is there whole or not at all: its parts go into a neighbour of another name, which is
 * flushed to the disk and then renamed over whatever stood there.
 *
 * @throws CellrouteError FILE_UNWRITABLE; a CellrouteError from `parts` is passed on
 */
export async function writeAtomically(
  path: string,
  parts: Iterable<Uint8Array> | AsyncIterable<Uint8Array>,
): Promise<void> {
  const temporary = `${path}.${randomBytes(6).toString('hex')}.part`;
  let handle: FileHandle | undefined;
  try {
    handle = await open(temporary, 'wx');
    for await (const part of parts) await writeWhole(handle, part);
    await handle.sync();
    await handle.close();
    handle = undefined;
    await rename(temporary, path);
  } catch (error) {
    await handle?.close();
    await rm(temporary, { force: true });
    if (error instanceof CellrouteError) throw error;
    throw unwritable(path, `cannot be written (${(error as Error).message})`, error);
  }
  await syncFolder(dirname(path));
}

/**
 * Creates a folder and those above it, where they do not exist.
 *
 * @throws CellrouteError FILE_UNWRITABLE
 */
export async function makeFolder(path: string): Promise<void> {
  try {
    await mkdir(path, { recursive: true });
  } catch (error) {
    throw unwritable(path, `cannot be created (${(error as Error).message})`, error);
  }
}

async function writeWhole(handle: FileHandle, part: Uint8Array): Promise<void> {
  for (let done = 0; done < part.byteLength; ) {
    const { bytesWritten } = await handle.write(part, done, part.byteLength - done);
    done += bytesWritten;
  }
}

/** The new name lies in the folder, which is flushed on its own; Windows and some file systems cannot. */
async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, 'r').catch(() => undefined);
  await handle?.sync().catch(() => undefined);
  await handle?.close();
}
