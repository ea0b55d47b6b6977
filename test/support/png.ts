import { crc32 } from '../../lib/weights/crc32.js';

const chunk = (name: string, data: Uint8Array): Buffer => {
  const body = Buffer.concat([Buffer.from(name, 'latin1'), data]);
  const length = Buffer.alloc(4);
  length.writeUInt32BE(data.length);
  const check = Buffer.alloc(4);
  check.writeUInt32BE(crc32(body));
  return Buffer.concat([length, body, check]);
};

/** Signature and IHDR, after which other chunks may follow. */
const HEADER = 33;

/** A PNG with another chunk before its palette and pixels. */
export const withChunk = (png: Buffer, name: string, data: Uint8Array): Buffer =>
  Buffer.concat([png.subarray(0, HEADER), chunk(name, data), png.subarray(HEADER)]);

/** An animated PNG of two frames, of which the first is the image itself. */
export function animated(png: Buffer): Buffer {
  const control = Buffer.alloc(8);
  control.writeUInt32BE(2);
  return withChunk(png, 'acTL', control);
}
