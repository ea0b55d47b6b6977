import { crc32 } from 'node:zlib';
import sharp, { type Sharp } from 'sharp';
import { decodeImage } from '../../../lib/image/decode.js';
import { refusal } from '../../support/refusal.js';
import { writeTiff } from '../../support/tiff.js';

const width = 96;
const height = 80;
/** Texture that cannot be compressed well. */
const values = Uint8Array.from({ length: width * height * 3 }, (_, i) => ((i * 7919) ^ (i >> 3)) % 256);
const rgb = (): Sharp => sharp(values, { raw: { width, height, channels: 3 } });

const formats: [string, () => Promise<Buffer>][] = [
  ['PNG', () => rgb().png().toBuffer()],
  ['interlaced PNG', () => rgb().png({ progressive: true }).toBuffer()],
  ['JPEG', () => rgb().jpeg({ quality: 90 }).toBuffer()],
  ['progressive JPEG', () => rgb().jpeg({ quality: 90, progressive: true }).toBuffer()],
  ['lossy WebP', () => rgb().webp({ quality: 90 }).toBuffer()],
  ['lossless WebP', () => rgb().webp({ lossless: true }).toBuffer()],
  ...(['none', 'lzw', 'deflate', 'packbits', 'jpeg'] as const).flatMap(
    (compression): [string, () => Promise<Buffer>][] => [
      [`TIFF ${compression}`, () => rgb().tiff({ compression, predictor: 'none' }).toBuffer()],
      [
        `tiled TIFF ${compression}`,
        () =>
          rgb()
            .tiff({ compression, predictor: 'none', tile: true, tileWidth: 32, tileHeight: 32 })
            .toBuffer(),
      ],
    ],
  ),
];

describe('damage is an error', () => {
  test.each(formats)('%s: truncated at every twentieth', async (_name, make) => {
    const whole = await make();
    expect((await decodeImage(whole)).data).toHaveLength(values.length);
    for (let part = 0; part < 20; part++) {
      const cut = whole.subarray(0, Math.floor((whole.length * part) / 20));
      if (cut.length === 0) continue;
      expect((await refusal(decodeImage(cut))).code).toBe('IMAGE_UNREADABLE');
    }
  });

  // Uncompressed samples have no redundancy, and VP8's and VP8L's bits have no checksum.
  test.each(formats.filter(([name]) => !/WebP|none|packbits/.test(name)))(
    '%s: 200 bytes in the middle are overwritten',
    async (_name, make) => {
      const bytes = await make();
      const middle = Math.floor(bytes.length / 2);
      bytes.fill(0xff, middle, middle + 200);
      expect((await refusal(decodeImage(bytes))).code).toBe('IMAGE_UNREADABLE');
    },
  );

  test('a PNG that claims to be larger', async () => {
    const png = await rgb().png().toBuffer();
    png.writeUInt32BE(2 * height, 20);
    png.writeUInt32BE(crc32(png.subarray(12, 29)), 29);
    expect((await refusal(decodeImage(png))).code).toBe('IMAGE_UNREADABLE');
  });

  test('a JPEG that claims to be larger', async () => {
    const jpeg = await rgb().jpeg().toBuffer();
    const frame = jpeg.indexOf(Buffer.from([0xff, 0xc0]));
    jpeg.writeUInt16BE(4 * height, frame + 5);
    expect((await refusal(decodeImage(jpeg))).code).toBe('IMAGE_UNREADABLE');
  });

  const relabelled = (tiff: Buffer, sides: Record<number, number>) => {
    const directory = tiff.readUInt32LE(4);
    for (let i = 0; i < tiff.readUInt16LE(directory); i++) {
      const at = directory + 2 + 12 * i;
      const side = sides[tiff.readUInt16LE(at)];
      if (side !== undefined) tiff.writeUIntLE(side, at + 8, tiff.readUInt16LE(at + 2) === 3 ? 2 : 4);
    }
    return tiff;
  };

  test.each(['none', 'lzw', 'deflate', 'packbits', 'jpeg'] as const)(
    'a TIFF of 24 × 20 that claims to be larger, %s',
    async (compression) => {
      const make = () =>
        rgb()
          .extract({ left: 0, top: 0, width: 24, height: 20 })
          .tiff({ compression, predictor: 'none', rowsPerStrip: 20 } as object)
          .toBuffer();
      for (const [across, down] of [
        [96, 80],
        [24, 80],
        [96, 20],
      ]) {
        const sides = { 256: across!, 257: down!, 278: down! };
        const error = await refusal(decodeImage(relabelled(await make(), sides)));
        expect(error.code).toBe('IMAGE_UNREADABLE');
      }
    },
  );

  test('a strip that is missing, outside the file or too short', async () => {
    const page = { width: 40, height: 30, values: new Uint8Array(1200), rowsPerStrip: 10 };
    for (const [tags, message] of [
      [{ 273: [0, 500, 900] }, /strip 0 is missing/],
      [{ 273: [64, 65_000, 64] }, /strip 1 ends \d+ bytes past the end of the file/],
      [{ 279: [400, 400, 399] }, /strip 2 has 399 bytes where 400 are needed/],
      [{ 273: [64, 464], 279: [400, 400] }, /2 strips where its 40 × 30 pixels need 3/],
    ] as const) {
      const error = await refusal(decodeImage(writeTiff([{ ...page, tags }])));
      expect(error.code).toBe('IMAGE_UNREADABLE');
      expect(error.message).toMatch(message);
    }
  });

  test('directories that form a loop or are outside the file', async () => {
    const tiff = writeTiff([{ width: 40, height: 30, values: new Uint8Array(1200) }]);
    const directory = tiff.readUInt32LE(4);
    const link = directory + 2 + 12 * tiff.readUInt16LE(directory);
    for (const to of [directory, tiff.length + 10]) {
      tiff.writeUInt32LE(to, link);
      expect((await refusal(decodeImage(tiff))).code).toBe('IMAGE_UNREADABLE');
    }
  });
});
