import { createHash, type Hash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { access, appendFile, constants, readFile, rename, rm, stat } from 'node:fs/promises';
import { basename, dirname, extname, join, resolve } from 'node:path';
import { CellrouteError } from './errors.js';
import { unreadable, unwritable } from './file-errors.js';
import { makeFolder, temporaryPath, writeAtomically } from './weights/atomic.js';

/** In a folder of outputs: one line of JSON per file that was written there, with its name and SHA-256. */
export const MANIFEST_FILE = '.cellroute.jsonl';

const MAX_SHOWN = 5;

type Part = string | Uint8Array;

/** Content of a file; text is written as UTF-8. */
export type Content = Part | Iterable<Part> | AsyncIterable<Part>;

/** Names of files, each with the SHA-256 of what this tool wrote into it, which may have been several versions. */
type Manifest = Map<string, Set<string>>;

/** The files that this tool wrote in a folder. */
export async function readManifest(folder: string): Promise<Manifest> {
  const text = await readFile(join(folder, MANIFEST_FILE), 'utf8').catch(() => '');
  const files: Manifest = new Map();
  for (const line of text.split('\n')) {
    try {
      const { file, sha256 } = JSON.parse(line) as { file: string; sha256: string };
      files.set(file, (files.get(file) ?? new Set()).add(sha256));
    } catch {
      // A line that a crash cut off.
    }
  }
  return files;
}

/**
 * Writes the files of a command or an ensemble. A file is there whole or not at all, and none is overwritten that this tool did not
 * write, or that was changed since, unless `force` is set.
 */
export class Outputs {
  readonly #force: boolean;
  readonly #manifests = new Map<string, Promise<Manifest>>();

  constructor({ force = false }: { force?: boolean | undefined }) {
    this.#force = force;
  }

  /**
   * Checks the files that are going to be written, before work on them begins.
   *
   * @throws {CellrouteError} FILE_UNWRITABLE
   */
  async check(paths: readonly string[]): Promise<void> {
    for (const folder of new Set(paths.map((path) => dirname(path)))) {
      await makeFolder(folder);
      await access(folder, constants.W_OK).catch(unwritable(folder));
    }
    const foreign: string[] = [];
    for (const path of paths) if (await this.#isForeign(path)) foreign.push(path);
    if (foreign.length === 0) return;
    const more = foreign.length > MAX_SHOWN ? `, and ${foreign.length - MAX_SHOWN} more` : '';
    const [what, them] = foreign.length === 1 ? ['exists and was', 'it'] : ['exist and were', 'them'];
    throw new CellrouteError(
      'FILE_UNWRITABLE',
      `${foreign.slice(0, MAX_SHOWN).join(', ')}${more} ${what} not written by cellroute, or changed since: write elsewhere, or overwrite ${them} with force: true (--force)`,
      { option: '--out', file: foreign[0]! },
    );
  }

  /**
   * Writes a file, whole or in the parts of an iterable, which are not kept: a file may be larger than memory. An error
   * of the iterable is passed on, and no file is written then.
   *
   * @throws {CellrouteError} FILE_UNWRITABLE
   */
  async write(path: string, content: Content): Promise<void> {
    await this.check([path]);
    const hash = createHash('sha256');
    await writeAtomically(path, hashed(content, hash), () => this.#record(path, hash.digest('hex')));
  }

  /**
   * Writes a file by a function that takes its path: a temporary one with the same ending.
   *
   * @throws {CellrouteError} FILE_UNWRITABLE, and what `write` throws.
   */
  async place(path: string, write: (path: string) => Promise<void>): Promise<void> {
    await this.check([path]);
    const temporary = temporaryPath(path, extname(path));
    try {
      await write(temporary);
      await this.#record(path, await hashOf(temporary));
      await rename(temporary, path).catch(unwritable(path));
    } catch (error) {
      await rm(temporary, { force: true });
      throw error;
    }
  }

  /**
   * Removes a file, unless this tool did not write it, or it was changed since. With `force`, it is removed in any case.
   *
   * @throws {CellrouteError} FILE_UNWRITABLE
   */
  async remove(path: string): Promise<void> {
    if (!(await this.#isForeign(path))) await rm(path, { force: true }).catch(unwritable(path));
  }

  /** Whether a file exists and must not be overwritten. */
  async #isForeign(path: string): Promise<boolean> {
    const info = await stat(path).catch((error: NodeJS.ErrnoException) =>
      error.code === 'ENOENT' ? undefined : unwritable(path)(error),
    );
    if (!info || this.#force) return false;
    if (!info.isFile()) return true;
    const known = (await this.#manifest(dirname(path))).get(basename(path));
    return !known?.has(await hashOf(path));
  }

  #manifest(folder: string): Promise<Manifest> {
    const key = resolve(folder);
    const known = this.#manifests.get(key);
    if (known) return known;
    const manifest = readManifest(key);
    this.#manifests.set(key, manifest);
    return manifest;
  }

  /** Called before the file gets its name, so that no crash leaves a file that the manifest does not list. */
  async #record(path: string, sha256: string): Promise<void> {
    const manifest = await this.#manifest(dirname(path));
    const file = basename(path);
    const versions = manifest.get(file) ?? new Set();
    if (versions.has(sha256)) return;
    manifest.set(file, versions.add(sha256));
    const line = `${JSON.stringify({ file, sha256 })}\n`;
    await appendFile(join(dirname(path), MANIFEST_FILE), line).catch(unwritable(path));
  }
}

/** The bytes of a file, which also go into a hash. */
async function* hashed(content: Content, hash: Hash): AsyncGenerator<Uint8Array, void, undefined> {
  const parts = typeof content === 'string' || content instanceof Uint8Array ? [content] : content;
  for await (const part of parts) {
    const bytes = typeof part === 'string' ? Buffer.from(part) : part;
    hash.update(bytes);
    yield bytes;
  }
}

/**
 * SHA-256 of a file in hexadecimal.
 *
 * @throws {CellrouteError} FILE_UNREADABLE
 */
export async function hashOf(path: string): Promise<string> {
  const hash = createHash('sha256');
  try {
    for await (const chunk of createReadStream(path)) hash.update(chunk as Buffer);
  } catch (error) {
    unreadable(path)(error);
  }
  return hash.digest('hex');
}
