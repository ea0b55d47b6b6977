import sharp from 'sharp';
import { decodeImage } from '../../../lib/image/decode.js';
import { prepareScene } from '../../../lib/render/scene.js';
import { refusal } from '../../support/refusal.js';
import { type TestPage, writeTiff } from '../../support/tiff.js';

const width = 24;
const height = 20;
const values = Uint8Array.from({ length: width * height }, (_, i) => i % 251);
const page: TestPage = { width, height, values };
const rgb: TestPage = { ...page, values: new Uint8Array(3 * width * height), samples: 3 };

describe('what is not decoded is named, with a command that converts it', () => {
  const tifffile = /import tifffile as t; .*p\.asarray\(\)/;
  const source = /export it as RGB or grey with the software that wrote it/;
  test.each<[string, TestPage, RegExp, RegExp]>([
    ['10 packed bits', { ...page, bits: 10 }, /10 bits, packed/, tifffile],
    ['12 packed bits', { ...page, bits: 12 }, /12 bits, packed/, tifffile],
    ['14 packed bits', { ...page, bits: 14 }, /14 bits, packed/, tifffile],
    ['old-style JPEG', { ...page, tags: { 259: [6] } }, /compression 6 \(old-style JPEG\)/, tifffile],
    ['Zstandard', { ...page, tags: { 259: [50_000] } }, /compression 50000 \(Zstandard\)/, tifffile],
    ['JPEG 2000', { ...page, tags: { 259: [34_712] } }, /compression 34712 \(JPEG 2000\)/, tifffile],
    ['JPEG 2000 of Aperio', { ...page, tags: { 259: [33_005] } }, /JPEG 2000 \(Aperio\)/, tifffile],
    ['LZMA', { ...page, tags: { 259: [34_925] } }, /LZMA/, tifffile],
    ['LERC', { ...page, tags: { 259: [34_887] } }, /LERC/, tifffile],
    ['an unknown compression', { ...page, tags: { 259: [65_000] } }, /compression 65000 is/, tifffile],
    ['CIE L*a*b*', { ...rgb, photometric: 8 }, /CIE L\*a\*b\*/, /ImageCms.*out\.tif/],
    ['raw camera data', { ...page, photometric: 32_803 }, /colour filter array/, source],
    ['YCbCr that is no JPEG', { ...rgb, photometric: 6 }, /YCbCr samples are not compressed/, /tiff2rgba/],
    ['several widths', { ...rgb, photometric: 2, tags: { 258: [8, 8, 16] } }, /8, 8, 16 bits/, source],
    ['signed 16 bits', { ...page, values: new Int16Array(480), format: 2 }, /16-bit short/, /astype/],
    ['unsigned 32 bits', { ...page, values: new Uint32Array(480) }, /32-bit uint/, /astype\('float32'\)/],
    [
      '64-bit floats',
      { ...page, values: new Float64Array(480), format: 3 },
      /64-bit float/,
      /astype\('float32'\)/,
    ],
    [
      'complex numbers',
      { ...page, values: new Float64Array(480), format: 6 },
      /complex/,
      /abs\(p\.asarray\(\)\)/,
    ],
    [
      'inverted floats',
      { ...page, values: new Float32Array(480), format: 3, photometric: 0 },
      /MinIsWhite/,
      /-p\.asarray/,
    ],
    [
      'CMYK of 16 bits',
      { ...page, values: new Uint16Array(4 * 480), samples: 4, photometric: 5 },
      /CMYK samples have 16 bits/,
      /65535/,
    ],
    ['unknown colours', { ...page, photometric: 77 }, /interpretation 77 is unknown/, /photometric=1/],
    ['NDPI', { ...page, tags: { 65420: [1] } }, /Hamamatsu \(NDPI\)/, /bfconvert/],
    [
      '2 bits of three samples',
      { ...rgb, photometric: 2, bits: 2 },
      /3 samples have 2 bits/,
      /astype\('uint8'\) \* 85/,
    ],
  ])('%s', async (_name, one, what, remedy) => {
    for (const header of [{}, { big: true, bigEndian: true }]) {
      const error = await refusal(decodeImage(writeTiff([one], header)));
      expect(error.code).toBe('IMAGE_UNSUPPORTED');
      expect(error.message).toMatch(what);
      expect(error.message).toMatch(remedy);
    }
  });

  test.each([
    ['Zeiss CZI', 'ZISRAWFILE\0\0', /bfconvert -series 0 in out\.ome\.tiff/],
    ['Nikon ND2', '\xda\xce\xbe\x0a\0\0', /bfconvert/],
    ['Leica LIF', '\x70\0\0\0\x10', /bfconvert/],
    ['JPEG 2000', '\0\0\0\x0cjP  \r\n', /opj_decompress/],
    ['Olympus OIR', 'OLYMPUSRAWFORMAT', /bfconvert/],
    ['DICOM', `${'\0'.repeat(128)}DICM`, /bfconvert/],
    ['NRRD', 'NRRD0004\n', /bfconvert/],
    ['FITS', 'SIMPLE  =', /bfconvert/],
    ['Olympus slide (ETS)', 'SIS\0', /the \.vsi file that it belongs to/],
    ['NumPy', '\x93NUMPY\x01', /numpy\.load/],
    ['GIF', 'GIF89a', /ffmpeg -i in /],
    ['AVI video', 'RIFF\0\0\0\0AVI LIST', /ffmpeg/],
    ['7-Zip', '7z\xbc\xaf', /unpack it/],
    ['a pointer of Git LFS', 'version https://git-lfs.github.com/spec/v1\n', /git lfs pull/],
  ])('%s', async (name, head, remedy) => {
    const error = await refusal(decodeImage(Buffer.from(head.padEnd(64, '\0'), 'latin1')));
    expect(error.code).toBe('IMAGE_UNSUPPORTED');
    expect(error.message).toContain(name);
    expect(error.message).toMatch(remedy);
  });

  test.each([
    ['JPEG with 12 bits per sample', 0xc1, 12, /jpeg_decode/],
    ['lossless JPEG', 0xc3, 16, /jpeg_decode/],
    ['JPEG-LS', 0xf7, 8, /jpegls_decode/],
  ])('%s', async (name, marker, bits, remedy) => {
    const jfif = [0xff, 0xe0, 0, 16, ...Buffer.from('JFIF\0'), 1, 1, 0, 0, 1, 0, 1, 0, 0];
    const frame = [0xff, marker, 0, 11, bits, 0, 8, 0, 8, 1, 1, 0x11, 0];
    const error = await refusal(decodeImage(Buffer.from([0xff, 0xd8, ...jfif, 0xff, ...frame, 0xff, 0xd9])));
    expect(error.code).toBe('IMAGE_UNSUPPORTED');
    expect(error.message).toContain(name);
    expect(error.message).toMatch(remedy);
  });
});

