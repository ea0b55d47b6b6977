import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import sharp from 'sharp';
import { decodeImage } from '../../../lib/image/decode.js';
import { fitIntensity } from '../../../lib/image/intensity.js';
import type { RawImage } from '../../../lib/image/types.js';
import { CellClassifier } from '../../../lib/inference/classifier.js';
import { CellSegmenter } from '../../../lib/inference/segmenter.js';
import { refusal } from '../../support/refusal.js';
import { imageBytes, root } from '../../support/sdk.js';
import { writeTiff } from '../../support/tiff.js';

const raw = (data: RawImage['data'], channels: RawImage['channels'] = 1): RawImage => ({
  data,
  width: data.length / channels,
  height: 1,
  channels,
});

describe('floats under type-range', () => {
  test.each([-0.001, 1.001, 4095])('%d is refused by name and place', async (value) => {
    const error = await refusal(fitIntensity({ kind: 'type-range' }, raw(Float32Array.of(0, 0.5, value, 1))));
    expect(error.code).toBe('IMAGE_UNSUPPORTED');
    expect(error.message).toMatch(/floats outside 0\.\.1 \(.* at column 2, row 0\).*type-range/);
    await fitIntensity({ kind: 'percentile' }, raw(Float32Array.of(0, value)));
  });

  test('0 to 1 is taken, and alpha is not looked at', async () => {
    await fitIntensity({ kind: 'type-range' }, raw(Float32Array.of(0, 1)));
    await fitIntensity({ kind: 'type-range' }, raw(Float32Array.of(0, 255, 1, 255), 2));
  });
});

describe('16-bit values that use few bits', () => {
  test.each([
    [4095, /use 12 bits, 6\.3 % of the range/],
    [1023, /use 10 bits/],
    [32_767, /use 15 bits/],
    [32_768, undefined],
  ])('up to %d', async (most, message) => {
    const expected = message ? [expect.stringMatching(message)] : [];
    expect(await fitIntensity({ kind: 'type-range' }, raw(Uint16Array.of(0, most)))).toEqual(expected);
    const opaque = raw(Uint16Array.of(0, 65_535, most, 65_535), 2);
    expect(await fitIntensity({ kind: 'type-range' }, opaque)).toEqual(expected);
    expect(await fitIntensity({ kind: 'min-max' }, raw(Uint16Array.of(0, most)))).toEqual([]);
  });
});

/** The same grey image of 8 bits in containers that people have, and whether each holds the values exactly. */
async function containersOf(grey: Uint8Array, width: number, height: number) {
  const page = { width, height };
  const to = <T>(make: { from(values: Uint8Array, map: (value: number) => number): T }, factor: number) =>
    make.from(grey, (value) => value * factor);
  const rgb = Uint8Array.from({ length: 3 * grey.length }, (_, i) => grey[Math.floor(i / 3)]!);
  const eight = sharp(grey, { raw: { ...page, channels: 1 } }).toColourspace('b-w');
  const sixteen = sharp(to(Uint16Array, 257), { raw: { ...page, channels: 1 } }).toColourspace('grey16');
  const exact = {
    '8 bits, strips': writeTiff([{ ...page, values: grey, rowsPerStrip: 7 }]),
    '8 bits, tiles, big-endian': writeTiff([{ ...page, values: grey, tile: 64 }], { bigEndian: true }),
    '12 bits in 16': writeTiff([{ ...page, values: to(Uint16Array, 16) }]),
    '14 bits in 16, big-endian': writeTiff([{ ...page, values: to(Uint16Array, 64) }], { bigEndian: true }),
    '16 bits, BigTIFF, deflate': writeTiff([{ ...page, values: to(Uint16Array, 257), deflate: true }], {
      big: true,
    }),
    'floats in counts': writeTiff([{ ...page, values: to(Float32Array, 16), format: 3 }]),
    'floats below zero': writeTiff([
      { ...page, values: Float32Array.from(grey, (value) => value - 100), format: 3 },
    ]),
    'floats from 0 to 1': writeTiff([{ ...page, values: to(Float32Array, 1 / 255), format: 3 }]),
    'RGB, planar': writeTiff([{ ...page, values: rgb, samples: 3, photometric: 2, planar: true }]),
    'white is zero': writeTiff([
      { ...page, values: Uint8Array.from(grey, (value) => 255 - value), photometric: 0 },
    ]),
    'LZW with predictor': await eight
      .clone()
      .tiff({ compression: 'lzw', predictor: 'horizontal' })
      .toBuffer(),
    'PNG of 8 bits': await eight.clone().png().toBuffer(),
    'PNG of 16 bits': await sixteen.clone().png().toBuffer(),
    'WebP, lossless': await eight.clone().webp({ lossless: true }).toBuffer(),
  };
  return { exact, jpeg: await eight.clone().jpeg({ quality: 98 }).toBuffer() };
}

const greyOf = ({ data, width, height, channels }: RawImage): Uint8Array =>
  Uint8Array.from({ length: width * height }, (_, i) => data[i * channels]!);

describe('one sample in many containers', () => {
  test('has one type', async () => {
    await using router = await CellClassifier.load(join(root, 'models/starter/classifier.safetensors'));
    const sample = await decodeImage(readFileSync(join(root, 'examples/images/phase-contrast.png')));
    const { exact, jpeg } = await containersOf(greyOf(sample), sample.width, sample.height);
    const first = await router.classify(exact['8 bits, strips']);
    expect(first.cellType).toBe('phase-contrast');
    for (const bytes of [...Object.values(exact), jpeg]) {
      const { probabilities } = await router.classify(bytes);
      for (const [type, probability] of Object.entries(probabilities)) {
        expect(Math.abs(probability - first.probabilities[type]!)).toBeLessThan(0.01);
      }
    }
  });

  test('has the same cells', async () => {
    await using segmenter = await CellSegmenter.load(join(root, 'test/ensemble/fluorescence.safetensors'));
    const sample = await decodeImage(imageBytes('small'));
    const { exact, jpeg } = await containersOf(greyOf(sample), sample.width, sample.height);
    const masksOf = async (bytes: Buffer) => (await segmenter.segment(bytes, { minScore: 0.5 })).cells.masks;
    const first = await masksOf(exact['8 bits, strips']);
    expect(first.length).toBeGreaterThan(5);
    const least = async (bytes: Buffer) => {
      const masks = await masksOf(bytes);
      expect(masks.length).toBe(first.length);
      const iou = first.iou(masks);
      return Math.min(
        ...Array.from({ length: first.length }, (_, i) =>
          Math.max(...iou.subarray(i * masks.length, (i + 1) * masks.length)),
        ),
      );
    };
    for (const bytes of Object.values(exact)) expect(await least(bytes)).toBeGreaterThan(0.98);
    expect(await least(jpeg)).toBeGreaterThan(0.8);
  });
});
