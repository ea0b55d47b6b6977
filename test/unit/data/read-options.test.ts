import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import sharp from 'sharp';
import { findImages } from '../../../lib/cli/images.js';
import { pagesOf } from '../../../lib/cli/read-options.js';
import { openDataset } from '../../../lib/data/open.js';
import { decodeImage } from '../../../lib/image/decode.js';
import { refusal } from '../../support/refusal.js';
import { writeTiff } from '../../support/tiff.js';

const folder = mkdtempSync(join(tmpdir(), 'cellroute-read-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const [width, height] = [16, 12];
const size = width * height;
const labels = Uint16Array.from({ length: size }, (_, i) => (i < 20 ? 1 : 0));

async function dataset(name: string, image: Buffer, file = 'a.tif'): Promise<string> {
  const path = join(folder, name);
  mkdirSync(join(path, 'images'), { recursive: true });
  mkdirSync(join(path, 'labels'));
  writeFileSync(join(path, 'images', file), image);
  const png = sharp(labels, { raw: { width, height, channels: 1 } })
    .toColourspace('grey16')
    .png();
  writeFileSync(join(path, 'labels/a.png'), await png.toBuffer());
  return path;
}

const first = async (path: string, options = {}) => {
  const data = await openDataset(path, options);
  const { image } = await data.items[0]!.load();
  return { data, pixels: await decodeImage(image) };
};

test('channels of a data set: required, and used for all images', async () => {
  const values = Uint8Array.from({ length: 2 * size }, (_, i) => (i % 2 === 0 ? 7 : 200));
  const path = await dataset('channels', writeTiff([{ width, height, values, samples: 2 }]));
  const error = await refusal(openDataset(path));
  expect(error.message).toMatch(/it has 2 channels .* choose one or three/);
  const { pixels } = await first(path, { channels: 1 });
  expect(Array.from(pixels.data)).toEqual(new Array(size).fill(200));
});

test('pages of a data set: unread pages are reported, unless one was selected', async () => {
  const page = (value: number) => ({ width, height, values: new Uint8Array(size).fill(value) });
  const path = await dataset('pages', writeTiff([page(1), page(2), page(3)]));
  const { data, pixels } = await first(path);
  expect(pixels.data[0]).toBe(1);
  expect(data.notices.map(({ reason }) => reason)).toEqual([
    'it has 3 pages; page 0 was read (choose with page)',
  ]);
  const chosen = await first(path, { page: 2 });
  expect(chosen.pixels.data[0]).toBe(3);
  expect(chosen.data.notices).toEqual([]);
});

test('limits of a data set', async () => {
  const path = await dataset('limits', writeTiff([{ width, height, values: new Uint8Array(size) }]));
  expect((await openDataset(path, { limits: { pixels: size } })).items).toHaveLength(1);
  expect((await refusal(openDataset(path, { limits: { pixels: size - 1 } }))).message).toMatch(
    /limits\.pixels/,
  );
});

test.each([
  [12, 16, 1],
  [16, 12, 0],
])('annotations of %d x %d and a JPEG whose tag turns it to 12 x 16', async (w, h, items) => {
  const path = join(folder, `exif-${w}`);
  mkdirSync(path);
  const jpeg = await sharp(new Uint8Array(3 * size), { raw: { width, height, channels: 3 } })
    .withMetadata({ orientation: 6 })
    .jpeg()
    .toBuffer();
  writeFileSync(join(path, 'a.jpg'), jpeg);
  const coco = {
    images: [{ id: 1, file_name: 'a.jpg', width: w, height: h }],
    categories: [{ id: 1, name: 'cell' }],
    annotations: [
      { id: 1, image_id: 1, category_id: 1, iscrowd: 0, segmentation: [[1, 1, 8, 1, 8, 8, 1, 8]] },
    ],
  };
  writeFileSync(join(path, 'coco.json'), JSON.stringify(coco));
  if (items === 1) {
    const { pixels, data } = await first(path);
    expect(pixels).toMatchObject({ width: 12, height: 16, source: { orientation: 6 } });
    expect(data.items).toHaveLength(1);
  } else {
    const error = await refusal(openDataset(path));
    expect(error.message).toMatch(
      /16 x 12, but the image has 12 x 16 pixels once its EXIF orientation 6 is applied/,
    );
  }
});

describe('--all-pages', () => {
  const page = (description?: string) => ({
    width,
    height,
    values: new Uint8Array(size),
    ...(description !== undefined && { description }),
  });

  test('processes each page, or each z and t, with its own name', async () => {
    const path = join(folder, 'stacks');
    mkdirSync(path);
    writeFileSync(join(path, 'a.tif'), writeTiff([page(), { ...page(), subfileType: 1 }, page()]));
    const ij = 'ImageJ=1.53t\nimages=8\nchannels=2\nslices=2\nframes=2\n';
    writeFileSync(join(path, 'b.tif'), writeTiff([page(ij), ...Array.from({ length: 7 }, () => page())]));
    writeFileSync(join(path, 'c.png'), 'no image');
    const images = await findImages([path]);
    const pages = await pagesOf(images, { allPages: true, channels: 1 });
    expect(pages.map(({ name, fileName, read }) => [name, fileName, read])).toEqual([
      ['a', 'a.tif', { channels: 1 }],
      ['b.t0.z0', 'b.t0.z0.tif', { channels: 1, z: 0, t: 0 }],
      ['b.t0.z1', 'b.t0.z1.tif', { channels: 1, z: 1, t: 0 }],
      ['b.t1.z0', 'b.t1.z0.tif', { channels: 1, z: 0, t: 1 }],
      ['b.t1.z1', 'b.t1.z1.tif', { channels: 1, z: 1, t: 1 }],
      ['c', 'c.png', { channels: 1 }],
    ]);
    const plain = await pagesOf(images.slice(0, 1), { allPages: true });
    expect(plain.map(({ name, read }) => [name, read])).toEqual([
      ['a.page0', { page: 0 }],
      ['a.page2', { page: 2 }],
    ]);
    expect((await pagesOf(images, { page: 1 })).map(({ read }) => read)).toEqual([
      { page: 1 },
      { page: 1 },
      { page: 1 },
    ]);
  });

  test('a slide recognised only by its extension is refused with a conversion', async () => {
    const path = join(folder, 'x.mrxs');
    writeFileSync(path, 'anything');
    const error = await refusal(findImages([path]));
    expect(error.code).toBe('IMAGE_UNSUPPORTED');
    expect(error.message).toMatch(/MRXS.*vips copy/);
  });
});
