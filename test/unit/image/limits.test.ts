import { crc32 } from 'node:zlib';
import sharp from 'sharp';
import { decodeImage, openImage, readImageInfo } from '../../../lib/image/decode.js';
import type { ImageLimits } from '../../../lib/image/limits.js';
import { refusal } from '../../support/refusal.js';
import { writeTiff } from '../../support/tiff.js';

const grey = (width: number, height: number) =>
  sharp(new Uint8Array(width * height), { raw: { width, height, channels: 1 } }).toColourspace('b-w');

/** A PNG whose header has another size. */
async function pngOf(width: number, height: number): Promise<Buffer> {
  const png = await grey(40, 30).png().toBuffer();
  png.writeUInt32BE(width, 16);
  png.writeUInt32BE(height, 20);
  png.writeUInt32BE(crc32(png.subarray(12, 29)), 29);
  return png;
}

/** A JPEG whose frame header has another size. */
async function jpegOf(width: number, height: number): Promise<Buffer> {
  const jpeg = await grey(40, 30).jpeg().toBuffer();
  const frame = jpeg.indexOf(Buffer.from([0xff, 0xc0]));
  jpeg.writeUInt16BE(height, frame + 5);
  jpeg.writeUInt16BE(width, frame + 7);
  return jpeg;
}

const tiffOf = (width: number, height: number) => {
  const tags = { 256: [width], 257: [height], 278: [height] };
  return writeTiff([{ width: 40, height: 30, values: new Uint8Array(1200), deflate: true, tags }]);
};

// The headers promise more pixels than the files have: decoding them would be IMAGE_UNREADABLE.
describe('limits are checked before the pixels are decoded', () => {
  test.each<[string, () => Promise<Buffer> | Buffer]>([
    ['a PNG of a long side', () => pngOf(50_000_000, 20)],
    ['a PNG of a high side', () => pngOf(20, 50_000_000)],
    ['a PNG of many pixels', () => pngOf(60_000, 60_000)],
    ['a PNG larger than its bytes justify', () => pngOf(20_000, 20_000)],
    ['a JPEG larger than its bytes justify', () => jpegOf(65_000, 15_000)],
    ['a TIFF of a long side', () => tiffOf(50_000_000, 20)],
    ['a TIFF larger than its bytes justify', () => tiffOf(31_000, 31_000)],
  ])('%s', async (_name, make) => {
    const bytes = await make();
    expect(bytes.length).toBeLessThan(2000);
    // All are observed at once: one that waits its turn would be an unhandled rejection.
    const works = [decodeImage(bytes), openImage(bytes), readImageInfo(bytes)];
    for (const error of await Promise.all(works.map(refusal))) {
      expect(error.code).toBe('IMAGE_TOO_LARGE');
      expect(error.message).toMatch(
        /^The image has .* than limits\.(side|pixels|bytes|ratio) allows \(\d+\)$/,
      );
    }
  });

  test('a JPEG in a TIFF larger than its bytes justify', async () => {
    const tiff = await grey(64, 64).tiff({ compression: 'jpeg' }).toBuffer();
    const entry = (tag: number) => {
      const at = tiff.indexOf(Buffer.from([tag & 0xff, tag >> 8]), tiff.readUInt32LE(4));
      return { at, size: tiff.readUInt16LE(at + 2) === 3 ? 2 : 4 };
    };
    for (const tag of [256, 257, 278]) {
      const { at, size } = entry(tag);
      tiff.writeUIntLE(31_000, at + 8, size);
    }
    const error = await refusal(decodeImage(tiff));
    expect(error.code).toBe('IMAGE_TOO_LARGE');
    expect(error.details).toMatchObject({ option: 'limits.ratio' });
  });

  test.each<[keyof ImageLimits, number, RegExp]>([
    ['side', 39, /40 × 30 pixels, a side longer than limits.side allows \(39\)/],
    ['pixels', 1199, /40 × 30 pixels, more than limits.pixels allows \(1199\)/],
    ['bytes', 1199, /1200 bytes of 40 × 30 pixels, more than limits.bytes allows \(1199\)/],
  ])('limits.%s of %d', async (key, value, message) => {
    const files = [
      await grey(40, 30).png().toBuffer(),
      await grey(40, 30).jpeg().toBuffer(),
      writeTiff([{ width: 40, height: 30, values: new Uint8Array(1200) }]),
    ];
    const raw = { data: new Uint8Array(1200), width: 40, height: 30, channels: 1 as const };
    for (const image of [...files, raw]) {
      expect((await decodeImage(image, { limits: { [key]: value + 1 } })).width).toBe(40);
      const error = await refusal(decodeImage(image, { limits: { [key]: value } }));
      expect(error.code).toBe('IMAGE_TOO_LARGE');
      expect(error.message).toMatch(message);
      expect(error.details.option).toBe(`limits.${key}`);
    }
  });

  test('a uniform image, which compresses well, is read up to limits.ratio', async () => {
    const blank = await grey(12_000, 12_000).png({ compressionLevel: 9 }).toBuffer();
    expect((await openImage(blank)).bytes).toBe(144e6);
    expect((await refusal(openImage(blank, { limits: { ratio: 1 } }))).details.option).toBe('limits.ratio');
  });

  test.each<[unknown, RegExp]>([
    [{ pixel: 1 }, /Unknown option limits\.pixel; did you mean pixels/],
    [{ side: 0 }, /a number of at least 1 for limits\.side but received 0/],
    [{ bytes: Number.NaN }, /limits\.bytes but received NaN/],
    [1e6, /an object for limits but received 1000000/],
  ])('limits: %p is refused', async (limits, message) => {
    const error = await refusal(decodeImage(await pngOf(40, 30), { limits: limits as ImageLimits }));
    expect(error.code).toBe('INVALID_ARGUMENT');
    expect(error.message).toMatch(message);
  });
});
