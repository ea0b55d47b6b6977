import { deflateSync } from 'node:zlib';

type Values = Uint8Array | Uint16Array | Float32Array | Int16Array | Uint32Array | Float64Array;

/** A page: interleaved samples, rows from the top. */
export interface TestPage {
  width: number;
  height: number;
  /** Interleaved samples, or raw bytes of the file, depending on `bits`. */
  values: Values;
  samples?: number;
  bits?: number;
  /** SampleFormat: 1 unsigned, 2 signed, 3 float. */
  format?: number;
  photometric?: number;
  extraSamples?: readonly number[];
  /** Whether samples are planar instead of interleaved. */
  planar?: boolean;
  rowsPerStrip?: number;
  tile?: number;
  deflate?: boolean;
  description?: string;
  orientation?: number;
  subfileType?: number;
  /** Additional or overriding tags. */
  tags?: Readonly<Record<number, readonly number[]>>;
  /** Further tags, as text. */
  texts?: Readonly<Record<number, string>>;
  /** Further tags, as fractions. */
  ratios?: Readonly<Record<number, number>>;
  /** Pixels after the last strip, for a stack in one directory. */
  behind?: Values;
}

interface Entry {
  tag: number;
  type: number;
  count: number;
  data: Buffer;
}

/** Writes a TIFF with these pages and any of the four kinds of headers. */
export function writeTiff(
  pages: readonly TestPage[],
  { big = false, bigEndian = false }: { big?: boolean; bigEndian?: boolean } = {},
): Buffer {
  const put = (bytes: number, value: number): Buffer => {
    const buffer = Buffer.alloc(bytes);
    if (bytes === 8)
      bigEndian ? buffer.writeBigUInt64BE(BigInt(value)) : buffer.writeBigUInt64LE(BigInt(value));
    else bigEndian ? buffer.writeUIntBE(value, 0, bytes) : buffer.writeUIntLE(value, 0, bytes);
    return buffer;
  };
  const pointer = big ? 8 : 4;
  const head = Buffer.concat([
    Buffer.from(bigEndian ? 'MM' : 'II'),
    put(2, big ? 43 : 42),
    ...(big ? [put(2, 8), put(2, 0)] : []),
  ]);
  const parts: Buffer[] = [head, Buffer.alloc(pointer)];
  let length = head.length + pointer;
  let linkAt = head.length;
  const add = (data: Buffer): number => {
    const padded = Buffer.concat([data, Buffer.alloc((8 - ((length + data.length) % 8)) % 8)]);
    const at = length;
    parts.push(padded);
    length += padded.length;
    return at;
  };
  const links: [number, number][] = [];
  for (const page of pages) {
    const { samples = 1, planar = false, tile } = page;
    const bits = page.bits ?? page.values.BYTES_PER_ELEMENT * 8;
    const blocks = blocksOf(page).map((values) => {
      const bytes = bytesOf(values, bigEndian);
      return page.deflate ? deflateSync(bytes) : bytes;
    });
    // Contiguous, as stacks in one directory need.
    const first = add(Buffer.concat([...blocks, ...(page.behind ? [bytesOf(page.behind, bigEndian)] : [])]));
    let at = first;
    const offsets = blocks.map((block) => {
      at += block.length;
      return at - block.length;
    });
    const entries: Entry[] = [];
    const tag = (number: number, values: readonly number[], type = 4) => {
      const bytes = type === 3 ? 2 : type === 16 ? 8 : 4;
      entries.push({
        tag: number,
        type,
        count: values.length,
        data: Buffer.concat(values.map((value) => put(bytes, value))),
      });
    };
    if (page.subfileType !== undefined) tag(254, [page.subfileType]);
    tag(256, [page.width]);
    tag(257, [page.height]);
    tag(258, new Array<number>(samples).fill(bits), 3);
    tag(259, [page.deflate ? 8 : 1], 3);
    tag(262, [page.photometric ?? 1], 3);
    if (page.description !== undefined) {
      const data = Buffer.from(`${page.description}\0`);
      entries.push({ tag: 270, type: 2, count: data.length, data });
    }
    if (page.orientation !== undefined) tag(274, [page.orientation], 3);
    tag(277, [samples], 3);
    tag(284, [planar ? 2 : 1], 3);
    if (tile) {
      tag(322, [tile]);
      tag(323, [tile]);
      tag(324, offsets, big ? 16 : 4);
      tag(
        325,
        blocks.map((block) => block.length),
      );
    } else {
      tag(273, offsets, big ? 16 : 4);
      tag(278, [page.rowsPerStrip ?? page.height]);
      tag(
        279,
        blocks.map((block) => block.length),
      );
    }
    if (page.extraSamples) tag(338, page.extraSamples, 3);
    if (page.format !== undefined) tag(339, new Array<number>(samples).fill(page.format), 3);
    for (const [number, values] of Object.entries(page.tags ?? {})) {
      const at = entries.findIndex((entry) => entry.tag === Number(number));
      if (at >= 0) entries.splice(at, 1);
      tag(Number(number), values, Math.max(...values) > 0xffff ? 4 : 3);
    }
    for (const [number, value] of Object.entries(page.ratios ?? {})) {
      const data = Buffer.concat([put(4, Math.round(value * 10_000)), put(4, 10_000)]);
      entries.push({ tag: Number(number), type: 5, count: 1, data });
    }
    for (const [number, text] of Object.entries(page.texts ?? {})) {
      const data = Buffer.from(text);
      entries.push({ tag: Number(number), type: 1, count: data.length, data });
    }
    entries.sort((a, b) => a.tag - b.tag);
    const written = entries.map(({ tag: number, type, count, data }) =>
      Buffer.concat([
        put(2, number),
        put(2, type),
        put(pointer, count),
        data.length <= pointer
          ? Buffer.concat([data, Buffer.alloc(pointer - data.length)])
          : put(pointer, add(data)),
      ]),
    );
    const directory = add(
      Buffer.concat([put(big ? 8 : 2, written.length), ...written, Buffer.alloc(pointer)]),
    );
    links.push([linkAt, directory]);
    linkAt = directory + (big ? 8 : 2) + written.length * (big ? 20 : 12);
  }
  const file = Buffer.concat(parts);
  for (const [at, to] of links) put(pointer, to).copy(file, at);
  return file;
}

