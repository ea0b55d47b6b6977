import sharp from 'sharp';
import { decodeImage, readImageInfo } from '../../../lib/image/decode.js';
import type { ImageReadOptions } from '../../../lib/image/types.js';
import { refusal } from '../../support/refusal.js';
import { type TestPage, writeTiff } from '../../support/tiff.js';

const width = 12;
const height = 10;
/** Plane k has the value k everywhere. */
const plane = (k: number): TestPage => ({ width, height, values: new Uint16Array(width * height).fill(k) });
const planes = (count: number, description: string): TestPage[] =>
  Array.from({ length: count }, (_, k) => ({ ...plane(k), ...(k === 0 && { description }) }));
/** All planes in one directory, as in ImageJ's large stacks. */
const stack = (count: number, description: string): TestPage => ({
  ...plane(0),
  description,
  behind: Uint16Array.from(
    { length: (count - 1) * width * height },
    (_, i) => 1 + Math.floor(i / (width * height)),
  ),
});

const readPlane = async (bytes: Buffer, options: ImageReadOptions = {}) => {
  const { data, channels, source } = await decodeImage(bytes, options);
  const values = Array.from(data.subarray(0, channels));
  for (let i = 0; i < data.length; i++) expect(data[i]).toBe(values[i % channels]);
  return { values, source: source! };
};

describe('pages without axes', () => {
  const bytes = writeTiff([plane(0), plane(1), plane(2)]);

  test('the first is read, the others are reported', async () => {
    const { values, source } = await readPlane(bytes);
    expect(values).toEqual([0]);
    expect(source).toMatchObject({ page: 0, pages: [0, 1, 2], sizes: { channels: 1, z: 1, t: 1 } });
    expect(source.notices).toEqual(['it has 3 pages; page 0 was read (choose with page)']);
  });

  test('page selects; a selected page is not reported', async () => {
    const { values, source } = await readPlane(bytes, { page: 2 });
    expect(values).toEqual([2]);
    expect(source).toMatchObject({ page: 2, notices: [] });
  });

  test('z and t need axes', async () => {
    for (const key of ['z', 't'] as const) {
      const error = await refusal(decodeImage(bytes, { [key]: 1 }));
      expect(error.code).toBe('INVALID_ARGUMENT');
      expect(error.message).toMatch(
        new RegExp(`no ${key}, as the TIFF names no such axis \\(page chooses a plane\\) for ${key}`),
      );
    }
  });
});

describe("ImageJ's stacks", () => {
  const hyperstack = 'ImageJ=1.11a\nimages=24\nchannels=2\nslices=3\nframes=4\nhyperstack=true\n';
  const kinds: [string, (header: object) => Buffer][] = [
    ['a directory each', (header) => writeTiff(planes(24, hyperstack), header)],
    ['one directory', (header) => writeTiff([stack(24, hyperstack)], header)],
  ];

  describe.each(kinds)('%s', (_name, make) => {
    test.each([{}, { bigEndian: true }, { big: true }])(
      'channel, z and t select a plane: %p',
      async (header) => {
        const bytes = make(header);
        for (const [channel, z, t] of [
          [0, 0, 0],
          [1, 0, 0],
          [0, 2, 0],
          [1, 1, 3],
        ] as const) {
          const { values, source } = await readPlane(bytes, { channels: channel, z, t });
          expect(values).toEqual([channel + 2 * (z + 3 * t)]);
          expect(source).toMatchObject({ z, t, channels: [channel], sizes: { channels: 2, z: 3, t: 4 } });
          expect(source.notices).toEqual([]);
        }
        expect((await readPlane(bytes, { page: 23 })).values).toEqual([23]);
      },
    );

    test('two channels need a choice', async () => {
      const error = await refusal(decodeImage(make({})));
      expect(error.code).toBe('IMAGE_UNSUPPORTED');
      expect(error.message).toMatch(/it has 2 channels .* choose one or three/);
    });

    test('planes along z and t that were not selected are reported', async () => {
      const { source } = await readPlane(make({}), { channels: 0 });
      expect(source.notices).toEqual([
        'it has 3 planes along z; z 0 was read (choose with z)',
        'it has 4 planes along t; t 0 was read (choose with t)',
      ]);
    });

    test('an index beyond an axis', async () => {
      const error = await refusal(decodeImage(make({}), { channels: 0, z: 3 }));
      expect(error.message).toMatch(/an index from 0 to 2 for z but received 3/);
    });
  });

  test('three channels can be read as RGB, but are not RGB by default', async () => {
    const bytes = writeTiff([stack(3, 'ImageJ=1.53t\nimages=3\nchannels=3\nmode=composite\n')]);
    expect((await readPlane(bytes, { channels: [2, 0, 1] })).values).toEqual([2, 0, 1]);
    expect((await refusal(decodeImage(bytes))).code).toBe('IMAGE_UNSUPPORTED');
  });

  test('images without axes are slices', async () => {
    const bytes = writeTiff([stack(3, 'ImageJ=1.53t\nimages=3\n')]);
    expect((await readPlane(bytes, { z: 2 })).values).toEqual([2]);
  });

  test('a stack that is longer than its file is damaged', async () => {
    const bytes = writeTiff([stack(3, 'ImageJ=1.53t\nimages=5\nslices=5\n')]);
    const error = await refusal(decodeImage(bytes, { z: 4 }));
    expect(error.code).toBe('IMAGE_UNREADABLE');
    expect(
      (await refusal(decodeImage(writeTiff([stack(1, 'ImageJ=1.53t\nimages=999999999\n')])))).message,
    ).toMatch(/states 999999999 planes/);
  });
});

