import { deflateSync } from 'node:zlib';

export interface TiffOptions {
  width: number;
  height: number;
  /** 1 unsigned, 2 signed, 3 float. */
  format?: 1 | 2 | 3;
  bits: number;
  bigEndian?: boolean;
  deflate?: boolean;
  photometric?: number;
  /** Number of pages with the same pixels. */
  pages?: number;
  samples?: number;
  compression?: number;
  description?: string;
}

/** A TIFF with one strip per page and values in the given format. */
export function tiff(values: readonly (number | bigint)[], options: TiffOptions): Buffer {
  const {
    width,
    height,
    format = 1,
    bits,
    bigEndian = false,
    deflate = false,
    pages = 1,
    samples = 1,
  } = options;
  const step = bits / 8;
  const pixels = Buffer.alloc(values.length * step);
  const view = new DataView(pixels.buffer, pixels.byteOffset);
  for (const [i, value] of values.entries()) {
    const at = i * step;
    if (format === 3) {
      if (bits === 16) view.setUint16(at, halfOf(Number(value)), !bigEndian);
      else if (bits === 32) view.setFloat32(at, Number(value), !bigEndian);
      else view.setFloat64(at, Number(value), !bigEndian);
    } else if (bits === 8) view.setUint8(at, Number(value) & 0xff);
    else if (bits === 16) view.setUint16(at, Number(value) & 0xffff, !bigEndian);
    else if (bits === 32) view.setUint32(at, Number(BigInt.asUintN(32, BigInt(value))), !bigEndian);
    else view.setBigUint64(at, BigInt.asUintN(64, BigInt(value)), !bigEndian);
  }
  const strip = deflate ? deflateSync(pixels) : pixels;
  const text = Buffer.from(`${options.description ?? ''}\0`);
  const tags: [number, number, number, number][] = [
    [256, 4, 1, width],
    [257, 4, 1, height],
    [258, 3, 1, bits],
    [259, 3, 1, options.compression ?? (deflate ? 8 : 1)],
    [262, 3, 1, options.photometric ?? 1],
    ...(options.description === undefined
      ? []
      : [[270, 2, text.length, 8 + strip.length] as [number, number, number, number]]),
    [273, 4, 1, 8],
    [277, 3, 1, samples],
    [278, 4, 1, height],
    [279, 4, 1, strip.length],
    [339, 3, 1, format],
  ];
  const start = 8 + strip.length + text.length + ((strip.length + text.length) % 2);
  const size = 2 + tags.length * 12 + 4;
  const file = Buffer.alloc(start + pages * size);
  strip.copy(file, 8);
  text.copy(file, 8 + strip.length);
  const head = new DataView(file.buffer, file.byteOffset);
  head.setUint16(0, bigEndian ? 0x4d4d : 0x4949);
  head.setUint16(2, 42, !bigEndian);
  head.setUint32(4, start, !bigEndian);
  for (let page = 0; page < pages; page++) {
    let at = start + page * size;
    head.setUint16(at, tags.length, !bigEndian);
    at += 2;
    for (const [tag, type, count, value] of tags) {
      head.setUint16(at, tag, !bigEndian);
      head.setUint16(at + 2, type, !bigEndian);
      head.setUint32(at + 4, count, !bigEndian);
      if (type === 3) head.setUint16(at + 8, value, !bigEndian);
      else head.setUint32(at + 8, value, !bigEndian);
      at += 12;
    }
    head.setUint32(at, page + 1 < pages ? start + (page + 1) * size : 0, !bigEndian);
  }
  return file;
}

/** The 16 bits of a float whose value is 0 or an integer up to 2048. */
function halfOf(value: number): number {
  if (value === 0) return 0;
  const exponent = Math.floor(Math.log2(value));
  return ((exponent + 15) << 10) | ((value / 2 ** exponent - 1) * 1024);
}
