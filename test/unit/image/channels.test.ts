import sharp from 'sharp';
import { decodeImage, readImageInfo } from '../../../lib/image/decode.js';
import type { ImageReadOptions } from '../../../lib/image/types.js';
import { refusal } from '../../support/refusal.js';
import { type TestPage, writeTiff } from '../../support/tiff.js';

const width = 21;
const height = 18;

/** Samples that all differ: 1000 times the sample index plus a ramp, within the range of the type. */
function samplesOf(
  type: typeof Uint8Array | typeof Uint16Array | typeof Float32Array,
  samples: number,
): Uint8Array | Uint16Array | Float32Array {
  const values = new type(width * height * samples);
  for (let i = 0; i < values.length; i++) {
    const [pixel, sample] = [Math.floor(i / samples), i % samples];
    values[i] = type === Uint8Array ? (pixel + 41 * sample) % 251 : 1000 * sample + pixel;
  }
  return values;
}

const pick = (values: ArrayLike<number>, samples: number, picks: readonly number[]) =>
  Array.from({ length: width * height }, (_, p) => picks.map((s) => values[p * samples + s]!)).flat();

const read = async (bytes: Buffer, options: ImageReadOptions = {}) => {
  const { data, ...rest } = await decodeImage(bytes, options);
  return { ...rest, data: Array.from(data) };
};

describe('channels of a TIFF', () => {
  const kinds: [string, Partial<TestPage>][] = [
    ['interleaved strips', { rowsPerStrip: 5 }],
    ['interleaved tiles', { tile: 16 }],
    ['interleaved, deflate', { rowsPerStrip: 7, deflate: true }],
    ['one after the other, one strip each', { planar: true }],
    ['one after the other, several strips each', { planar: true, rowsPerStrip: 5 }],
    ['one after the other, tiles', { planar: true, tile: 16, deflate: true }],
  ];
  const types = [Uint8Array, Uint16Array, Float32Array] as const;
  const headers = [
    { big: false, bigEndian: false },
    { big: true, bigEndian: true },
  ];

  describe.each(kinds)('%s', (_name, kind) => {
    test.each(types)('%p: each of 2, 3 and 6, and three as RGB', async (type) => {
      for (const samples of [2, 3, 6]) {
        for (const header of headers) {
          const values = samplesOf(type, samples);
          const page = { width, height, values, samples, format: type === Float32Array ? 3 : 1, ...kind };
          const extraSamples = new Array<number>(samples - 1).fill(0);
          const bytes = writeTiff([{ ...page, extraSamples }], header);
          for (const channel of [0, samples - 1]) {
            const one = await read(bytes, { channels: channel });
            expect(one).toMatchObject({ width, height, channels: 1, source: { channels: [channel] } });
            expect(one.data).toEqual(pick(values, samples, [channel]));
          }
          const order = [samples - 1, 0, 1];
          const three = await read(bytes, { channels: order });
          expect(three.channels).toBe(3);
          expect(three.data).toEqual(pick(values, samples, order));
        }
      }
    });

    test('RGB is read unchanged', async () => {
      for (const type of [Uint8Array, Uint16Array] as const) {
        const values = samplesOf(type, 3);
        const bytes = writeTiff([{ width, height, values, samples: 3, photometric: 2, ...kind }]);
        const { data, channels } = await read(bytes);
        expect(channels).toBe(3);
        expect(data).toEqual(Array.from(values));
        expect((await read(bytes, { channels: 1 })).data).toEqual(pick(values, 3, [1]));
      }
    });
  });

  test.each([
    [2, 1, [0]],
    [2, 1, undefined],
    [3, 1, [0, 0]],
    [4, 2, [0]],
    [4, 2, undefined],
    [5, 2, [2, 0]],
  ])(
    '%d samples of photometric %d with ExtraSamples %p need a choice',
    async (samples, photometric, extra) => {
      const page = { width, height, values: samplesOf(Uint8Array, samples), samples, photometric };
      const bytes = writeTiff([{ ...page, ...(extra && { extraSamples: extra }) }]);
      const error = await refusal(decodeImage(bytes));
      expect(error.code).toBe('IMAGE_UNSUPPORTED');
      expect(error.message).toMatch(
        new RegExp(`it has ${samples} channels .* choose one or three.*channels: 0.*--channels 0`),
      );
      expect((await read(bytes, { channels: 1 })).data).toEqual(pick(page.values, samples, [1]));
    },
  );

  test('ExtraSamples 2 is alpha and ignored: colours are unchanged', async () => {
    for (const [samples, photometric] of [
      [2, 1],
      [4, 2],
    ] as const) {
      for (const planar of [false, true]) {
        const values = samplesOf(Uint8Array, samples);
        const page = { width, height, values, samples, photometric, planar, extraSamples: [2] };
        const { data, channels } = await read(writeTiff([page]));
        expect(channels).toBe(samples - 1);
        expect(data).toEqual(pick(values, samples, samples === 2 ? [0] : [0, 1, 2]));
      }
    }
  });

  test('ExtraSamples 1 is premultiplied alpha: colours are divided by it', async () => {
    const colours = samplesOf(Uint8Array, 4).map((value, i) => (i % 4 === 3 ? 128 + (value % 128) : value));
    const values = colours.map((value, i) => {
      const alpha = colours[i - (i % 4) + 3]!;
      return i % 4 === 3 ? value : Math.round((value * alpha) / 255);
    });
    const page = { width, height, values, samples: 4, photometric: 2, extraSamples: [1] };
    const { data, channels } = await read(writeTiff([page]));
    expect(channels).toBe(3);
    const wanted = pick(colours, 4, [0, 1, 2]);
    expect(Math.max(...data.map((value, i) => Math.abs(value - wanted[i]!)))).toBeLessThanOrEqual(2);
    const error = await refusal(decodeImage(writeTiff([{ ...page, planar: true }])));
    expect(error.code).toBe('IMAGE_UNSUPPORTED');
    expect(error.message).toMatch(/transpose\(1, 2, 0\), .*planarconfig=1/);
  });

  test.each<[unknown, RegExp]>([
    [2, /an index from 0 to 1 for channels but received 2/],
    [-1, /index from 0 or its name/],
    [[0, 1], /a list of one or three/],
    ['DAPI', /an index from 0 to 1 for channels but received "DAPI"/],
    [null, /index from 0 or its name/],
  ])('channels: %p is refused', async (channels, message) => {
    const bytes = writeTiff([{ width, height, values: samplesOf(Uint8Array, 2), samples: 2 }]);
    const error = await refusal(decodeImage(bytes, { channels: channels as number }));
    expect(error.code).toBe('INVALID_ARGUMENT');
    expect(error.message).toMatch(message);
  });

  test('of a PNG and of raw pixels can be selected too', async () => {
    const values = samplesOf(Uint8Array, 3);
    const png = await sharp(values, { raw: { width, height, channels: 3 } })
      .png()
      .toBuffer();
    expect((await read(png, { channels: 2 })).data).toEqual(pick(values, 3, [2]));
    const raw = await decodeImage({ data: values, width, height, channels: 3 }, { channels: [2, 1, 0] });
    expect(Array.from(raw.data)).toEqual(pick(values, 3, [2, 1, 0]));
  });

  test('readImageInfo returns what would be read', async () => {
    const bytes = writeTiff([{ width, height, values: samplesOf(Uint8Array, 5), samples: 5 }]);
    expect(await readImageInfo(bytes, { channels: 3 })).toEqual({
      width,
      height,
      source: {
        format: 'TIFF',
        page: 0,
        pages: [0],
        channels: [3],
        sizes: { channels: 5, z: 1, t: 1 },
        notices: [],
      },
    });
  });
});