describe('OME-TIFF', () => {
  const ome = (order: string, [c, z, t]: readonly number[], inside = '') =>
    `<?xml version="1.0"?><!-- <Pixels SizeZ="9"/> --><OME xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06" UUID="urn:uuid:1">` +
    `<Image ID="Image:0"><Pixels ID="Pixels:0" DimensionOrder="${order}" Type="uint16" SizeX="12" SizeY="10" SizeC="${c}" SizeZ="${z}" SizeT="${t}">` +
    `${inside}</Pixels></Image><Image ID="Image:1"><Pixels DimensionOrder="XYCZT" SizeC="7" SizeZ="7" SizeT="7"/></Image></OME>`;

  test.each(['XYCZT', 'XYCTZ', 'XYZCT', 'XYZTC', 'XYTCZ', 'XYTZC'])(
    'planes in the order %s',
    async (order) => {
      const sizes = { C: 2, Z: 3, T: 4 };
      const bytes = writeTiff(planes(24, ome(order, [2, 3, 4])));
      for (const place of [
        { C: 1, Z: 0, T: 0 },
        { C: 0, Z: 2, T: 1 },
        { C: 1, Z: 1, T: 3 },
      ]) {
        let [index, step] = [0, 1];
        for (const axis of order.slice(2) as Iterable<keyof typeof sizes>) {
          index += step * place[axis];
          step *= sizes[axis];
        }
        expect((await readPlane(bytes, { channels: place.C, z: place.Z, t: place.T })).values).toEqual([
          index,
        ]);
      }
    },
  );

  const named = '<Channel Name="DAPI &amp; Hoechst"/><Channel Name="GFP"/>';

  test('channels have names', async () => {
    const bytes = writeTiff(planes(2, ome('XYZCT', [2, 1, 1], named)));
    expect((await readPlane(bytes, { channels: 'GFP' })).values).toEqual([1]);
    expect((await readPlane(bytes, { channels: 'DAPI & Hoechst' })).values).toEqual([0]);
    const missing = await refusal(decodeImage(bytes, { channels: 'RFP' }));
    expect(missing.message).toMatch(/an index from 0 to 1, or one of "DAPI & Hoechst", "GFP" for channels/);
    expect((await refusal(decodeImage(bytes))).message).toMatch(/2 channels \(DAPI & Hoechst, GFP\)/);
    const info = await readImageInfo(bytes, { channels: 0 });
    expect(info.source).toMatchObject({ channelNames: ['DAPI & Hoechst', 'GFP'], channelPages: true });
  });

  test('TiffData maps planes to pages', async () => {
    const data =
      '<TiffData FirstZ="0" IFD="2"/><TiffData FirstZ="1" IFD="0"/><TiffData FirstZ="2" IFD="1" PlaneCount="1"/>';
    const bytes = writeTiff(planes(3, ome('XYZCT', [1, 3, 1], data)));
    for (const [z, page] of [
      [0, 2],
      [1, 0],
      [2, 1],
    ] as const) {
      expect((await readPlane(bytes, { z })).values).toEqual([page]);
    }
  });

  test('a plane in another file is missing', async () => {
    const data =
      '<TiffData FirstZ="0" IFD="0"><UUID FileName="a.tif">urn:uuid:1</UUID></TiffData>' +
      '<TiffData FirstZ="1" IFD="0"><UUID FileName="b.tif">urn:uuid:2</UUID></TiffData>';
    const bytes = writeTiff(planes(1, ome('XYZCT', [1, 2, 1], data)));
    expect((await readPlane(bytes)).values).toEqual([0]);
    const error = await refusal(decodeImage(bytes, { z: 1 }));
    expect(error.code).toBe('IMAGE_UNREADABLE');
    expect(error.message).toMatch(/does not hold the plane of channel 0, z 1, t 0/);
  });

  /** Each image with one plane, in the given file. */
  const series = (own: string, files: readonly string[]) =>
    `<OME xmlns="x" UUID="${own}">${files
      .map(
        (file, i) =>
          `<Image><Pixels DimensionOrder="XYCZT" SizeC="1" SizeZ="1" SizeT="1"><TiffData IFD="${i % 2}" PlaneCount="1"><UUID>${file}</UUID></TiffData></Pixels></Image>`,
      )
      .join('')}</OME>`;

  test('images (series) that are not read are reported', async () => {
    const bytes = writeTiff(planes(2, series('a', ['a', 'a'])));
    const { source } = await decodeImage(bytes);
    expect((await readPlane(bytes)).values).toEqual([0]);
    expect(source?.notices).toEqual(['it describes 2 images (series); image 0 was read (choose with page)']);
    expect((await decodeImage(bytes, { page: 1 })).source?.notices).toEqual([]);
  });

  test('of the images of several files, the one in this file is read', async () => {
    const bytes = writeTiff(planes(2, series('b', ['a', 'b', 'c'])));
    const { source } = await decodeImage(bytes);
    expect((await readPlane(bytes)).values).toEqual([1]);
    expect(source?.notices).toEqual(['it describes 3 images (series); image 1 was read (choose with page)']);
  });

  test('an RGB image is one channel with three samples', async () => {
    const values = Uint8Array.from({ length: width * height * 3 }, (_, i) => 10 * (i % 3));
    const description = ome('XYCZT', [3, 1, 1], '<Channel SamplesPerPixel="3"/>');
    const bytes = writeTiff([{ width, height, values, samples: 3, photometric: 2, description }]);
    expect((await readPlane(bytes)).values).toEqual([0, 10, 20]);
  });

  test('malicious or invalid XML is read in linear time', async () => {
    for (const inside of [
      '<TiffData PlaneCount="999999999"/>'.repeat(2000),
      '<TiffData '.repeat(100_000),
      `<Channel ${'a'.repeat(500_000)}`,
      '<!--'.repeat(100_000),
    ]) {
      const bytes = writeTiff(planes(1, ome('XYZCT', [999_999, 999_999, 999_999], inside)));
      await decodeImage(bytes).catch(() => {});
    }
  });
});

