import { copyFileSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import sharp from 'sharp';
import { openSlide, type RawImage, readImageInfo } from '../../../lib/index.js';
import { image as images, rejection } from '../../support/sdk.js';
import { cropOf, gradient, scratchFolder } from '../../support/slide.js';
import { writeTiff } from '../../support/tiff.js';

const folder = scratchFolder();
const at = (name: string) => join(folder, name);

/** Windows at corners, across tiles and of one pixel. */
const windows = [
  { x: 0, y: 0, width: 5, height: 4 },
  { x: 120, y: 60, width: 150, height: 140 },
  { x: 299, y: 259, width: 1, height: 1 },
  { x: 290, y: 0, width: 10, height: 260 },
];

async function expectWindows(path: string, whole: RawImage, picks?: readonly number[], options = {}) {
  const slide = await openSlide(path, options);
  expect([slide.width, slide.height]).toEqual([whole.width, whole.height]);
  for (const window of windows) {
    const { data, ...rest } = await slide.read(window);
    expect(rest).toMatchObject({ width: window.width, height: window.height });
    expect(data.constructor.name).toBe(whole.data.constructor.name);
    expect(Array.from(data)).toEqual(cropOf(whole, window, picks));
  }
  await slide.close();
}

describe('windows of a TIFF', () => {
  test.each([
    ['8-bit grey', 1, Uint8Array],
    ['16-bit grey', 1, Uint16Array],
    ['32-bit float grey', 1, Float32Array],
    ['8-bit RGB', 3, Uint8Array],
    ['16-bit RGB', 3, Uint16Array],
  ] as const)('%s equal the image, in tiles and strips, also as BigTIFF', async (name, channels, array) => {
    const whole = gradient(300, 260, channels, array);
    const page = {
      ...whole,
      values: whole.data,
      samples: channels,
      photometric: channels === 3 ? 2 : 1,
      ...(array === Float32Array && { format: 3 }),
    };
    for (const [i, file] of [
      writeTiff([{ ...page, tile: 64 }]),
      writeTiff([{ ...page, tile: 64, deflate: true }], { big: true }),
      writeTiff([{ ...page, rowsPerStrip: 7, deflate: true }], { bigEndian: true }),
    ].entries()) {
      const path = at(`${name.replaceAll(' ', '-')}-${i}.tif`);
      writeFileSync(path, file);
      await expectWindows(path, whole);
    }
  });

  test('channels of interleaved samples are chosen', async () => {
    const whole = gradient(300, 260, 4, Uint16Array);
    const page = { ...whole, values: whole.data, samples: 4, extraSamples: [0, 0, 0], tile: 64 };
    const path = at('four.tif');
    writeFileSync(path, writeTiff([page]));
    const error = await rejection(openSlide(path));
    expect(error).toMatchObject({ code: 'IMAGE_UNSUPPORTED', details: { option: 'channels' } });
    await expectWindows(path, whole, [2], { channels: 2 });
    await expectWindows(path, whole, [3, 0, 1], { channels: [3, 0, 1] });
  });

  test('channels and planes of an OME-TIFF are chosen by name and place', async () => {
    const planes = Array.from({ length: 6 }, (_, i) => {
      const { data, ...size } = gradient(300, 260);
      return { ...size, values: (data as Uint8Array).map((value) => (value + 31 * i) % 256), tile: 64 };
    });
    const description =
      '<OME><Image><Pixels SizeX="300" SizeY="260" SizeC="3" SizeZ="2" SizeT="1" DimensionOrder="XYCZT">' +
      '<Channel Name="DAPI"/><Channel Name="GFP"/><Channel Name="RFP"/><TiffData/></Pixels></Image></OME>';
    const path = at('planes.ome.tif');
    writeFileSync(path, writeTiff([{ ...planes[0]!, description }, ...planes.slice(1)]));
    const whole = (i: number): RawImage => ({
      data: planes[i]!.values,
      width: 300,
      height: 260,
      channels: 1,
    });
    await expectWindows(path, whole(1), [0], { channels: 'GFP' });
    await expectWindows(path, whole(5), [0], { channels: 2, z: 1 });
    const slide = await openSlide(path, { channels: ['RFP', 'DAPI', 'GFP'] });
    expect(slide.channels).toEqual(['DAPI', 'GFP', 'RFP']);
    expect(slide.source!.notices.join()).toMatch(/2 planes along z/);
    const { data } = await slide.read({ x: 0, y: 0, width: 1, height: 1 });
    expect(Array.from(data)).toEqual([2, 0, 1].map((i) => planes[i]!.values[0]));
  });
});

describe('levels of a pyramid', () => {
  const whole = gradient(900, 700, 3);
  const raw = { raw: { width: 900, height: 700, channels: 3 as const } };

  test.each([
    ['pages', { subifd: false }],
    ['BigTIFF pages', { bigtiff: true }],
  ])('as %s are listed and read', async (name, options) => {
    const path = at(`${name.replaceAll(' ', '-')}.tif`);
    const tile = {
      tile: true,
      tileWidth: 128,
      tileHeight: 128,
      pyramid: true,
      compression: 'deflate' as const,
    };
    await sharp(whole.data as Uint8Array, raw)
      .tiff({ ...tile, ...options })
      .toFile(path);
    const slide = await openSlide(pathToFileURL(path));
    expect(slide.levels).toEqual([
      { width: 900, height: 700, downsample: 1 },
      { width: 450, height: 350, downsample: 2 },
      { width: 225, height: 175, downsample: 4 },
      { width: 112, height: 87, downsample: 900 / 112 },
    ]);
    const level0 = await slide.read({ x: 500, y: 600, width: 300, height: 100 });
    expect(Array.from(level0.data)).toEqual(cropOf(whole, { x: 500, y: 600, width: 300, height: 100 }));
    const { data } = await slide.read({ x: 100, y: 100, width: 1, height: 1, level: 1 });
    // Four pixels become one.
    const four = cropOf(whole, { x: 200, y: 200, width: 2, height: 2 });
    for (let c = 0; c < 3; c++) {
      const mean = (four[c]! + four[3 + c]! + four[6 + c]! + four[9 + c]!) / 4;
      expect(Math.abs(data[c]! - mean)).toBeLessThanOrEqual(1);
    }
  });

  test('in SubIFDs are listed and read', async () => {
    const small = gradient(450, 350);
    const big = gradient(900, 700);
    // The level is written as a page, which a SubIFD then names in place of the chain.
    const file = writeTiff([
      { ...big, values: big.data, tile: 128, tags: { 330: [0xabcdef] } },
      { ...small, values: small.data, tile: 128, subfileType: 1 },
    ]);
    const first = file.readUInt32LE(4);
    const next = first + 2 + 12 * file.readUInt16LE(first);
    const level = file.readUInt32LE(next);
    file.writeUInt32LE(0, next);
    file.writeUInt32LE(level, file.indexOf(Buffer.from([0xef, 0xcd, 0xab, 0])));
    const path = at('subifds.tif');
    writeFileSync(path, file);
    const slide = await openSlide(path);
    expect(slide.levels.map(({ width, height }) => [width, height])).toEqual([
      [900, 700],
      [450, 350],
    ]);
    const window = { x: 301, y: 111, width: 99, height: 50 };
    expect(Array.from((await slide.read({ ...window, level: 1 })).data)).toEqual(cropOf(small, window));
    expect(Array.from((await slide.read(window)).data)).toEqual(cropOf(big, window));
  });

  test.each([
    ['marked', [0, 1, 9]],
    ['not marked', [0, 0, 0]],
  ] as const)(
    'SVS: thumbnail, label and macro pages, %s, are no levels and no planes',
    async (_how, marks) => {
      const tile = (width: number, height: number, subfileType?: number) => {
        const { data } = gradient(width, height, 3);
        return {
          ...{ width, height, values: data, samples: 3, photometric: 2, tile: 64 },
          ...(subfileType !== undefined && { subfileType }),
        };
      };
      const strip = (width: number, height: number, subfileType: number) => {
        const { tile: _, ...page } = tile(width, height, subfileType);
        return page;
      };
      const description = 'Aperio Image Library v11\n900x700 |AppMag = 20|MPP = 0.4990';
      const path = at('as.svs');
      writeFileSync(
        path,
        writeTiff([
          { ...tile(900, 700), description },
          strip(225, 175, marks[0]),
          tile(225, 175),
          strip(120, 140, marks[1]),
          strip(300, 80, marks[2]),
        ]),
      );
      const slide = await openSlide(path);
      expect(slide.source!.notices).toEqual([]);
      expect(slide.source!.pages).toEqual([0]);
      expect(slide.pixelSize).toBe(0.499);
      expect(slide.levels.map(({ width, height }) => [width, height])).toEqual([
        [900, 700],
        [225, 175],
      ]);
    },
  );

  test('JPEG tiles are read', async () => {
    const jpeg = at('jpeg.tif');
    await sharp(whole.data as Uint8Array, raw)
      .tiff({ tile: true, pyramid: true, compression: 'jpeg', quality: 95, tileWidth: 128, tileHeight: 128 })
      .toFile(jpeg);
    const decoded = await sharp(jpeg).raw().toBuffer();
    const window = { x: 130, y: 250, width: 140, height: 20 };
    const read = await (await openSlide(jpeg)).read(window);
    expect(Array.from(read.data)).toEqual(cropOf({ ...whole, data: decoded }, window));
  });
});

describe('what is refused', () => {
  const whole = gradient(300, 260);
  const page = { ...whole, values: whole.data, tile: 64 };
  const write = (name: string, bytes: Buffer) => {
    writeFileSync(at(name), bytes);
    return at(name);
  };

  test.each([
    ['a number', 3, 'INVALID_ARGUMENT', /path or URL/],
    ['an ftp: URL', new URL('ftp://host/slide.tif'), 'INVALID_ARGUMENT', /file:, http: or https:/],
    ['a file that is missing', '/no/such/slide.tif', 'FILE_UNREADABLE', /no\/such/],
    ['a PNG', images.small, 'IMAGE_UNSUPPORTED', /vips copy/],
  ])('%s', async (_, input, code, message) => {
    const error = await rejection(openSlide(input as string));
    expect(error.code).toBe(code);
    expect(error.message).toMatch(message);
  });

  test('layouts that can be decoded as a whole alone, with a command that converts them', async () => {
    const rgb = gradient(300, 260, 3);
    const planar = { ...rgb, values: rgb.data, samples: 3, photometric: 2, planar: true, rowsPerStrip: 20 };
    for (const [name, file, command] of [
      ['planar.tif', writeTiff([planar]), /tiffcp -p contig/],
      ['turned.tif', writeTiff([{ ...page, orientation: 6 }]), /tiffset -s 274 1/],
      [
        'tile.tif',
        writeTiff([{ ...page, deflate: true, tags: { 322: [1 << 15], 323: [1 << 15] } }]),
        /vips copy/,
      ],
    ] as const) {
      const error = await rejection(openSlide(write(name, file)));
      expect(error.code).toMatch(/^IMAGE_(UNSUPPORTED|TOO_LARGE)$/);
      expect(error.message).toMatch(command);
    }
  });

  test('damage: of directories when the slide is opened, of a tile when it is read', async () => {
    const file = writeTiff([{ ...page, deflate: true }]);
    const short = write('short.tif', file);
    truncateSync(short, file.length - 100);
    expect((await rejection(openSlide(short))).code).toBe('IMAGE_UNREADABLE');
    const loop = Buffer.from(file);
    const first = loop.readUInt32LE(4);
    loop.writeUInt32LE(first, first + 2 + 12 * loop.readUInt16LE(first));
    expect((await rejection(openSlide(write('loop.tif', loop)))).message).toMatch(/loop/);
    const damaged = Buffer.from(file);
    // In the stream of a tile in the middle.
    damaged.fill(0xff, 12_000, 14_000);
    const slide = await openSlide(write('damaged.tif', damaged));
    const error = await rejection(slide.read({ x: 0, y: 0, width: 300, height: 260 }));
    expect(error.code).toBe('IMAGE_UNREADABLE');
  });

  test('windows outside their level, limits, and reading after close or abort', async () => {
    const path = write('plain.tif', writeTiff([page]));
    const side = await rejection(openSlide(path, { limits: { side: 299 } }));
    expect(side).toMatchObject({ code: 'IMAGE_TOO_LARGE', details: { option: 'limits.side' } });
    const slide = await openSlide(path, { limits: { pixels: 10_000 } });
    for (const [window, option] of [
      [{ x: -1, y: 0, width: 1, height: 1 }, 'window.x'],
      [{ x: 0, y: 0.5, width: 1, height: 1 }, 'window.y'],
      [{ x: 299, y: 0, width: 2, height: 1 }, 'window.width'],
      [{ x: 0, y: 0, width: 1, height: 0 }, 'window.height'],
      [{ x: 0, y: 0, width: 1, height: 1, level: 1 }, 'window.level'],
      [{ x: 0, y: 0, width: 1, height: 1, zoom: 1 }, 'window.zoom'],
    ] as const) {
      const error = await rejection(slide.read(window as never));
      expect(error).toMatchObject({ code: 'INVALID_ARGUMENT', details: { option } });
    }
    const large = await rejection(slide.read({ x: 0, y: 0, width: 101, height: 100 }));
    expect(large).toMatchObject({ code: 'IMAGE_TOO_LARGE', details: { option: 'limits.pixels' } });
    const reason = new Error('enough');
    const pixel = { x: 0, y: 0, width: 1, height: 1 };
    await expect(slide.read(pixel, { signal: AbortSignal.abort(reason) })).rejects.toBe(reason);
    await expect(openSlide(path, { signal: AbortSignal.abort(reason) })).rejects.toBe(reason);
    await slide.close();
    await slide.close();
    expect((await rejection(slide.read(pixel))).code).toBe('DISPOSED');
  });
});

test('a fingerprint is that of the content and of the channels that are read', async () => {
  const whole = gradient(300, 260, 3);
  const page = { ...whole, values: whole.data, samples: 3, photometric: 2, tile: 64 };
  writeFileSync(at('one.tif'), writeTiff([page]));
  copyFileSync(at('one.tif'), at('two.tif'));
  const print = async (name: string, options = {}) => (await openSlide(at(name), options)).fingerprint!();
  const one = await print('one.tif');
  expect(await print('two.tif')).toBe(one);
  expect(await print('one.tif', { channels: 1 })).not.toBe(one);
  await expectWindows(at('one.tif'), whole, [1], { channels: 1 });
  const changed = new Uint8Array(whole.data);
  changed[0]! ^= 1;
  writeFileSync(at('two.tif'), writeTiff([{ ...page, values: changed }]));
  expect(await print('two.tif')).not.toBe(one);
});

describe('of many pages', () => {
  const pages = (count: number, tile?: number) => {
    const one = { width: 256, height: 256, values: gradient(256, 256).data as Uint8Array };
    const tiffData = Array.from(
      { length: count },
      (_, z) => `<TiffData IFD="${z}" FirstZ="${z}" PlaneCount="1"/>`,
    );
    const description = `<OME><Image><Pixels SizeX="256" SizeY="256" SizeC="1" SizeT="1" SizeZ="${count}" DimensionOrder="XYZCT"><Channel/>${tiffData.join('')}</Pixels></Image></OME>`;
    return Array.from({ length: count }, (_, i) => ({
      ...one,
      ...(tile !== undefined && { tile }),
      ...(i === 0 && { description }),
    }));
  };

  test('each directory is parsed once, though parts of the file are read one after the other', async () => {
    const calls: number[] = [];
    for (const count of [40, 80]) {
      writeFileSync(at(`pages-${count}.tif`), writeTiff(pages(count)));
      const parsing = jest.spyOn(DataView.prototype, 'getUint16');
      const slide = await openSlide(at(`pages-${count}.tif`), { z: count - 1 });
      calls.push(parsing.mock.calls.length);
      parsing.mockRestore();
      expect(slide.source!.page).toBe(count - 1);
      await slide.close();
    }
    expect(calls[1]! / calls[0]!).toBeLessThan(2.5);
  });

  test('the description is decoded once', async () => {
    const decoding = jest.spyOn(TextDecoder.prototype, 'decode');
    try {
      expect((await readImageInfo(writeTiff(pages(20, 64)), { z: 3 })).source.page).toBe(3);
      expect(decoding.mock.calls.length).toBeLessThan(8);
    } finally {
      decoding.mockRestore();
    }
  });
});
