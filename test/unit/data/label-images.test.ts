import sharp from 'sharp';
import { openDataset } from '../../../lib/data/open.js';
import { pairFiles } from '../../../lib/metrics/files/index.js';
import { workFolder } from '../../support/data-folder.js';
import { type TiffOptions, tiff } from '../../support/label-tiff.js';

const folder = workFolder();
const size = { width: 4, height: 3 };
/** Cell 7 in two components, the large label once. */
const pattern = (large: number | bigint) => [7, 0, 0, large, 7, 0, 0, large, 0, 0, 0, 7];
const masks = ['1 1 5 1 12 1', '4 1 8 1'];

/** Reads a label image as a data set and as ground truth. */
async function read(name: string, content: Buffer) {
  const set = `set-${name.replaceAll(/\W/g, '-')}`;
  const ending = name.split('.').at(-1);
  await folder.image(`${set}/images/x.png`, size.width, size.height);
  folder.write(`${set}/labels/x.${ending}`, content);
  const path = folder.path(set);
  const opened = openDataset(path);
  const paired = pairFiles(path, path);
  const [data, pairs] = await Promise.allSettled([opened, paired]);
  expect(pairs.status).toBe(data.status);
  if (data.status === 'rejected') {
    expect((pairs as PromiseRejectedResult).reason.message).toBe(data.reason.message);
    return { reason: data.reason.message as string };
  }
  const [item] = data.value.items;
  const found = (await item!.load()).masks.toKaggle();
  const [image] = (pairs as PromiseFulfilledResult<Awaited<typeof paired>>).value.images;
  expect(image!.groundTruth.toKaggle()).toEqual(found);
  return { masks: found };
}

const layouts: [string, number | bigint, Omit<TiffOptions, 'width' | 'height'>][] = [
  ['uint8', 200, { bits: 8 }],
  ['int8', 100, { bits: 8, format: 2 }],
  ['uint16', 65_535, { bits: 16 }],
  ['int16', 32_000, { bits: 16, format: 2 }],
  ['uint32', 4_000_000_001, { bits: 32 }],
  ['int32', 2_000_000_001, { bits: 32, format: 2 }],
  ['uint64', 4_000_000_001n, { bits: 64 }],
  ['int64', 4_000_000_001n, { bits: 64, format: 2 }],
  ['float16', 2047, { bits: 16, format: 3 }],
  ['float32', 16_777_215, { bits: 32, format: 3 }],
  ['float64', 4_000_000_001, { bits: 64, format: 3 }],
  ['uint8 as a palette', 200, { bits: 8, photometric: 3 }],
  ['uint8, white is zero', 200, { bits: 8, photometric: 0 }],
];

describe.each([
  ['little-endian', {}],
  ['big-endian', { bigEndian: true }],
  ['deflated', { deflate: true }],
])('TIFF, %s', (order, options) => {
  test.each(layouts)('%s', async (name, large, own) => {
    const file = tiff(pattern(large), { ...size, ...own, ...options });
    expect(await read(`${order} ${name}.tif`, file)).toEqual({ masks });
  });
});

test.each<[string, Buffer | Promise<Buffer>, RegExp]>([
  [
    'several pages.tif',
    tiff(pattern(9), { ...size, bits: 16, pages: 4 }),
    /its labels have 4 pages: save one page/,
  ],
  [
    'an ImageJ stack.tif',
    tiff([...pattern(9), ...pattern(9)], {
      ...size,
      bits: 16,
      description: 'ImageJ=1.53t\nimages=2\nslices=2\n',
    }),
    /its labels have 2 pages/,
  ],
  [
    'half a label.tif',
    tiff(pattern(9.5), { ...size, bits: 32, format: 3 }),
    /not integers from 0.*: 9\.5 at x 3, y 0/,
  ],
  [
    'not a number.tif',
    tiff(pattern(Number.NaN), { ...size, bits: 32, format: 3 }),
    /not integers from 0.*: NaN at x 3, y 0/,
  ],
  [
    'a negative label.tif',
    tiff(pattern(-1), { ...size, bits: 32, format: 2 }),
    /not integers from 0.*: -1 at x 3, y 0/,
  ],
  [
    'a label of 40 bits.tif',
    tiff(pattern(2n ** 40n), { ...size, bits: 64 }),
    /not integers from 0.*: 1099511627776 at x 3/,
  ],
  [
    'JPEG in TIFF.tif',
    tiff(pattern(9), { ...size, bits: 8, compression: 7 }),
    /lossy compression \(TIFF compression 7\)/,
  ],
  [
    'colours.tif',
    tiff([...pattern(9), ...pattern(9), ...pattern(9)], { ...size, bits: 8, samples: 3 }),
    /in colour/,
  ],
  ['torn.tif', tiff(pattern(9), { ...size, bits: 16 }).subarray(0, 20), /its labels cannot be read/],
  [
    'lossy.jpg',
    sharp({ create: { ...size, channels: 3, background: 'red' } })
      .jpeg()
      .toBuffer(),
    /lossy compression \(JPEG\)/,
  ],
  [
    'lossy.webp',
    sharp({ create: { ...size, channels: 3, background: 'red' } })
      .webp()
      .toBuffer(),
    /lossy compression \(WebP\)/,
  ],
])('refused: %s', async (name, content, message) => {
  expect(await read(name, await content)).toEqual({ reason: expect.stringMatching(message) });
});

test('16-bit PNG keeps all bits', async () => {
  const file = sharp(Uint16Array.from(pattern(40_000) as number[]), { raw: { ...size, channels: 1 } })
    .toColourspace('grey16')
    .png();
  expect(await read('sixteen.png', await file.toBuffer())).toEqual({ masks });
});

test('a dot is no extension: images well.1 and well.2 have no labels in well.png', async () => {
  const labels = await sharp(Uint8Array.from(pattern(9) as number[]), { raw: { ...size, channels: 1 } })
    .toColourspace('b-w')
    .png()
    .toBuffer();
  for (const name of ['well.1', 'well.2']) {
    await folder.image(`dots/images/${name}.png`, size.width, size.height);
    await folder.image(`own dots/images/${name}.png`, size.width, size.height);
    folder.write(`own dots/labels/${name}.png`, labels);
  }
  folder.write('dots/labels/well.png', labels);
  await expect(openDataset(folder.path('dots'))).rejects.toThrow('no image can be used');
  const { items } = await openDataset(folder.path('own dots'));
  expect(items.map(({ id, cells }) => [id, cells])).toEqual([
    ['well.1', 2],
    ['well.2', 2],
  ]);
});