describe('pages that are not planes', () => {
  const small: TestPage = { width: 6, height: 5, values: new Uint16Array(30).fill(9) };
  const tiled: TestPage = { width: 64, height: 32, values: new Uint16Array(2048).fill(7), tile: 16 };
  const level: TestPage = { width: 32, height: 16, values: new Uint16Array(512).fill(8), tile: 16 };

  test.each<[string, TestPage[], number[], number]>([
    ['reduced images', [plane(0), { ...small, subfileType: 1 }, plane(2)], [0, 2], 0],
    ['a thumbnail before the image', [{ ...small, subfileType: 1 }, plane(3)], [1], 3],
    ['masks', [plane(0), { ...small, subfileType: 4 }], [0], 0],
    ['levels of a pyramid that are not marked', [tiled, level], [0], 7],
  ])('%s', async (_name, pages, expected, value) => {
    const { values, source } = await readPlane(writeTiff(pages));
    expect(source.pages).toEqual(expected);
    expect(values).toEqual([value]);
  });

  test('can still be selected with page', async () => {
    expect((await readPlane(writeTiff([tiled, level]), { page: 1 })).values).toEqual([8]);
  });

  test("sharp's pyramids are one image", async () => {
    const pixels = Uint8Array.from({ length: 400 * 300 }, (_, i) => i % 256);
    for (const options of [{}, { bigtiff: true }]) {
      const bytes = await sharp(pixels, { raw: { width: 400, height: 300, channels: 1 } })
        .toColourspace('b-w')
        .tiff({ tile: true, pyramid: true, compression: 'none', tileWidth: 64, tileHeight: 64, ...options })
        .toBuffer();
      const { source, data } = await decodeImage(bytes);
      expect(source).toMatchObject({ pages: [0], notices: [] });
      expect(Buffer.compare(Buffer.from(data), Buffer.from(pixels))).toBe(0);
    }
  });
});

