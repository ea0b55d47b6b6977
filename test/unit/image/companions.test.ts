import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import sharp from 'sharp';
import { findImages } from '../../../lib/cli/images.js';
import { openDataset } from '../../../lib/data/open.js';
import { decodeImage } from '../../../lib/image/decode.js';
import { workFolder } from '../../support/data-folder.js';
import { refusal } from '../../support/refusal.js';

// Slides of many files, whose own file is a JPEG or TIFF of a thumbnail.

const folder = workFolder();
let thumbnail: Buffer;
beforeAll(async () => {
  const raw = { width: 8, height: 8, channels: 1 as const };
  thumbnail = await sharp(Buffer.alloc(64, 90), { raw }).jpeg().toBuffer();
});

/** A thumbnail of this name, and the folder of the slide's own pixels. */
function slide(name: string, ...beside: string[]): string {
  const path = folder.write(name, thumbnail);
  for (const one of beside) folder.write(one, '');
  return path;
}

test.each([
  ['by its ending', 'end/a.mrxs', [], /MRXS.*vips copy/],
  ['by the data beside it', 'mrxs/a.jpg', ['mrxs/a/Slidedat.ini'], /MRXS/],
  ['by its ending', 'vsi-end/a.VSI', [], /VSI.*bfconvert/],
  ['by the data beside it', 'vsi/a.tif', ['vsi/_a_/stack1/frame_t.ets'], /VSI/],
])('%s: %s', async (_how, name, beside, what) => {
  const path = slide(name, ...beside);
  for (const read of [() => decodeImage(path), () => findImages([path])]) {
    const error = await refusal(read());
    expect(error.code).toBe('IMAGE_UNSUPPORTED');
    expect(error.message).toMatch(what);
  }
});

test('in a data set it is a problem of that image', async () => {
  slide('set/images/a.jpg', 'set/images/a/Slidedat.ini');
  slide('set/images/b.jpg');
  for (const name of ['a', 'b'])
    await folder.labels(`set/labels/${name}.png`, new Uint16Array(64).fill(1, 0, 3), 8, 8);
  const { items, problems } = await openDataset(folder.path('set'));
  expect(items.map(({ id }) => id)).toEqual(['b']);
  expect(problems.map(({ reason }) => reason)).toEqual([expect.stringContaining('MRXS')]);
});

test('a folder with the name of an image does not make it a slide', async () => {
  mkdirSync(join(folder.path('plain'), 'a'), { recursive: true });
  expect((await decodeImage(slide('plain/a.jpg', 'plain/a/notes.txt'))).width).toBe(8);
});
