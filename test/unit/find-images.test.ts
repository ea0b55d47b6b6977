import { basename } from 'node:path';
import { findImages } from '../../lib/cli/images.js';
import { workFolder } from '../support/data-folder.js';
import { refusal } from '../support/refusal.js';

// Which files of a folder are images to segment.

const folder = workFolder();
let printed: string[];
beforeEach(() => {
  printed = [];
  jest.spyOn(console, 'error').mockImplementation((line: string) => void printed.push(line));
});
afterEach(() => jest.restoreAllMocks());

const namesIn = async (path: string) =>
  (await findImages([folder.path(path)])).map((image) => basename(image.path));

test("Cellpose's masks beside their images are skipped with a message", async () => {
  for (const name of ['a.png', 'a_masks.png', 'b.tif', 'b_cp_masks.png', 'face_masks.png', '_masks.png'])
    folder.write(`cellpose/${name}`, '');
  expect(await namesIn('cellpose')).toEqual(['_masks.png', 'a.png', 'b.tif', 'face_masks.png']);
  expect(printed).toEqual([
    expect.stringMatching(/2 files have names of masks of other images.*\(a_masks\.png, b_cp_masks\.png\)/),
  ]);
  expect(await namesIn('cellpose/a_masks.png')).toEqual(['a_masks.png']);
});

test('an OME-Zarr image is refused by name where slides are not read', async () => {
  folder.write('slide.ome.zarr/zarr.json', '{}');
  const error = await refusal(findImages([folder.path('slide.ome.zarr')]));
  expect(error).toMatchObject({ code: 'IMAGE_UNSUPPORTED', details: { got: 'an OME-Zarr image' } });
  expect(await findImages([folder.path('slide.ome.zarr')], { slides: true })).toHaveLength(1);
});

test.each(
  [
    ['a data set', ['images/a.png', 'labels/a.png'], /its folder images: pass .*set-0.images$/],
    ['one folder of images', ['new/a.png', 'notes/a.txt'], /its folder new: pass .*set-1.new$/],
    ['two folders of images', ['new/a.png', 'old/a.png'], /\.webp\)$/],
    ['nothing', ['notes/a.txt'], /\.webp\)$/],
  ].map((row, i) => [...row, i] as [string, string[], RegExp, number]),
)(
  'the error for a folder without images names the folder with them: %s',
  async (_what, files, message, i) => {
    for (const name of files) folder.write(`set-${i}/${name}`, '');
    const error = await refusal(findImages([folder.path(`set-${i}`)]));
    expect(error.code).toBe('FILE_UNREADABLE');
    expect(error.message).toMatch(/contains no images/);
    expect(error.message).toMatch(message);
  },
);