test('a JPEG tile of more than twice its pixels is refused, because libvips decodes a part of it', async () => {
  let state = 1;
  const noise = Uint8Array.from({ length: 256 }, () => {
    state = (state * 48_271) % 2_147_483_647;
    return state & 255;
  });
  const raw = { width: 16, height: 16, channels: 1 as const };
  const tile = await sharp(noise, { raw })
    .toColourspace('b-w')
    .jpeg({ quality: 100, optimiseCoding: false })
    .toBuffer();
  expect(tile.length).toBeGreaterThan(512);
  const file = (length: number) =>
    writeTiff([
      {
        ...{ width: 16, height: 16, values: new Uint8Array(256), tile: 16, behind: new Uint8Array(tile) },
        // The tile lies behind the pixels, which follow the header.
        tags: { 259: [7], 324: [8 + 256], 325: [length] },
      },
    ]);
  const error = await refusal(decodeImage(file(tile.length)));
  expect(error.code).toBe('IMAGE_UNSUPPORTED');
  expect(error.message).toMatch(/its JPEG tile 0 has \d+ bytes, more than twice its 256 bytes of pixels/);
  const plain = await sharp(noise, { raw }).toColourspace('b-w').jpeg({ quality: 60 }).toBuffer();
  const { data } = await decodeImage(
    writeTiff([
      {
        ...{ width: 16, height: 16, values: new Uint8Array(256), tile: 16, behind: new Uint8Array(plain) },
        tags: { 259: [7], 324: [8 + 256], 325: [plain.length] },
      },
    ]),
  );
  expect(Array.from(data)).toEqual(Array.from((await decodeImage(plain)).data));
});

test('a result is drawn on the page and channels from which it was computed', async () => {
  const shade = (value: number): TestPage => ({
    ...page,
    values: new Uint8Array(width * height).fill(value),
  });
  const ramp = { ...page, values };
  const pages = writeTiff([shade(1), ramp]);
  const { source } = await decodeImage(pages, { page: 1 });
  const scene = await prepareScene(pages, { width, height, source: source! }, width, undefined);
  const plain = await sharp(values, { raw: { width, height, channels: 1 } })
    .png()
    .toBuffer();
  const wanted = await prepareScene(plain, { width, height }, width, undefined);
  expect(scene.canvas).toEqual(wanted.canvas);
  const two = writeTiff([
    {
      ...page,
      values: Uint8Array.from({ length: 2 * width * height }, (_, i) => (i % 2 ? values[i >> 1]! : 9)),
      samples: 2,
    },
  ]);
  const chosen = await decodeImage(two, { channels: 1 });
  const own = await prepareScene(two, { width, height, source: chosen.source! }, width, undefined);
  expect(own.canvas).toEqual(wanted.canvas);
});
