import { readFileSync } from 'node:fs';
import { openDataset } from '../../../lib/data/open.js';
import { kaggleTrainCsv } from '../../../lib/export/kaggle-csv.js';
import { toCocoBoxes } from '../../../lib/mask/boxes.js';
import { Masks } from '../../../lib/mask/masks.js';
import { csv, workFolder } from '../../support/data-folder.js';
import { resultOf } from '../../support/result.js';

const folder = workFolder();
const header = 'id,annotation,width,height,cell_type,plate_time,sample_id';

beforeAll(async () => {
  for (const name of ['a', 'b', 'c']) await folder.image(`set/train/${name}.png`, 6, 4);
  await folder.image('set/train/twice.png', 6, 4);

  await folder.image('set/train/twice.jpg', 6, 4);
  folder.write('set/train/torn.png', 'no image');
});

const open = (rows: string[], options = {}) =>
  openDataset(folder.write('set/train.csv', csv(...rows)), options);

test('images with their cells, types and columns, with rows in any order', async () => {
  const dataset = await open([
    header,
    'b,1 2,6,4,cort,11h,plate-2',
    'a,1 3 7 3,6,4,astro,12h,plate-1',
    'b,24 1,6,4,cort,11h,plate-2',
    'c,,6,4,,12h,plate-1',
  ]);
  expect(dataset.problems).toEqual([]);
  expect(dataset.classNames).toEqual(['cell']);
  expect(dataset.items.map(({ id, cellType: type, cells }) => [id, type, cells])).toEqual([
    ['a', 'astro', 1],
    ['b', 'cort', 2],
    ['c', undefined, 0],
  ]);
  const [a, b, c] = dataset.items;
  expect(a).toMatchObject({ width: 6, height: 4, areas: Uint32Array.of(6) });
  expect(a!.columns).toEqual({ cell_type: 'astro', plate_time: '12h', sample_id: 'plate-1' });
  const loaded = await b!.load();
  expect(loaded.image).toEqual(readFileSync(folder.path('set/train/b.png')));
  expect(loaded.masks.toKaggle()).toEqual(['1 2', '24 1']);
  expect([...loaded.labels]).toEqual([1, 1]);
  // x, y, width, height: the box of one pixel is one wide, from 5 to 6 and 3 to 4.
  expect([...toCocoBoxes(loaded.masks.boxes())]).toEqual([0, 0, 2, 1, 5, 3, 1, 1]);
  const empty = await c!.load();
  expect([empty.masks.length, empty.masks.width, empty.masks.height]).toEqual([0, 6, 4]);
});

test('written files can be read', async () => {
  const size = { width: 6, height: 4 };
  const masks = Masks.fromKaggle(['1 2 7 2', '4 1 10 1 16 1', '24 1'], size);
  const results = [
    { id: 'a', result: resultOf(masks) },
    { id: 'b', result: resultOf(masks.select([])) },
  ];
  const text = kaggleTrainCsv(results, { cellType: 'cort' });
  const dataset = await openDataset(folder.write('set/train.csv', text));
  expect(dataset.problems).toEqual([]);
  expect(dataset.cellTypes).toEqual(['cort']);
  const [a, b] = await Promise.all(dataset.items.map((item) => item.load()));
  expect(a!.masks.toKaggle()).toEqual(masks.toKaggle());
  expect(b!.masks.length).toBe(0);
});

test('other order of columns, few columns, CRLF, a byte-order mark and quotes', async () => {
  const text = '\ufeffannotation,id\r\n"1 2","a"\r\n"",b\r\n';
  const dataset = await openDataset(folder.write('set/train.csv', text));
  expect(dataset.items.map(({ id, cells, cellType: type }) => [id, cells, type])).toEqual([
    ['a', 1, undefined],
    ['b', 0, undefined],
  ]);
});

