import { crc32 } from './crc32.js';

const LOCAL_SIGNATURE = 0x04034b50;
const CENTRAL_SIGNATURE = 0x02014b50;
const END_SIGNATURE = 0x06054b50;
const END64_SIGNATURE = 0x06064b50;
const LOCATOR64_SIGNATURE = 0x07064b50;
const LOCAL_BYTES = 30;
const VERSION = 20;
/** The first version of the format with 64-bit fields. */
const VERSION64 = 45;
const UTF8_NAMES = 0x0800;
/** 1980-01-01, a constant, so that equal contents give equal files. */
const DATE = 0x0021;
/** ID of the header field that contains only padding; the same as PyTorch's. */
const PADDING_FIELD = 'FB';
const FIELD64 = 0x0001;

/** Beyond these a zip archive needs 64-bit fields. */
export const MAX_ARCHIVE_BYTES = 0xffffffff;
export const MAX_ARCHIVE_ENTRIES = 0xfffe;

export interface ZipContent {
  name: string;
  bytes: Uint8Array;
}

interface Entry {
  name: Buffer;
  offset: number;
  size: number;
  crc: number;
}

/**
 * Yields the parts of a zip archive of uncompressed entries. Sizes and checksums precede the data, because Java's
 * reader refuses uncompressed entries with trailing sizes. Large archives have 64-bit fields (zip64).
 *
 * @param alignment the data of each entry starts at a multiple of this number of bytes. It is 64 in PyTorch's files, so
 *   that `torch.load(mmap=True)` gets aligned tensors. General zip libraries do not support alignment.
 */
export async function* storedZip(
  contents: AsyncIterable<ZipContent>,
  { alignment = 1 }: { alignment?: number } = {},
): AsyncGenerator<Uint8Array> {
  const written: Entry[] = [];
  let position = 0;
  for await (const { name, bytes } of contents) {
    const entry = { name: Buffer.from(name), offset: position, size: bytes.byteLength, crc: crc32(bytes) };
    const header = localHeader(entry, alignment);
    written.push(entry);
    yield header;
    yield bytes;
    position += header.byteLength + bytes.byteLength;
  }
  let size = 0;
  for (let first = 0; first < written.length; first += BLOCK) {
    const part = Buffer.concat(written.slice(first, first + BLOCK).map(centralHeader));
    size += part.length;
    yield part;
  }
  yield endOfDirectory(written.length, size, position);
}

/** Directory headers per yielded part. */
const BLOCK = 1024;

/** Fields that both headers of an entry have, from the required version to the length of the extra field. */
function sharedFields({ name, size, crc }: Entry, extra: number): Buffer {
  const fields = Buffer.alloc(26);
  fields.writeUInt16LE(VERSION, 0);
  fields.writeUInt16LE(UTF8_NAMES, 2);
  fields.writeUInt16LE(DATE, 8);
  fields.writeUInt32LE(crc, 10);
  fields.writeUInt32LE(size, 14);
  fields.writeUInt32LE(size, 18);
  fields.writeUInt16LE(name.length, 22);
  fields.writeUInt16LE(extra, 24);
  return fields;
}

function localHeader(entry: Entry, alignment: number): Buffer {
  if (alignment === 1) return Buffer.concat([signature(LOCAL_SIGNATURE), sharedFields(entry, 0), entry.name]);
  const field = LOCAL_BYTES + entry.name.length;
  const unpadded = entry.offset + field + 4;
  const padding = (alignment - (unpadded % alignment)) % alignment;
  const header = Buffer.alloc(field + 4 + padding);
  header.writeUInt32LE(LOCAL_SIGNATURE, 0);
  sharedFields(entry, 4 + padding).copy(header, 4);
  entry.name.copy(header, LOCAL_BYTES);
  header.write(PADDING_FIELD, field);
  header.writeUInt16LE(padding, field + 2);
  return header;
}

function centralHeader(entry: Entry): Buffer {
  const isFar = entry.offset >= MAX_ARCHIVE_BYTES;
  const field = 46 + entry.name.length;
  const header = Buffer.alloc(field + (isFar ? 12 : 0));
  header.writeUInt32LE(CENTRAL_SIGNATURE, 0);
  header.writeUInt16LE(isFar ? VERSION64 : VERSION, 4);
  sharedFields(entry, isFar ? 12 : 0).copy(header, 6);
  header.writeUInt32LE(isFar ? MAX_ARCHIVE_BYTES : entry.offset, 42);
  entry.name.copy(header, 46);
  if (isFar) {
    header.writeUInt16LE(FIELD64, field);
    header.writeUInt16LE(8, field + 2);
    header.writeBigUInt64LE(BigInt(entry.offset), field + 4);
  }
  return header;
}

function endOfDirectory(entries: number, size: number, offset: number): Buffer {
  const isLarge = entries > MAX_ARCHIVE_ENTRIES || offset + size >= MAX_ARCHIVE_BYTES;
  const end = Buffer.alloc(22);
  end.writeUInt32LE(END_SIGNATURE, 0);
  end.writeUInt16LE(isLarge ? 0xffff : entries, 8);
  end.writeUInt16LE(isLarge ? 0xffff : entries, 10);
  end.writeUInt32LE(isLarge ? MAX_ARCHIVE_BYTES : size, 12);
  end.writeUInt32LE(isLarge ? MAX_ARCHIVE_BYTES : offset, 16);
  return isLarge ? Buffer.concat([endOfDirectory64(entries, size, offset), end]) : end;
}

/** End record with 64-bit fields, and its locator. */
function endOfDirectory64(entries: number, size: number, offset: number): Buffer {
  const end = Buffer.alloc(76);
  end.writeUInt32LE(END64_SIGNATURE, 0);
  // Size of the rest of this record.
  end.writeBigUInt64LE(44n, 4);
  end.writeUInt16LE(VERSION64, 12);
  end.writeUInt16LE(VERSION64, 14);
  end.writeBigUInt64LE(BigInt(entries), 24);
  end.writeBigUInt64LE(BigInt(entries), 32);
  end.writeBigUInt64LE(BigInt(size), 40);
  end.writeBigUInt64LE(BigInt(offset), 48);
  end.writeUInt32LE(LOCATOR64_SIGNATURE, 56);
  end.writeBigUInt64LE(BigInt(offset + size), 64);
  end.writeUInt32LE(1, 72);
  return end;
}

function signature(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(value);
  return bytes;
}
