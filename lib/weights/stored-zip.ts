import { crc32 } from './crc32.js';

const LOCAL_SIGNATURE = 0x04034b50;
const CENTRAL_SIGNATURE = 0x02014b50;
const END_SIGNATURE = 0x06054b50;
const LOCAL_BYTES = 30;
const VERSION = 20;
const UTF8_NAMES = 0x0800;
/** 1980-01-01: the same tensors make the same file whenever they are written. */
const DATE = 0x0021;
/** A field of an entry's header that holds nothing but its length; the name is PyTorch's. */
const PADDING_FIELD = 'FB';
const ALIGNMENT = 64;

/** Beyond these a zip archive needs the 64-bit fields, which are not written here. */
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
 * The parts of a zip archive of stored entries whose data start at multiples of 64 bytes, as PyTorch's do, so that
 * `torch.load(mmap=True)` gets aligned tensors. (General zip writers have no way to ask for that.)
 */
export async function* storedZip(contents: AsyncIterable<ZipContent>): AsyncGenerator<Uint8Array> {
  const written: Entry[] = [];
  let position = 0;
  for await (const { name, bytes } of contents) {
    const entry = { name: Buffer.from(name), offset: position, size: bytes.byteLength, crc: crc32(bytes) };
    const header = localHeader(entry);
    written.push(entry);
    yield header;
    yield bytes;
    position += header.byteLength + bytes.byteLength;
  }
  const directory = Buffer.concat(written.map(centralHeader));
  yield directory;
  yield endOfDirectory(written.length, directory.length, position);
}

/** The fields both headers of an entry share, from the version needed to the length of the extra field. */
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

function localHeader(entry: Entry): Buffer {
  const field = LOCAL_BYTES + entry.name.length;
  const unpadded = entry.offset + field + 4;
  const padding = (ALIGNMENT - (unpadded % ALIGNMENT)) % ALIGNMENT;
  const header = Buffer.alloc(field + 4 + padding);
  header.writeUInt32LE(LOCAL_SIGNATURE, 0);
  sharedFields(entry, 4 + padding).copy(header, 4);
  entry.name.copy(header, LOCAL_BYTES);
  header.write(PADDING_FIELD, field);
  header.writeUInt16LE(padding, field + 2);
  return header;
}

function centralHeader(entry: Entry): Buffer {
  const header = Buffer.alloc(46 + entry.name.length);
  header.writeUInt32LE(CENTRAL_SIGNATURE, 0);
  header.writeUInt16LE(VERSION, 4);
  sharedFields(entry, 0).copy(header, 6);
  header.writeUInt32LE(entry.offset, 42);
  entry.name.copy(header, 46);
  return header;
}

function endOfDirectory(entries: number, size: number, offset: number): Buffer {
  const end = Buffer.alloc(22);
  end.writeUInt32LE(END_SIGNATURE, 0);
  end.writeUInt16LE(entries, 8);
  end.writeUInt16LE(entries, 10);
  end.writeUInt32LE(size, 12);
  end.writeUInt32LE(offset, 16);
  return end;
}
