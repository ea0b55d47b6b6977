import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { crc32, inflateSync } from 'node:zlib';
import sharp from 'sharp';
import { CellrouteError } from '../../lib/errors.js';
import { decodeImage, openImage } from '../../lib/image/decode.js';
import type { ImageInput } from '../../lib/image/types.js';
import { dataPath, describeGolden } from '../support/golden.js';
import { withChunk } from '../support/png.js';

const folder = join(__dirname, '../golden/images');
const image = (name: string) => readFileSync(join(folder, name));

interface Expected {
  file: string;
  page: number;
  type: 'uint8' | 'uint16' | 'float32';
  width: number;
  height: number;
  channels: number;
  /** Largest allowed difference of a value, because JPEG decoders round differently. */
  tolerance: number;
  data: string;
}
const expected = JSON.parse(image('values.json').toString()) as {
  files: Record<string, Expected>;
  data: Record<string, string>;
};

const arrays = { uint8: Uint8Array, uint16: Uint16Array, float32: Float32Array };

async function refusal(work: Promise<unknown>): Promise<CellrouteError> {
  const error = await work.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(CellrouteError);
  return error as CellrouteError;
}

describe('decodeImage returns the same values as Pillow and tifffile', () => {
  test.each(Object.entries(expected.files))('%s', async (_name, file) => {
    const decoded = await decodeImage(image(file.file), { page: file.page });
    const values = inflateSync(Buffer.from(expected.data[file.data]!, 'base64'));
    const want = new arrays[file.type](new Uint8Array(values).buffer);
    expect(decoded).toMatchObject({ width: file.width, height: file.height, channels: file.channels });
    expect(decoded.data.constructor).toBe(arrays[file.type]);
    if (file.tolerance === 0) {
      expect(decoded.data).toEqual(want);
    } else {
      expect(decoded.data).toHaveLength(want.length);
      expect(Math.max(...want.map((value, i) => Math.abs(value - decoded.data[i]!)))).toBeLessThanOrEqual(
        file.tolerance,
      );
    }
  });

  test('a decoder that applies colour profiles would change the fixtures with a profile', async () => {
    const obeyed = await sharp(image('profile.png')).raw().toBuffer();
    const { data } = await decodeImage(image('profile.png'));
    expect(Buffer.compare(obeyed, Buffer.from(data))).not.toBe(0);
  });

  test('bytes may be a view of any buffer', async () => {
    const { data } = await decodeImage(image('rgb8.png'));
    const bytes = image('rgb8.png');
    const shared = new Uint8Array(new SharedArrayBuffer(bytes.length + 3), 3);
    shared.set(bytes);
    expect((await decodeImage(shared)).data).toEqual(data);
  });

  test.each([
    ['sBIT', Buffer.from([12])],
    ['gAMA', Buffer.from([0, 0, 0xb1, 0x8f])],
    ['acTL', Buffer.from([0, 0, 0, 2, 0, 0, 0, 0])],
  ])('the chunk %s of a PNG changes no value', async (name, content) => {
    const values = Uint16Array.from({ length: 30 * 20 }, (_, i) => (i * 7919) % 65536);
    const png = await sharp(values, { raw: { width: 30, height: 20, channels: 1 } })
      .toColourspace('grey16')
      .png()
      .toBuffer();
    expect((await decodeImage(withChunk(png, name, content))).data).toEqual(values);
  });

  test('a wide 16-bit image keeps its alignment', async () => {
    const values = Uint16Array.from({ length: 300 * 200 }, (_, i) => (i * 7919) % 65536);
    const png = await sharp(values, { raw: { width: 300, height: 200, channels: 1 } })
      .toColourspace('grey16')
      .png()
      .toBuffer();
    expect((await decodeImage(png)).data).toEqual(values);
  });
});

