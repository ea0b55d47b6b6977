/** A TIFF's directories as numbers and bytes. Every read is inside the file: otherwise {@link DamagedTiff} is thrown. */
import { copyInParts } from '../../in-parts.js';

export const TAG = {
  newSubfileType: 254,
  subfileType: 255,
  width: 256,
  height: 257,
  bitsPerSample: 258,
  compression: 259,
  photometric: 262,
  fillOrder: 266,
  description: 270,
  stripOffsets: 273,
  orientation: 274,
  samplesPerPixel: 277,
  rowsPerStrip: 278,
  stripByteCounts: 279,
  planar: 284,
  t4Options: 292,
  t6Options: 293,
  predictor: 317,
  colorMap: 320,
  tileWidth: 322,
  tileHeight: 323,
  tileOffsets: 324,
  tileByteCounts: 325,
  subIfds: 330,
  inkSet: 332,
  extraSamples: 338,
  sampleFormat: 339,
  jpegTables: 347,
  ycbcrCoefficients: 529,
  ycbcrSubsampling: 530,
  ycbcrPositioning: 531,
  referenceBlackWhite: 532,
  /** XMP, and in slides of Ventana other XML. */
  xmp: 700,
  /** MetaMorph's stack: one value per plane. */
  uic2: 33629,
  /** Written only by Hamamatsu's scanners. */
  ndpi: 65420,
} as const;

/** Tags that no pixel depends on. Damage to them is ignored. */
export const RESOLUTION_TAG = { x: 282, y: 283, unit: 296 } as const;

/** Bytes per value by number of the type; 0 for unknown types. */
const typeBytes: readonly number[] = [0, 1, 1, 2, 4, 8, 1, 1, 2, 4, 8, 4, 8, 4, 0, 0, 8, 8, 8];
const SHORT = 3;
const LONG = 4;
const RATIONAL = 5;
const LONG8 = 16;

/** Maximum number of directories; real stacks have fewer. */
const MAX_DIRECTORIES = 1_000_000;

export interface TiffEntry {
  type: number;
  count: number;
  /** Position of its values in the file. */
  at: number;
}

/** The reason why a TIFF cannot be read: it contradicts itself, or ends early. */
export class DamagedTiff extends Error {
  override readonly name = 'DamagedTiff';
}

export const ENDS_EARLY = 'it ends early, or a directory lies outside the file';

export type TiffDirectory = ReadonlyMap<number, TiffEntry>;

/** An entry of a new directory: numbers, or the unchanged bytes of another entry. */
export type NewEntry = { tag: number; values: readonly number[] } | { tag: number; from: TiffEntry };

/** A directory, and the place of the next one. */
export interface ReadDirectory {
  directory: TiffDirectory;
  next: number;
}

/** Texts of entries, some of which are needed once per directory, and have megabytes. */
const texts = new WeakMap<TiffEntry, string>();

/** A file's bytes by their place: a Uint8Array, or a file of which only the parts that are needed are read. */
export interface ByteSource {
  readonly byteLength: number;
  /** The bytes `begin` to `end`, which lie inside the file. */
  subarray(begin: number, end: number): Uint8Array;
  /** Keeps directories by their place, for a source whose file is parsed again after each part that is read. */
  readonly directories?: Map<number, ReadDirectory>;
}

export class TiffFile {
  readonly bytes: ByteSource;
  readonly directories: readonly TiffDirectory[];
  readonly #little: boolean;
  readonly #big: boolean;

  /** @throws {DamagedTiff} if a directory is outside the file, or the directories form a loop. */
  constructor(bytes: ByteSource, maxDirectories = MAX_DIRECTORIES) {
    this.bytes = bytes;
    this.#little = this.#view(0, 1).getUint8(0) === 0x49;
    this.#big = this.#uint16(2) === 43;
    const directories: TiffDirectory[] = [];
    const seen = new Set<number>();
    let at = this.#pointer(this.#headerPointer);
    while (at !== 0) {
      if (seen.has(at)) throw new DamagedTiff('its directories form a loop');
      if (seen.size === maxDirectories) throw new DamagedTiff('it has too many directories');
      seen.add(at);
      const { directory, next } = this.#readDirectory(at);
      directories.push(directory);
      at = next;
    }
    if (directories.length === 0) throw new DamagedTiff('it has no directory');
    this.directories = directories;
  }