/** Strips or tiles, per sample if the samples are planar. */
function blocksOf(page: TestPage): Values[] {
  const { width, height, values, samples = 1, planar = false, tile, rowsPerStrip = height } = page;
  if (page.bits !== undefined && page.bits % 8 !== 0) return [values];
  const planes = planar
    ? Array.from({ length: samples }, (_, s) => [s])
    : [Array.from({ length: samples }, (_, s) => s)];
  const blocks: Values[] = [];
  for (const plane of planes) {
    const [across, down] = tile ? [tile, tile] : [width, rowsPerStrip];
    for (let top = 0; top < height; top += down) {
      for (let left = 0; left < width; left += across) {
        const rows = tile ?? Math.min(down, height - top);
        const block = new (values.constructor as new (length: number) => Values)(
          across * rows * plane.length,
        );
        for (let y = 0; y < rows && top + y < height; y++) {
          for (let x = 0; x < across && left + x < width; x++) {
            plane.forEach((sample, i) => {
              block[(y * across + x) * plane.length + i] =
                values[((top + y) * width + left + x) * samples + sample]!;
            });
          }
        }
        blocks.push(block);
      }
    }
  }
  return blocks;
}

function bytesOf(values: Values, bigEndian: boolean): Buffer {
  const bytes = Buffer.from(
    values.buffer.slice(values.byteOffset, values.byteOffset + values.byteLength) as ArrayBuffer,
  );
  if (!bigEndian || values.BYTES_PER_ELEMENT === 1) return bytes;
  if (values.BYTES_PER_ELEMENT === 2) return bytes.swap16();
  return values.BYTES_PER_ELEMENT === 4 ? bytes.swap32() : bytes.swap64();
}
