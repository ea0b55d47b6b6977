import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { decodeImage } from '../../../lib/image/decode.js';
import { fitIntensity } from '../../../lib/image/intensity.js';
import type { RawImage } from '../../../lib/image/types.js';
import { CellClassifier } from '../../../lib/inference/classifier.js';
import { refusal } from '../../support/refusal.js';
import { root } from '../../support/sdk.js';
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

describe('one sample in many containers has one type', () => {
  const sample = readFileSync(join(root, 'examples/images/phase-contrast.png'));
  let router: CellClassifier;
  beforeAll(async () => {
    router = await CellClassifier.load(join(root, 'models/starter/classifier.safetensors'));
  });
  afterAll(() => router.dispose());

  test('8 bits, 12 in 16, floats in counts, floats of 0 to 1', async () => {
    const { data, width, height, channels } = await decodeImage(sample);
    const grey = Uint8Array.from({ length: width * height }, (_, i) => data[i * channels]!);
    const page = { width, height };
    const counts = Float32Array.from(grey, (value) => (value * 4095) / 255);
    const containers = [
      writeTiff([{ ...page, values: grey }]),
      writeTiff([{ ...page, values: Uint16Array.from(counts) }], { bigEndian: true }),
      writeTiff([{ ...page, values: counts, format: 3 }]),
      writeTiff([{ ...page, values: Float32Array.from(grey, (value) => value / 255), format: 3 }], {
        big: true,
      }),
    ];
    const [first, ...others] = await Promise.all(containers.map((bytes) => router.classify(bytes)));
    expect(first!.cellType).toBe('phase-contrast');
    for (const other of others) {
      expect(other.cellType).toBe('phase-contrast');
      for (const [type, probability] of Object.entries(other.probabilities)) {
        expect(Math.abs(probability - first!.probabilities[type]!)).toBeLessThan(0.01);
      }
    }
  });
});