describe('frames', () => {
  test('of a WebP are selected by page; unread ones are reported', async () => {
    const frames = [0, 1].map((k) => new Uint8Array(width * height * 3).fill(200 * k));
    const joined = Buffer.concat(frames);
    const webp = await sharp(joined, { raw: { width, height: 2 * height, channels: 3, pageHeight: height } })
      .webp({ lossless: true })
      .toBuffer();
    const first = await readPlane(webp);
    expect(first.source.notices).toEqual(['it has 2 frames; frame 0 was read (choose with page)']);
    expect((await readPlane(webp, { page: 1 })).values).toEqual([200, 200, 200]);
  });

  test('of a PNG: only the first is read', async () => {
    const png = await sharp(new Uint8Array(120), { raw: { width, height, channels: 1 } })
      .png()
      .toBuffer();
    const control = Buffer.from('00000008' + '6163544c' + '00000005' + '00000000' + '00000000', 'hex');
    const animated = Buffer.concat([png.subarray(0, 33), control, png.subarray(33)]);
    expect((await readImageInfo(animated)).source.notices).toEqual(['it has 5 frames; frame 0 was read']);
    expect((await refusal(readImageInfo(animated, { page: 1 }))).message).toMatch(/ffmpeg/);
  });
});

describe('orientation', () => {
  const [w, h] = [5, 4];
  const upright = Uint8Array.from({ length: w * h }, (_, i) => 12 * i);

  test.each([1, 2, 3, 4, 5, 6, 7, 8])(
    '%d is applied, in a TIFF as in a lossless WebP and a PNG',
    async (orientation) => {
      const turned = orientation >= 5;
      const at = (x: number, y: number): [number, number] =>
        (
          [
            [x, y],
            [w - 1 - x, y],
            [w - 1 - x, h - 1 - y],
            [x, h - 1 - y],
            [y, x],
            [y, h - 1 - x],
            [w - 1 - y, h - 1 - x],
            [w - 1 - y, x],
          ] as [number, number][]
        )[orientation - 1]!;
      const size = turned ? { width: h, height: w } : { width: w, height: h };
      const want = Array.from({ length: w * h }, (_, i) => {
        const [x, y] = at(i % size.width, Math.floor(i / size.width));
        return upright[y * w + x]!;
      });
      const image = () =>
        sharp(upright, { raw: { width: w, height: h, channels: 1 } }).withMetadata({ orientation });
      const files = [
        writeTiff([{ width: w, height: h, values: upright, orientation }]),
        await image().webp({ lossless: true }).toBuffer(),
        await image().toColourspace('b-w').png().toBuffer(),
      ];
      for (const bytes of files) {
        const { data, channels, source, ...own } = await decodeImage(bytes);
        expect(own).toEqual(size);
        expect(Array.from(data).filter((_, i) => i % channels === 0)).toEqual(want);
        expect(await readImageInfo(bytes)).toMatchObject(size);
        expect(source!.orientation).toBe(orientation === 1 ? undefined : orientation);
      }
    },
  );
});