  /** Integers of an entry; undefined if it is missing. */
  numbers(directory: TiffDirectory, tag: number): number[] | undefined {
    const entry = directory.get(tag);
    if (!entry) return undefined;
    const { type, count, at } = entry;
    const step = typeBytes[type]!;
    const view = this.#view(at, count * step);
    return Array.from({ length: count }, (_, i) => this.#number(view, type, i * step));
  }

  number(directory: TiffDirectory, tag: number): number | undefined {
    const entry = directory.get(tag);
    if (!entry || entry.count === 0) return undefined;
    return this.#number(this.#view(entry.at, typeBytes[entry.type]!), entry.type, 0);
  }

  /** The directory at a place in the file: a smaller image that SubIFDs names. */
  directoryAt(at: number): TiffDirectory {
    return this.#readDirectory(at).directory;
  }

  /** An entry's first value; undefined where it is missing or another type. */
  short(directory: TiffDirectory, tag: number): number | undefined {
    return directory.get(tag)?.type === SHORT ? this.number(directory, tag) : undefined;
  }

  /** An entry's fraction, as a number; undefined where it is missing or another type. */
  ratio(directory: TiffDirectory, tag: number): number | undefined {
    const entry = directory.get(tag);
    if (entry?.type !== RATIONAL) return undefined;
    const view = this.#view(entry.at, 8);
    return view.getUint32(0, this.#little) / view.getUint32(4, this.#little);
  }

  /** Text of an entry up to its first NUL. */
  text(directory: TiffDirectory, tag: number): string {
    const entry = directory.get(tag);
    if (!entry || typeBytes[entry.type] !== 1) return '';
    let text = texts.get(entry);
    if (text === undefined) {
      text = new TextDecoder().decode(this.#bytesOf(entry)).replace(/\0[\s\S]*$/, '');
      texts.set(entry, text);
    }
    return text;
  }

  /** Returns a file with these bytes and a single new directory, which describes some of their pixels. */
  async withDirectory(entries: readonly NewEntry[]): Promise<Uint8Array> {
    const sorted = [...entries].sort((a, b) => a.tag - b.tag);
    const [countBytes, entryBytes, inline] = this.#big ? [8, 20, 8] : [2, 12, 4];
    const encoded = sorted.map((entry) => this.#encode(entry));
    const start = Math.ceil(this.bytes.byteLength / 8) * 8;
    const directoryBytes = countBytes + sorted.length * entryBytes + inline;
    const extra = encoded.map(({ data }) =>
      data.byteLength > inline ? Math.ceil(data.byteLength / 8) * 8 : 0,
    );
    const total = start + extra.reduce((sum, length) => sum + length, 0) + directoryBytes;
    if (!this.#big && total > 0xffffffff) throw new DamagedTiff('it has more than 4 GiB');
    const file = new Uint8Array(total);
    await copyInParts(this.bytes.subarray(0, this.bytes.byteLength), file);
    const view = new DataView(file.buffer);
    let dataAt = start;
    const directoryAt = total - directoryBytes;
    this.#setCount(view, directoryAt, sorted.length);
    for (const [i, { type, count, data }] of encoded.entries()) {
      const at = directoryAt + countBytes + i * entryBytes;
      view.setUint16(at, sorted[i]!.tag, this.#little);
      view.setUint16(at + 2, type, this.#little);
      this.#setPointer(view, at + 4, count);
      const valueAt = at + entryBytes - inline;
      if (data.byteLength <= inline) file.set(data, valueAt);
      else {
        file.set(data, dataAt);
        this.#setPointer(view, valueAt, dataAt);
        dataAt += extra[i]!;
      }
    }
    this.#setPointer(view, this.#headerPointer, directoryAt);
    return file;
  }

  get #headerPointer(): number {
    return this.#big ? 8 : 4;
  }

  #readDirectory(start: number): ReadDirectory {
    const known = this.bytes.directories?.get(start);
    if (known) return known;
    const [countBytes, entryBytes, inline] = this.#big ? [8, 20, 8] : [2, 12, 4];
    const count = this.#big
      ? Number(this.#view(start, 8).getBigUint64(0, this.#little))
      : this.#uint16(start);
    const directory = new Map<number, TiffEntry>();
    const begin = start + countBytes;
    // Past the end of the file the view throws.
    const view = this.#view(begin, count * entryBytes + inline);
    const pointer = (at: number) =>
      this.#big ? Number(view.getBigUint64(at, this.#little)) : view.getUint32(at, this.#little);
    for (let i = 0, at = 0; i < count; i++, at += entryBytes) {
      const tag = view.getUint16(at, this.#little);
      const type = view.getUint16(at + 2, this.#little);
      const values = pointer(at + 4);
      const bytes = values * (typeBytes[type] ?? 0);
      if (bytes === 0 || directory.has(tag)) continue;
      const valueAt = at + entryBytes - inline;
      const dataAt = bytes <= inline ? begin + valueAt : pointer(valueAt);
      // Errors in unused tags are ignored.
      if (dataAt + bytes <= this.bytes.byteLength) directory.set(tag, { type, count: values, at: dataAt });
      else if (neededTags.has(tag)) throw new DamagedTiff(`its tag ${tag} lies outside the file`);
    }
    const read = { directory, next: pointer(count * entryBytes) };
    this.bytes.directories?.set(start, read);
    return read;
  }

  #bytesOf({ type, count, at }: TiffEntry): Uint8Array {
    return this.bytes.subarray(at, at + count * typeBytes[type]!);
  }

  #number(view: DataView, type: number, at: number): number {
    switch (type) {
      case 1:
      case 7:
        return view.getUint8(at);
      case SHORT:
        return view.getUint16(at, this.#little);
      case LONG:
      case 13:
        return view.getUint32(at, this.#little);
      case 6:
        return view.getInt8(at);
      case 8:
        return view.getInt16(at, this.#little);
      case 9:
        return view.getInt32(at, this.#little);
      case LONG8:
      case 17:
      case 18:
        return Number(view.getBigUint64(at, this.#little));
      default:
        throw new DamagedTiff('a tag that must be a whole number is not');
    }
  }

  #encode(entry: NewEntry): { type: number; count: number; data: Uint8Array } {
    if ('from' in entry) {
      const { type, count } = entry.from;
      return { type, count, data: this.#bytesOf(entry.from) };
    }
    const { values } = entry;
    const largest = values.reduce((max, value) => Math.max(max, value), 0);
    const type = largest <= 0xffff ? SHORT : largest <= 0xffffffff ? LONG : LONG8;
    const step = typeBytes[type]!;
    const data = new Uint8Array(values.length * step);
    const view = new DataView(data.buffer);
    for (const [i, value] of values.entries()) {
      if (type === SHORT) view.setUint16(i * step, value, this.#little);
      else if (type === LONG) view.setUint32(i * step, value, this.#little);
      else view.setBigUint64(i * step, BigInt(value), this.#little);
    }
    return { type, count: values.length, data };
  }

  #pointer(at: number): number {
    return this.#big
      ? Number(this.#view(at, 8).getBigUint64(0, this.#little))
      : this.#view(at, 4).getUint32(0, this.#little);
  }

  #uint16(at: number): number {
    return this.#view(at, 2).getUint16(0, this.#little);
  }

  #view(at: number, length: number): DataView {
    if (!(at + length <= this.bytes.byteLength)) throw new DamagedTiff(ENDS_EARLY);
    const part = this.bytes.subarray(at, at + length);
    return new DataView(part.buffer, part.byteOffset, length);
  }

  #setPointer(view: DataView, at: number, value: number): void {
    if (this.#big) view.setBigUint64(at, BigInt(value), this.#little);
    else view.setUint32(at, value, this.#little);
  }

  #setCount(view: DataView, at: number, value: number): void {
    if (this.#big) view.setBigUint64(at, BigInt(value), this.#little);
    else view.setUint16(at, value, this.#little);
  }
}

const neededTags: ReadonlySet<number> = new Set(Object.values(TAG));
