import { isUtf8 } from 'node:buffer';
import { type FileHandle, open, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { CellrouteError } from '../errors.js';
import { unreadable, unwritable } from '../file-errors.js';
import { FolderLock } from '../folder-lock.js';
import { writeAtomically } from '../weights/atomic.js';

const JOURNAL_FILE = 'journal.jsonl';

interface Waiting {
  line: string;
  resolve: () => void;
  reject: (error: unknown) => void;
}

/**
 * A list of records on disk, one line of JSON each. An appended record survives the end of the process and a power failure.
 * One process at a time can open a journal.
 */
export class Journal {
  readonly #path: string;
  readonly #lock: FolderLock;
  /** Undefined after the file was replaced, until the next write opens the new one. */
  #handle: FileHandle | undefined;
  /** Length of the complete records in bytes. Later bytes, left by a failed write, are overwritten. */
  #bytes: number;
  #lines: number;
  #waiting: Waiting[] = [];
  /** Writes are serialized. */
  #tail: Promise<void> = Promise.resolve();

  private constructor(path: string, lock: FolderLock, handle: FileHandle, bytes: number, lines: number) {
    this.#path = path;
    this.#lock = lock;
    this.#handle = handle;
    this.#bytes = bytes;
    this.#lines = lines;
  }

  /**
   * Opens the journal of a folder, which is created if missing. A truncated last line is dropped.
   *
   * @throws {CellrouteError} RUN_LOCKED if another process has opened it; FILE_UNREADABLE, FILE_UNWRITABLE, DATA_INVALID.
   */
  static async open(folder: string): Promise<{ journal: Journal; records: Record<string, unknown>[] }> {
    const lock = await FolderLock.acquire(folder);
    const path = join(folder, JOURNAL_FILE);
    try {
      const content = await readFile(path).catch((error: NodeJS.ErrnoException) =>
        error.code === 'ENOENT' ? Buffer.alloc(0) : unreadable(path)(error),
      );
      const bytes = content.lastIndexOf('\n') + 1;
      const complete = content.subarray(0, bytes);
      if (!isUtf8(complete)) {
        throw new CellrouteError('DATA_INVALID', `${path} is damaged: it is not UTF-8`, { file: path });
      }
      const lines = complete.toString().split('\n').slice(0, -1);
      const records = lines.map((line, i) => recordOf(path, line, i + 1));
      if (content.length === 0) await writeAtomically(path, []);
      const handle = await open(path, 'r+').catch(unwritable(path));
      await handle.truncate(bytes).catch(async (error) => {
        await handle.close();
        return unwritable(path)(error);
      });
      return { journal: new Journal(path, lock, handle, bytes, lines.length), records };
    } catch (error) {
      await lock.release();
      throw error;
    }
  }

  /** The file. */
  get path(): string {
    return this.#path;
  }

  /** Records in the file. */
  get lines(): number {
    return this.#lines;
  }

  /**
   * Resolves when the record is on disk. Records that are appended during a write are written together afterwards.
   *
   * @throws {CellrouteError} FILE_UNWRITABLE; the record is then not in the journal.
   */
  append(record: object): Promise<void> {
    const line = `${JSON.stringify(record)}\n`;
    return new Promise((resolve, reject) => {
      this.#waiting.push({ line, resolve, reject });
      this.#tail = this.#tail.then(() => this.#write());
    });
  }

  /**
   * Replaces all records. The function is called when earlier writes have ended. Its records must include those that wait
   * to be appended.
   */
  rewrite(records: () => Iterable<object>): Promise<void> {
    const done = this.#tail.then(async () => {
      const included = this.#waiting.splice(0);
      try {
        await this.#replace(Array.from(records(), (record) => `${JSON.stringify(record)}\n`));
      } catch (error) {
        // If rewriting fails, waiting records are appended to the old ones.
        this.#waiting.unshift(...included);
        throw error;
      }
      for (const { resolve } of included) resolve();
    });
    this.#tail = done.catch(() => this.#write());
    return done;
  }

  async close(): Promise<void> {
    await this.#tail;
    try {
      await this.#handle?.close();
    } finally {
      await this.#lock.release();
    }
  }

  async #write(): Promise<void> {
    const batch = this.#waiting.splice(0);
    if (batch.length === 0) return;
    const bytes = Buffer.from(batch.map(({ line }) => line).join(''));
    try {
      await this.#writeAt(bytes, this.#bytes);
      this.#bytes += bytes.length;
      this.#lines += batch.length;
      for (const { resolve } of batch) resolve();
    } catch (error) {
      await this.#handle?.truncate(this.#bytes).catch(() => {});
      for (const { reject } of batch) reject(error);
    }
  }

  async #writeAt(bytes: Buffer, position: number): Promise<void> {
    const fail = unwritable(this.#path);
    this.#handle ??= await open(this.#path, 'r+').catch(fail);
    const handle = this.#handle;
    for (let done = 0; done < bytes.length; ) {
      const { bytesWritten } = await handle
        .write(bytes, done, bytes.length - done, position + done)
        .catch(fail);
      done += bytesWritten;
    }
    await handle.datasync().catch(fail);
  }

  async #replace(lines: readonly string[]): Promise<void> {
    const bytes = Buffer.from(lines.join(''));
    await writeAtomically(this.#path, [bytes]);
    this.#bytes = bytes.length;
    this.#lines = lines.length;
    // Its file has no name any more: what is written to it would be lost.
    const replaced = this.#handle;
    this.#handle = undefined;
    await replaced?.close().catch(() => {});
  }
}

function recordOf(file: string, line: string, number: number): Record<string, unknown> {
  let record: unknown;
  try {
    record = JSON.parse(line);
  } catch {
    throw damaged(file, `Line ${number}`, 'it is not valid JSON');
  }
  if (typeof record === 'object' && record !== null && !Array.isArray(record))
    return record as Record<string, unknown>;
  throw damaged(file, `Line ${number}`, 'it is not a JSON object');
}

/** @param part of the file that cannot be used, at the start of a sentence. */
export const damaged = (file: string, part: string, reason: string): CellrouteError =>
  new CellrouteError('DATA_INVALID', `${part} of ${file} is damaged: ${reason}`, { file });
