// Stores that images are read from and results are written to: an interface, and its implementation with folders. s3.ts
// implements it with buckets.
import { readFile, rm, stat } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import type { SignalOptions } from '../abort.js';
import { checkOptions, checkString, refuse } from '../check.js';
import { unreadable, unwritable } from '../file-errors.js';
import { createAtomically, makeFolder } from '../weights/atomic.js';

/**
 * Files with keys such as `plate-7/well-A1.png`: a folder, a bucket of an object store, or a store of your own. Keys are
 * parts between slashes; no part is empty, `.` or `..`.
 */
export interface ObjectStore {
  /** Whether a file with this key exists. */
  has(key: string, options?: { signal?: AbortSignal }): Promise<boolean>;
  /**
   * The bytes of a file.
   *
   * @throws {CellrouteError} FILE_UNREADABLE, with a `cause` whose `code` is ENOENT if the file does not exist.
   */
  get(key: string, options?: { signal?: AbortSignal }): Promise<Uint8Array>;
  /**
   * Writes a file atomically, unless one with this key exists.
   *
   * @returns whether this call wrote it.
   * @throws {CellrouteError} FILE_UNWRITABLE, with a `cause` whose `code` is ENOSPC or EDQUOT if the disk is full; the worker
   *   then waits. Errors of the content are passed on.
   */
  put(
    key: string,
    content: Iterable<Uint8Array> | AsyncIterable<Uint8Array>,
    options?: { signal?: AbortSignal },
  ): Promise<boolean>;
  /** Deletes a file, if it exists. */
  delete(key: string): Promise<void>;
  /** The path of a file on this machine, for stores that are folders: slides are read by path. */
  pathOf?(key: string): string;
  /**
   * Called when a worker starts.
   *
   * @throws where the store cannot be used; the worker then does not start.
   */
  check?(options?: { signal?: AbortSignal }): Promise<void>;
}

/**
 * Refuses a key that could name a file outside of a store.
 *
 * @throws {CellrouteError} INVALID_ARGUMENT
 */
export function checkObjectKey(option: string, key: unknown): string {
  const text = checkString(option, key);
  const parts = text.split('/');
  const isPlain = parts.every((part) => part !== '' && part !== '.' && part !== '..');
  if (isPlain && text.length <= 1024 && !/[\p{Cc}\\]/u.test(text)) return text;
  throw refuse(option, 'a key such as folder/image.png, without empty parts, . and ..', text);
}

/** A store in a folder. Workers on several machines can share it through a network file system. */
export class FileObjects implements ObjectStore {
  /** The folder, as an absolute path. */
  readonly folder: string;

  /** @throws {CellrouteError} INVALID_ARGUMENT */
  constructor(folder: string) {
    this.folder = resolve(checkString('folder', folder));
  }

  async has(key: string): Promise<boolean> {
    const path = this.pathOf(key);
    const info = await stat(path).catch((error: NodeJS.ErrnoException) =>
      error.code === 'ENOENT' ? undefined : unreadable(path)(error),
    );
    return info?.isFile() ?? false;
  }

  async get(key: string, options: SignalOptions = {}): Promise<Uint8Array> {
    checkOptions(options, ['signal']);
    const { signal } = options;
    const path = this.pathOf(key);
    return readFile(path, signal ? { signal } : {}).catch(unreadable(path, signal));
  }

  async put(key: string, content: Iterable<Uint8Array> | AsyncIterable<Uint8Array>): Promise<boolean> {
    const path = this.pathOf(key);
    await makeFolder(dirname(path));
    return createAtomically(path, content);
  }

  async delete(key: string): Promise<void> {
    const path = this.pathOf(key);
    await rm(path, { force: true }).catch(unwritable(path));
  }

  pathOf(key: string): string {
    return join(this.folder, ...checkObjectKey('key', key).split('/'));
  }
}
