import {
  type Entry,
  fromRandomAccessReaderPromise,
  RandomAccessReader,
  validateFileName,
  type ZipFile,
} from 'yauzl';
import { CellrouteError } from '../errors.js';
import type { BoundedFile } from './bounded-file.js';
import { crc32 } from './crc32.js';
import { damaged, refused } from './errors.js';

/** Maximum number of entries. PyTorch writes one per storage; the largest networks have about 10,000. */
const MAX_ENTRIES = 200_000;
const BLOCK_BYTES = 1 << 14;
const STORED = 0;
const ENCRYPTED = 1;

/** A stored (uncompressed) zip entry and the range of its bytes. */
export interface ZipRecord {
  name: string;
  start: number;
  end: number;
}

/**
 * Input of yauzl, which reads a zip directory a few bytes at a time. The bytes come from a block that was read once. A range
 * outside the file gives an error event instead of an exception.
 */
class Reader extends RandomAccessReader {
  private block: Buffer = Buffer.alloc(0);
  private blockStart = 0;

  constructor(private readonly file: BoundedFile) {
    super();
  }

  override read(
    target: Buffer,
    offset: number,
    length: number,
    position: number,
    callback: (error: Error | null) => void,
  ): void {
    this.fill(target.subarray(offset, offset + length), position).then(() => callback(null), callback);
  }

  private async fill(target: Buffer, position: number): Promise<void> {
    const held = this.blockStart + this.block.length;
    if (position < this.blockStart || position + target.length > held) {
      const ahead = Math.max(target.length, Math.min(BLOCK_BYTES, this.file.size - position));
      this.block = await this.file.bytes(position, ahead);
      this.blockStart = position;
    }
    this.block.copy(target, 0, position - this.blockStart);
  }
}

/** The directory of a zip archive. Entries are found by name, and only stored entries are returned. */
export class ZipRecords {
  private constructor(
    private readonly file: BoundedFile,
    private readonly zip: ZipFile,
    private readonly entries: ReadonlyMap<string, Entry>,
  ) {}

  static async open(file: BoundedFile): Promise<ZipRecords> {
    const entries = new Map<string, Entry>();
    try {
      const zip = await fromRandomAccessReaderPromise(new Reader(file), file.size, {
        decodeStrings: false,
        autoClose: false,
      });
      if (zip.entryCount > MAX_ENTRIES)
        throw damaged({ file: file.path }, `the zip archive has ${zip.entryCount} entries`);
      for await (const entry of zip.eachEntry()) {
        const name = entryName(entry, file.path);
        if (entries.has(name)) {
          throw damaged(
            { file: file.path, position: entry.relativeOffsetOfLocalHeader },
            `two entries have the name ${name}`,
          );
        }
        entries.set(name, entry);
      }
      return new ZipRecords(file, zip, entries);
    } catch (error) {
      throw asDamage(error, file.path);
    }
  }

  /** Names in the order of the archive. */
  names(): Iterable<string> {
    return this.entries.keys();
  }

  /** Range of an entry's bytes; undefined if there is no such entry. */
  async find(name: string): Promise<ZipRecord | undefined> {
    const entry = this.entries.get(name);
    if (!entry) return undefined;
    const where = { file: this.file.path, position: entry.relativeOffsetOfLocalHeader };
    if (entry.compressionMethod !== STORED || entry.generalPurposeBitFlag & ENCRYPTED) {
      throw refused(where, `${name} is compressed or encrypted; PyTorch writes uncompressed entries`);
    }
    try {
      const { fileDataStart } = await this.zip.readLocalFileHeaderPromise(entry, { minimal: true });
      return { name, start: fileDataStart, end: fileDataStart + entry.compressedSize };
    } catch (error) {
      throw asDamage(error, this.file.path, where.position);
    }
  }

  /** Reads a small entry and verifies its checksum. */
  async read({ name, start, end }: ZipRecord, limit: number): Promise<Buffer> {
    const where = { file: this.file.path, position: start };
    if (end - start > limit)
      throw refused(where, `${name} has ${end - start} bytes; at most ${limit} are allowed`);
    const bytes = await this.file.bytes(start, end - start);
    if (crc32(bytes) !== this.entries.get(name)?.crc32)
      throw damaged(where, `${name} does not match its checksum`);
    return bytes;
  }
}

function entryName(entry: Entry, file: string): string {
  const name = entry.fileNameRaw.toString('utf8');
  const bad = validateFileName(name);
  if (bad) throw refused({ file, position: entry.relativeOffsetOfLocalHeader }, `a zip entry has an ${bad}`);
  return name;
}

function asDamage(error: unknown, file: string, position?: number): Error {
  if (error instanceof CellrouteError) return error;
  const where = position === undefined ? { file } : { file, position };
  return damaged(where, `the zip archive is incomplete: ${(error as Error).message}`, error);
}