describe('a palette', () => {
  const values = Uint8Array.from({ length: width * height }, (_, i) => i % 256);
  const page = { width, height, values, photometric: 3 };
  const ramp = Array.from({ length: 256 }, (_, i) => 257 * i);
  const none = new Array<number>(256).fill(0);

  test('of colours gives three channels, of which one can be chosen', async () => {
    const bytes = writeTiff([{ ...page, tags: { 320: [...none, ...ramp, ...none] } }]);
    const whole = await decodeImage(bytes);
    expect([whole.channels, whole.source?.channels, whole.source?.sizes.channels]).toEqual([3, [0, 1, 2], 3]);
    const green = await decodeImage(bytes, { channels: 1 });
    expect([green.channels, green.source?.channels]).toEqual([1, [1]]);
    expect(Array.from(green.data)).toEqual(Array.from(values));
    expect(Array.from((await decodeImage(bytes, { channels: 0 })).data)).toEqual(Array.from(values, () => 0));
  });

  test.each([
    ['OME', '<OME xmlns="x"><Image><Pixels DimensionOrder="XYCZT" SizeC="1"/></Image></OME>', 1],
    ['ImageJ', 'ImageJ=1.54f\n', 1],
    ['no program that is known', '', 3],
  ])('that rises, in a file of %s', async (_name, description, channels) => {
    const bytes = writeTiff([{ ...page, description, tags: { 320: [...none, ...ramp, ...none] } }]);
    const image = await decodeImage(bytes);
    expect(image.channels).toBe(channels);
    expect(image.source?.notices).toEqual(
      channels === 3 ? [] : [expect.stringContaining('the values under them were read')],
    );
    if (channels === 1) expect(Array.from(image.data)).toEqual(Array.from(values));
  });

  test('without order is of indexed colours, also in a file of ImageJ', async () => {
    const mixed = Array.from({ length: 256 }, (_, i) => (i * 9973) % 65_536);
    const tags = { 320: [...mixed, ...ramp, ...none] };
    const { channels } = await decodeImage(writeTiff([{ ...page, description: 'ImageJ=1.54f\n', tags }]));
    expect(channels).toBe(3);
  });

  test('of greys gives one', async () => {
    const inverted = ramp.toReversed();
    const bytes = writeTiff([{ ...page, tags: { 320: [...inverted, ...inverted, ...inverted] } }]);
    const { channels, data, source } = await decodeImage(bytes);
    expect([channels, source?.sizes.channels]).toEqual([1, 1]);
    expect(Array.from(data)).toEqual(Array.from(values, (value) => 255 - value));
  });
});

test('channels of a Buffer with pixels are selected without a deprecated constructor', async () => {
  const image = { data: Buffer.from([1, 2, 3, 4, 5, 6]), width: 2, height: 1, channels: 3 } as const;
  const { data } = await decodeImage(image, { channels: [1] });
  expect([Buffer.isBuffer(data), ...data]).toEqual([false, 2, 5]);
});