describe('raw pixels', () => {
  const raw = { data: new Uint8Array(24), width: 4, height: 2, channels: 3 } as const;

  test('are returned unchanged as a copy, so the caller may reuse its array', async () => {
    const image = await decodeImage(raw);
    expect(image).toEqual(raw);
    expect(image.data.buffer).not.toBe(raw.data.buffer);
  });

  test("are copied from a Buffer too, as sharp's raw() gives", async () => {
    const data = Buffer.alloc(24, 7);
    const image = await decodeImage({ ...raw, data });
    data.fill(9);
    expect(Array.from(image.data)).toEqual(new Array(24).fill(7));
  });

  test.each<[string, unknown, RegExp]>([
    ['an empty path', '', /Expected a path, a file: URL, a Blob or File, .* but received ""/],
    ['an ArrayBuffer', new ArrayBuffer(8), /new Uint8Array\(buffer\)/],
    ['a URL of the web', new URL('https://example.org/a.png'), /a file: URL.*but received "https:"/],
    ['a promise', Promise.resolve(raw), /await it first/],
    ['null', null, /Expected a path, .* an encoded image .* but received null/],
    ['a list', [1, 2, 3], /an array of 3/],
    ['no bytes', new Uint8Array(0), /Uint8Array of 0 bytes/],
    ['pixels alone', new Float32Array(12), /width, height and channels beside them/],
    ['doubles', { ...raw, data: new Float64Array(24) }, /Float32Array\.from\(data\)/],
    ['a plain list of values', { ...raw, data: new Array(24).fill(0) }, /Float32Array\.from\(data\)/],
    ['clamped bytes', { ...raw, data: new Uint8ClampedArray(24) }, /new Uint8Array\(data\.buffer\)/],
    ['a buffer', { ...raw, data: new ArrayBuffer(24) }, /wrap the ArrayBuffer/],
    ['signed values', { ...raw, data: new Int16Array(24) }, /signed/],
    ['no height', { ...raw, height: undefined }, /image\.height but received undefined/],
    ['half a pixel', { ...raw, width: 4.5 }, /image\.width/],
    ['not a number', { ...raw, width: Number.NaN }, /image\.width but received NaN/],
    ['five channels', { ...raw, channels: 5 }, /from 1 to 4 for image\.channels/],
    ['grey called RGB', { ...raw, data: new Uint8Array(8) }, /24 values .* right for channels 1/],
    ['bytes of 16-bit values', { ...raw, data: new Uint8Array(48) }, /bytes of a Uint16Array/],
    ['a lost row', { ...raw, data: new Uint8Array(12 + 1) }, /24 values .*13/],
  ])('%s is refused', async (_name, input, message) => {
    const error = await refusal(decodeImage(input as ImageInput));
    expect(error.code).toBe('INVALID_ARGUMENT');
    expect(error.message).toMatch(message);
  });

  test('above the limit are refused', async () => {
    const error = await refusal(decodeImage(raw, { limits: { pixels: 7 } }));
    expect(error.code).toBe('IMAGE_TOO_LARGE');
    expect(error.message).toMatch(/4 × 2 pixels, more than limits.pixels allows \(7\)/);
  });
});

