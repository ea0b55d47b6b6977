import sharp from 'sharp';
import { openDataset } from '../../../lib/data/open.js';
import { labelPng } from '../../../lib/export/label-png.js';
import { toCocoBoxes } from '../../../lib/mask/boxes.js';
import { Masks } from '../../../lib/mask/masks.js';
import { csv, workFolder } from '../../support/data-folder.js';
import { resultOf } from '../../support/result.js';

const folder = workFolder();

/** 4 x 3 pixels. Values are sparse, out of order and above 8 bits; 300 has two components. */
const values = Uint16Array.of(300, 0, 0, 65_535, 300, 0, 44, 65_535, 0, 0, 44, 300);

beforeAll(async () => {
  for (const name of ['a', 'b', 'c', 'd', 'e']) await folder.image(`set/images/${name}.png`, 4, 3);
  await folder.labels('set/labels/a.png', values, 4, 3);
  await folder.labels('set/labels/b.png', new Uint16Array(12), 4, 3);
  await folder.labels('set/labels/c.png', new Uint16Array(12).fill(1), 3, 4);
  const colours = sharp(Buffer.alloc(36, 9), { raw: { width: 4, height: 3, channels: 3 } });
  folder.write('set/labels/d.png', await colours.png().toBuffer());
});

const index = (...rows: string[]) => folder.write('set/index.csv', csv(...rows));

test('each value is a cell, and no bit is lost', async () => {
  index('id,modality,split', 'a,phase,train', 'b,,val');
  const dataset = await openDataset(folder.path('set'), { cellTypeColumn: 'modality' });
  expect(dataset.problems).toEqual([]);
  const [a, b] = dataset.items;
  expect([a!.cellType, b!.cellType]).toEqual(['phase', undefined]);
  expect(a!.columns).toEqual({ modality: 'phase', split: 'train' });
  const { masks, labels } = await a!.load();
  // By ascending value: 44, 300, 65535.
  expect(masks.toKaggle()).toEqual(['7 1 11 1', '1 1 5 1 12 1', '4 1 8 1']);
  expect([...toCocoBoxes(masks.boxes())]).toEqual([2, 1, 1, 2, 0, 0, 4, 3, 3, 0, 1, 2]);
  expect([...labels]).toEqual([1, 1, 1]);
  expect([...a!.areas!]).toEqual([2, 3, 2]);
  expect(b!.cells).toBe(0);
});

test('output of labelPng can be read', async () => {
  const masks = Masks.fromKaggle(['1 2 5 1', '4 1', '12 1'], { width: 4, height: 3 });
  folder.write('back/labels/x.png', await labelPng(resultOf(masks)));
  await folder.image('back/images/x.png', 4, 3);
  const [item] = (await openDataset(folder.path('back'))).items;
  expect((await item!.load()).masks.toKaggle()).toEqual(masks.toKaggle());
});

test('labels of 8 bits', async () => {
  await folder.image('bytes/images/x.png', 2, 2);
  await folder.image('bytes/labels/x.png', 2, 2, 200);
  expect((await openDataset(folder.path('bytes'))).items.map(({ cells }) => cells)).toEqual([1]);
});

test('unusable rows are reported, and the others are kept', async () => {
  folder.write('set/images/f.png', 'no image');
  folder.write('set/labels/f.png', 'no image');
  const rows = ['id,kind', 'a,x', 'a,y', 'c,x', 'd,x', 'e,x', 'f,x', 'g,x', ',x', 'b', 'b,x'];
  const file = index(...rows);
  const dataset = await openDataset(folder.path('set'), { cellTypeColumn: 'kind' });
  expect(dataset.items.map(({ id }) => id)).toEqual(['a', 'b']);
  expect(dataset.problems.every((problem) => problem.file === file)).toBe(true);
  expect(dataset.problems.map(({ row, id, reason }) => [row, id, reason])).toEqual([
    [3, 'a', 'row 2 already has this id'],
    [4, 'c', 'its labels have 3 x 4 pixels, but the image 4 x 3'],
    [5, 'd', expect.stringContaining('its labels are in colour; whole numbers in one channel are read')],
    [6, 'e', expect.stringContaining('its labels: there is no image with this name')],
    [7, 'f', expect.stringContaining('f.png: ')],
    [8, 'g', expect.stringContaining('there is no image with this name')],
    [9, undefined, 'it is empty'],
    [10, undefined, '1 fields, but the header has 2'],
  ]);
  await expect(openDataset(folder.path('set'), { strict: true })).rejects.toMatchObject({
    code: 'DATA_INVALID',
  });
});

test('without an index every image is used', async () => {
  await folder.image('bare/images/y.png', 4, 3);
  await folder.image('bare/images/x.png', 4, 3);
  await folder.labels('bare/labels/x.png', values, 4, 3);
  const dataset = await openDataset(folder.path('bare'));
  expect(dataset.items.map(({ id, cellType: type, cells }) => [id, type, cells])).toEqual([
    ['x', undefined, 3],
  ]);
  expect(dataset.problems).toEqual([expect.objectContaining({ file: folder.path('bare'), id: 'y' })]);
});

test('a file that was removed is reported when it is loaded', async () => {
  await folder.image('gone/images/x.png', 4, 3);
  await folder.labels('gone/labels/x.png', values, 4, 3);
  const [item] = (await openDataset(folder.path('gone'))).items;
  const { rmSync } = await import('node:fs');
  rmSync(folder.path('gone/images/x.png'));
  await expect(item!.load()).rejects.toMatchObject({ code: 'FILE_UNREADABLE' });
  await expect(item!.load({ signal: AbortSignal.abort(new Error('enough')) })).rejects.toThrow('enough');
});