test('unusable rows are reported, and the others are kept', async () => {
  const rows = [
    header,
    'a,1 3,6,4,astro,,',
    'a,1 3 2 1,6,4,astro,,', // overlapping
    'a,7 x,6,4,astro,,',
    'a,25 1,6,4,astro,,', // past the last pixel
    'a,1,6,4,astro,,',
    'a,7 3,7,4,astro,,', // another width
    'a,7 3,6,1e999,astro,,',
    'a,7 3,6,4,cort,,', // another type
    'a,7 3,6,4',
    ',7 3,6,4,astro,,',
    'missing,1 1,6,4,astro,,',
    'missing,3 1,6,4,astro,,',
    'twice,1 1,6,4,astro,,',
    'torn,1 1,6,4,astro,,',
    'b,NaN,6,4,astro,,',
    '../set/train/c,1 1,6,4,astro,,',
  ];
  const file = folder.path('set/train.csv');
  const dataset = await open(rows);
  expect(dataset.items.map(({ id, cells }) => [id, cells])).toEqual([['a', 1]]);
  expect(dataset.problems.every((problem) => problem.file === file)).toBe(true);
  expect(dataset.problems.map(({ row, column, id, reason }) => [row, column, id, reason])).toEqual([
    [3, 'annotation', 'a', 'Runs overlap or do not rise at character 4'],
    [4, 'annotation', 'a', 'Expected a digit or a space at character 2'],
    [5, 'annotation', 'a', 'A run leaves the image at character 0'],
    [6, 'annotation', 'a', 'A start without a length at character 1'],
    [7, 'width', 'a', 'it is "7", but the image has 6'],
    [8, 'height', 'a', 'it is "1e999", but the image has 4'],
    [9, 'cell_type', 'a', 'it is "cort", but "astro" in row 2 of this image'],
    [10, undefined, undefined, '4 fields, but the header has 7'],
    [11, 'id', undefined, 'it is empty'],
    [12, 'id', 'missing', expect.stringContaining('there is no image with this name')],
    [14, 'id', 'twice', 'there are several images with this name: twice.jpg, twice.png'],
    [15, 'id', 'torn', expect.stringContaining('torn.png: ')],
    [16, 'annotation', 'b', expect.stringContaining('at character 0')],
    [16, 'id', 'b', 'none of its rows can be used'],
    [17, 'id', '../set/train/c', expect.stringContaining('there is no image')],
  ]);
  await expect(open(rows, { strict: true })).rejects.toMatchObject({
    code: 'DATA_INVALID',
    message: expect.stringContaining('row 3, annotation, image a: Runs overlap'),
  });
});

test('a size of NaN is missing', async () => {
  const { items, problems } = await open([header, 'a,1 1,nan,NaN,,,']);
  expect([items.length, problems]).toEqual([1, []]);
});

test('a column whose values differ between rows is not a column of the image', async () => {
  const dataset = await open(['id,annotation,plate,cell', 'a,1 1,p,1', 'a,3 1,p,2', 'b,1 1,q,1']);
  expect(dataset.items.map(({ columns }) => columns)).toEqual([{ plate: 'p' }, { plate: 'q', cell: '1' }]);
});

test('names of object properties can be columns and ids', async () => {
  await folder.image('odd/train/__proto__.png', 3, 3);
  const text = csv('id,annotation,__proto__,constructor', '__proto__,1 1,x,y');
  const dataset = await openDataset(folder.write('odd/train.csv', text));
  const [item] = dataset.items;
  expect(item!.id).toBe('__proto__');
  expect(Object.entries(item!.columns)).toEqual([
    ['__proto__', 'x'],
    ['constructor', 'y'],
  ]);
  expect(({} as Record<string, unknown>).x).toBeUndefined();
});

test.each([
  ['no rows', csv(header), 'no image can be used'],
  ['an empty file', '', 'there is no column id, annotation or predicted; there are none'],
  [
    'no annotation',
    csv('id,mask', 'a,1 1'),
    'there is no column annotation or predicted; there are id, mask',
  ],
  ['a duplicate column', csv('id,annotation,id', 'a,1 1,a'), 'there are two columns id'],
  ['a quote inside a field', 'id,an"not\na,1 1\n', 'it cannot be read as CSV'],
  ['an unclosed quote', 'id,annotation\n"a,1 1\n', 'it cannot be read as CSV'],
  ['bytes that are not text', Buffer.from([0xff, 0xfe, 0, 1, 10, 34]), 'DATA_INVALID'],
])('refused: %s', async (_name, content, message) => {
  const opened = openDataset(folder.write('set/train.csv', content));
  await expect(opened).rejects.toMatchObject({ code: 'DATA_INVALID' });
  if (message !== 'DATA_INVALID') await expect(opened).rejects.toThrow(message);
});

test('the column of the type, and the folder of images, can be named', async () => {
  await folder.image('elsewhere/a.webp.png', 6, 4);
  const rows = ['id,annotation,kind', 'a.webp,1 1,x'];
  const options = { images: folder.path('elsewhere'), cellTypeColumn: ['phase', 'kind'] };
  expect((await open(rows, options)).cellTypes).toEqual(['x']);
  await expect(open(rows, { cellTypeColumn: 'phase' })).rejects.toThrow(
    'there is no column phase for the cell type; there are id, annotation, kind',
  );
  await expect(open(rows, { images: folder.path('nowhere') })).rejects.toMatchObject({
    code: 'FILE_UNREADABLE',
  });
});

test('stops when it is aborted', async () => {
  const signal = AbortSignal.abort(new Error('enough'));
  await expect(open([header, 'a,1 1,6,4,,,'], { signal })).rejects.toThrow('enough');
});