describe('unsupported images are refused with the name of their format', () => {
  const latin1 = (text: string) => Buffer.from(text, 'latin1');

  test.each<[string, Buffer]>([
    ['SVG', latin1('<?xml version="1.0"?>\n<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"/>')],
    ['SVG', latin1('\xef\xbb\xbf <svg/>')],
    ['XML or HTML', latin1('<!DOCTYPE html><title>Not found</title>')],
    ['GIF', latin1('GIF89a')],
    ['PDF', latin1('%PDF-1.7')],
    ['HEIF', latin1('\0\0\0\x18ftypheic')],
    ['AVIF', latin1('\0\0\0\x18ftypavif')],
    ['BMP', latin1('BM\0\0')],
    ['Zeiss CZI', latin1('ZISRAWFILE\0\0')],
    ['DICOM', Buffer.concat([Buffer.alloc(128), latin1('DICM')])],
    ['data URL', latin1('data:image/png;base64,iVBORw0KGgo=')],
  ])('%s', async (name, bytes) => {
    const error = await refusal(decodeImage(bytes));
    expect(error.code).toBe('IMAGE_UNSUPPORTED');
    expect(error.message).toContain(name);
  });

  test('a real GIF is not passed to the decoder, which could read it', async () => {
    const gif = await sharp(image('rgb8.png')).gif().toBuffer();
    expect((await refusal(decodeImage(gif))).code).toBe('IMAGE_UNSUPPORTED');
  });

  test.each([
    ['refused_int8.tif', /8-bit char/],
    ['refused_int16.tif', /16-bit short/],
    ['refused_uint32.tif', /32-bit uint/],
    ['refused_float16.tif', /16-bit float/],
    ['refused_float64.tif', /64-bit float; 32 bits are read/],
    ['refused_channels3.tif', /3 channels/],
    ['refused_channels5.tif', /5 channels/],
  ])('%s', async (name, message) => {
    const error = await refusal(decodeImage(image(name)));
    expect(error.code).toBe('IMAGE_UNSUPPORTED');
    expect(error.message).toMatch(message);
  });

  test('a page that the TIFF does not have', async () => {
    const error = await refusal(decodeImage(image('pages.tif'), { page: 3 }));
    expect(error.code).toBe('INVALID_ARGUMENT');
    expect(error.message).toMatch(/an index from 0 to 2 for page but received 3/);
  });

  test('an unknown option', async () => {
    const error = await refusal(decodeImage(image('rgb8.png'), { limit: {} } as object));
    expect(error.message).toMatch(/did you mean limits/);
  });
});

describe('damaged files', () => {
  test.each(['rgb8.png', 'rgb.jpg', 'lossless.webp', 'grey16.tif', 'grey16_lzw.tif', 'grey16_tiled.tif'])(
    'truncated %s is refused, never read partially',
    async (name) => {
      const whole = image(name);
      for (const share of [0.3, 0.5, 0.8]) {
        const error = await refusal(decodeImage(whole.subarray(0, Math.floor(whole.length * share))));
        expect(error.code).toBe('IMAGE_UNREADABLE');
        expect(error.message).toMatch(/^The (PNG|JPEG|WebP|TIFF) cannot be read: ./);
        expect(error.cause).toBeInstanceOf(Error);
      }
    },
  );

  test.each(['lzw', 'deflate'] as const)(
    'a damaged %s tile is refused, never read as black',
    async (compression) => {
      const values = Uint16Array.from({ length: 200 * 200 }, (_, i) => (i * i * 7) % 65521);
      const tiled = await sharp(values, { raw: { width: 200, height: 200, channels: 1 } })
        .toColourspace('grey16')
        .tiff({ tile: true, tileWidth: 128, tileHeight: 128, compression })
        .toBuffer();
      expect((await decodeImage(tiled)).data).toEqual(values);
      tiled.fill(0xff, 3000, 3200);
      expect((await refusal(decodeImage(tiled))).code).toBe('IMAGE_UNREADABLE');
    },
  );

  test('a tag with a wrong type does not hide pixels', async () => {
    const whole = image('grey16.tif');
    const bytes = Buffer.from(whole);
    const resolution = bytes.indexOf(Buffer.from([0x1a, 0x01, 5, 0]));
    expect(resolution).toBeGreaterThan(0);
    bytes[resolution + 2] = 2;
    expect((await decodeImage(bytes)).data).toEqual((await decodeImage(whole)).data);
  });

  test('bytes that are not an image', async () => {
    const error = await refusal(decodeImage(Buffer.from('hello, cells')));
    expect(error.code).toBe('IMAGE_UNREADABLE');
    expect(error.message).toMatch(/start with 68 65 6c 6c 6f 2c 20 63/);
  });

  test('a few bytes that claim to be a huge image', async () => {
    const png = Buffer.from(image('grey8.png'));
    png.writeUInt32BE(60_000, 16);
    png.writeUInt32BE(60_000, 20);
    png.writeUInt32BE(crc32(png.subarray(12, 29)), 29);
    const error = await refusal(decodeImage(png));
    expect(error.code).toBe('IMAGE_TOO_LARGE');
    expect(error.message).toMatch(/60000 × 60000 pixels, more than limits.pixels allows \(1000000000\)/);
  });

  test('any inverted byte of a PNG or TIFF gives an image or a CellrouteError', async () => {
    for (const name of ['palette.png', 'grey16_lzw.tif']) {
      const whole = image(name);
      for (let i = 0; i < whole.length; i += 3) {
        const bytes = Buffer.from(whole);
        bytes[i]! ^= 0xff;
        await decodeImage(bytes, { limits: { pixels: 1e6 } }).catch((error: unknown) => {
          expect(error).toBeInstanceOf(CellrouteError);
        });
      }
    }
  });
});

