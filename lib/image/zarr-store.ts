import { constants } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { join } from 'node:path';

export type Zarrita = typeof import('zarrita');

/** Imported dynamically, because zarrita is an ES module. */
export const loadZarrita = (): Promise<Zarrita> => import('zarrita');

/** A part of a file. */
export type ByteRange = { offset: number; length: number } | { suffixLength: number };

/** The store interface of zarrita; keys start with a slash. */
export interface Store {
  get(key: `/${string}`, options?: { signal?: AbortSignal }): Promise<Uint8Array | undefined>;
  getRange?(
    key: `/${string}`,
    range: ByteRange,
    options?: { signal?: AbortSignal },
  ): Promise<Uint8Array | undefined>;
}

/** Types of samples that are read. */
export type Sample = 'uint8' | 'uint16' | 'float32';
export type ZarrArray = import('zarrita').Array<Sample, MetadataStore>;
/** A decoded chunk. */
export type ZarrChunk = import('zarrita').Chunk<Sample>;

/** The store of a folder, or of an `http:` or `https:` URL. */
export const storeAt = ({ FetchStore }: Zarrita, place: string | URL): MetadataStore =>
  new MetadataStore(typeof place === 'string' ? new FolderStore(place) : new FetchStore(place));

/** A store that reads each file of metadata once. */
export class MetadataStore implements Store {
  readonly #inner: Store;
  /** Metadata by key; undefined for files that do not exist. */
  readonly #known = new Map<string, Uint8Array | undefined>();

  constructor(inner: Store) {
    this.#inner = inner;
  }

  async get(key: `/${string}`, options?: { signal?: AbortSignal }): Promise<Uint8Array | undefined> {
    if (this.#known.has(key)) return this.#known.get(key);
    const bytes = await this.#inner.get(key, options);
    if (/\/(zarr\.json|\.z(array|attrs|group))$/.test(key)) this.#known.set(key, bytes);
    return bytes;
  }

  async getRange(
    key: `/${string}`,
    range: ByteRange,
    options?: { signal?: AbortSignal },
  ): Promise<Uint8Array | undefined> {
    const bytes = await this.#inner.getRange?.(key, range, options);
    const length = 'length' in range ? range.length : range.suffixLength;
    if (!bytes || bytes.length === length) return bytes;
    throw new Error(
      bytes.length > length
        ? `${length} bytes of ${key} were requested, and ${bytes.length} received: its server has no range requests`
        : `${key} is truncated`,
    );
  }

  /** Bytes of a key that may be transferred to another thread: those of metadata are kept, and those of a part are copied. */
  ownBytes(key: string, bytes: Uint8Array): Uint8Array {
    return bytes.byteLength === bytes.buffer.byteLength && !this.#known.has(key)
      ? bytes
      : new Uint8Array(bytes);
  }

  /** Version of Zarr of an array that was opened. */
  versionOf(path: string): 2 | 3 {
    return this.#known.get(`${path.replace(/\/$/, '')}/zarr.json`) ? 3 : 2;
  }
}

/** Windows has no such flag. */
const READ_WITHOUT_WAITING = constants.O_RDONLY | (constants.O_NONBLOCK ?? 0);

/** A store whose keys are files below a folder. */
class FolderStore implements Store {
  readonly #folder: string;

  constructor(folder: string) {
    this.#folder = folder;
  }

  async get(key: string, options: { signal?: AbortSignal } = {}): Promise<Uint8Array | undefined> {
    const handle = await this.#open(key);
    if (!handle) return undefined;
    try {
      return await handle.readFile(options.signal ? { signal: options.signal } : {});
    } finally {
      await handle.close();
    }
  }

  async getRange(key: string, range: ByteRange): Promise<Uint8Array | undefined> {
    const handle = await this.#open(key);
    if (!handle) return undefined;
    try {
      const { size } = await handle.stat();
      const begin = 'offset' in range ? range.offset : Math.max(0, size - range.suffixLength);
      const length = Math.min('offset' in range ? range.length : range.suffixLength, size - begin);
      // A damaged index has offsets outside the file.
      if (!(length > 0)) throw new Error(`${key} has ${size} bytes, and byte ${begin} is needed`);
      const { buffer, bytesRead } = await handle.read(new Uint8Array(length), 0, length, begin);
      return buffer.subarray(0, bytesRead);
    } finally {
      await handle.close();
    }
  }

  /** The file of a key; undefined if there is none. A named pipe is not waited for, and a device, which may never end, is refused. */
  async #open(key: string): Promise<FileHandle | undefined> {
    const handle = await open(this.#path(key), READ_WITHOUT_WAITING).catch(ifMissing);
    if (!handle) return undefined;
    const info = await handle.stat();
    if (info.isFile()) return handle;
    await handle.close();
    if (info.isDirectory()) return undefined;
    throw new Error(`${key} is not a regular file`);
  }

  #path(key: string): string {
    const parts = key.split('/').filter((part) => part !== '' && part !== '.');
    if (parts.includes('..')) throw new Error(`the key ${key} lies outside the folder`);
    return join(this.#folder, ...parts);
  }
}

/** A missing key is not an error: the chunk consists of the fill value. */
function ifMissing(error: NodeJS.ErrnoException): undefined {
  if (error.code === 'ENOENT' || error.code === 'ENOTDIR' || error.code === 'EISDIR') return undefined;
  throw error;
}

/** The message of an error of zarrita, with that of its cause. */
export function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const { cause, message } = error;
  return cause instanceof Error && cause.message !== '' ? `${message}: ${cause.message}` : message;
}
