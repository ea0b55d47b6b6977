import type { FileHandle } from 'node:fs/promises';
import { type ByteSource, DamagedTiff, ENDS_EARLY, type ReadDirectory } from './directory.js';

/** Bytes that are read at a time. */
const BLOCK = 1 << 16;
/** Directories of more bytes are refused: the places of a million tiles have 16 MB. */
const MAX_BYTES = 1 << 28;

/** A part of the file that a parser needs and that was not read yet. */
class MissingBytes extends Error {
  readonly first: number;
  readonly last: number;

  constructor(first: number, last: number) {
    super(`blocks ${first} to ${last} were not read`);
    this.first = first;
    this.last = last;
  }
}

/** A file's bytes, of which only the blocks are read that a parser asks for. */
export class FileBytes implements ByteSource {
  readonly byteLength: number;
  readonly directories = new Map<number, ReadDirectory>();
  readonly #handle: FileHandle;
  readonly #blocks = new Map<number, Uint8Array>();

  constructor(handle: FileHandle, byteLength: number) {
    this.#handle = handle;
    this.byteLength = byteLength;
  }

  subarray(begin: number, end: number): Uint8Array {
    if (end <= begin) return new Uint8Array(0);
    const first = Math.floor(begin / BLOCK);
    const last = Math.floor((end - 1) / BLOCK);
    const parts: Uint8Array[] = [];
    for (let i = first; i <= last; i++) {
      const block = this.#blocks.get(i);
      if (!block) throw new MissingBytes(first, last);
      parts.push(block);
    }
    const joined = parts.length === 1 ? parts[0]! : Buffer.concat(parts);
    return joined.subarray(begin - first * BLOCK, end - first * BLOCK);
  }

  /**
   * Returns the result of `parse`. It is called again whenever it needs bytes that were not read, so it must have no effects.
   *
   * @throws {DamagedTiff} for a file that shrinks, or whose directories are too long.
   */
  async parse<T>(parse: () => T, signal?: AbortSignal): Promise<T> {
    for (;;) {
      try {
        return parse();
      } catch (error) {
        if (!(error instanceof MissingBytes)) throw error;
        await this.#read(error);
        signal?.throwIfAborted();
      }
    }
  }

  async #read({ first, last }: MissingBytes): Promise<void> {
    const missing = Array.from({ length: last - first + 1 }, (_, i) => first + i).filter(
      (i) => !this.#blocks.has(i),
    );
    if ((this.#blocks.size + missing.length) * BLOCK > MAX_BYTES) {
      throw new DamagedTiff(`it has more than ${MAX_BYTES} bytes of directories`);
    }
    for (const i of missing) this.#blocks.set(i, await this.#block(i));
  }

  async #block(index: number): Promise<Uint8Array> {
    const begin = index * BLOCK;
    const bytes = new Uint8Array(Math.min(BLOCK, this.byteLength - begin));
    for (let at = 0; at < bytes.length; ) {
      const { bytesRead } = await this.#handle.read(bytes, at, bytes.length - at, begin + at);
      if (bytesRead === 0) throw new DamagedTiff(ENDS_EARLY);
      at += bytesRead;
    }
    return bytes;
  }
}