describe('an AbortSignal', () => {
  test('that is already aborted rejects with its reason before decoding', async () => {
    await expect(decodeImage(image('rgb8.png'), { signal: AbortSignal.abort('enough') })).rejects.toBe(
      'enough',
    );
  });

  test('aborted during the work rejects with its reason', async () => {
    const controller = new AbortController();
    const reason = new Error('enough');
    const work = decodeImage(image('rgb8.png'), { signal: controller.signal });
    controller.abort(reason);
    await expect(work).rejects.toBe(reason);
  });
});

describeGolden('16-bit originals of a microscope', { images: ['t98g/raw16', 't98g/images'] }, () => {
  test('keep more than 8 bits and resemble their 8-bit versions', async () => {
    const names = readdirSync(dataPath('t98g/raw16')).filter((name) => name.endsWith('.tif'));
    expect(names.length).toBeGreaterThan(0);
    for (const name of names) {
      const original = await decodeImage(readFileSync(dataPath(join('t98g/raw16', name))));
      const small = await decodeImage(
        readFileSync(dataPath(join('t98g/images', name.replace('.tif', '.png')))),
      );
      expect(original.data).toBeInstanceOf(Uint16Array);
      expect(new Set(original.data).size).toBeGreaterThan(10_000);
      expect(correlation(original.data, small.data)).toBeGreaterThan(0.99);
    }
  });
});

function correlation(a: ArrayLike<number>, b: ArrayLike<number>): number {
  let [sumA, sumB, sumAA, sumBB, sumAB] = [0, 0, 0, 0, 0];
  for (let i = 0; i < a.length; i++) {
    sumA += a[i]!;
    sumB += b[i]!;
    sumAA += a[i]! ** 2;
    sumBB += b[i]! ** 2;
    sumAB += a[i]! * b[i]!;
  }
  const n = a.length;
  return (n * sumAB - sumA * sumB) / Math.sqrt((n * sumAA - sumA ** 2) * (n * sumBB - sumB ** 2));
}

describe('openImage', () => {
  test.each(['grey8.png', 'rgb16.png'])(
    'returns the decoded size of %s in bytes, then the pixels of decodeImage',
    async (name) => {
      const opened = await openImage(image(name));
      const decoded = await opened.decode();
      expect(opened.bytes).toBe(decoded.data.byteLength);
      expect(decoded).toEqual(await decodeImage(image(name)));
    },
  );

  test('returns raw pixels without a copy', async () => {
    const raw = { data: new Uint16Array(12), width: 4, height: 3, channels: 1 as const };
    const opened = await openImage(raw);
    expect(opened.bytes).toBe(24);
    expect((await opened.decode()).data).toBe(raw.data);
  });

  test('refuses the same inputs as decodeImage', async () => {
    expect((await refusal(openImage(new Uint8Array([1, 2, 3])))).code).toBe('IMAGE_UNREADABLE');
    expect((await refusal(openImage({} as unknown as ImageInput))).code).toBe('INVALID_ARGUMENT');
    expect(
      (await refusal(openImage(image(Object.keys(expected.files)[0]!), { limits: { pixels: 1 } }))).code,
    ).toBe('IMAGE_TOO_LARGE');
  });
});
