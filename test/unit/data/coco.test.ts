import { openDataset } from '../../../lib/data/open.js';
import { cocoDatasetJson } from '../../../lib/export/coco-json.js';
import { Masks } from '../../../lib/mask/masks.js';
import { workFolder } from '../../support/data-folder.js';
import { resultOf } from '../../support/result.js';

const folder = workFolder();

beforeAll(async () => {
  for (const name of ['a', 'b', 'c']) await folder.image(`coco/images/${name}.png`, 5, 4);
});

type Json = Record<string, unknown>;
const image = (id: number, name: string, others: Json = {}) => ({
  ...{ id, file_name: `${name}.png`, width: 5, height: 4 },
  ...others,
});
const square = [[1, 1, 3, 1, 3, 3, 1, 3]];
const annotation = (id: number, image_id: number, others: Json = {}) => ({
  ...{ id, image_id, category_id: 7, iscrowd: 0, segmentation: square },
  ...others,
});
const categories = [
  { id: 9, name: 'dead' },
  { id: 7, name: 'alive' },
];
const open = (json: unknown, options = {}) =>
  openDataset(folder.write('coco/set.json', typeof json === 'string' ? json : JSON.stringify(json)), options);

test('polygons, compressed and uncompressed run lengths, and crowds', async () => {
  const masks = Masks.fromKaggle(['1 1 6 2', '20 1'], { width: 5, height: 4 });
  const size = [4, 5];
  const dataset = await open({
    images: [image(3, 'b', { plate: 'p1', pixel: 0.5, nested: {} }), image(2, 'a')],
    categories,
    annotations: [
      annotation(1, 3),
      annotation(2, 3, { segmentation: [...square, [4, 0, 5, 0, 5, 1, 4, 1]], category_id: 9 }),
      annotation(3, 2, { segmentation: { size, counts: masks.toCoco()[0] } }),
      annotation(4, 2, { segmentation: { size, counts: [...masks.toCounts()[1]!] } }),
      annotation(5, 2, { segmentation: { size, counts: [0, 20] }, iscrowd: 1 }),
    ],
  });
  expect(dataset.problems).toEqual([]);
  expect(dataset.notices).toEqual([
    expect.objectContaining({
      column: 'annotations[4]',
      reason: 'a crowd region (iscrowd 1) is not a single cell: skipped',
    }),
  ]);
  expect(dataset.classNames).toEqual(['alive', 'dead']);
  const [a, b] = await Promise.all(dataset.items.map((item) => item.load()));
  expect(a!.masks.toKaggle()).toEqual(masks.toKaggle());
  expect(b!.masks.toKaggle()).toEqual(['7 2 12 2', '5 1 7 2 12 2']);
  expect([...b!.labels]).toEqual([1, 2]);
  expect(dataset.items[1]!.columns).toEqual({ id: '3', plate: 'p1', pixel: '0.5' });
});

test('the lists may have any order', async () => {
  const dataset = await open({ annotations: [annotation(1, 2)], categories, images: [image(2, 'a')] });
  expect(dataset.items.map(({ id, cells }) => [id, cells])).toEqual([['a', 1]]);
});

test('written files can be read, with categories as types', async () => {
  const masks = Masks.fromKaggle(['1 2 7 1', '20 1'], { width: 5, height: 4 });
  const routed = (cellType: string) => ({
    ...resultOf(masks),
    ...{ cellType, segmenter: cellType, probabilities: { [cellType]: 1 } },
  });
  const results = [
    { id: 'a.png', result: routed('astro') },
    { id: 'b.png', result: routed('cort') },
    { id: 'c.png', result: resultOf(masks.select([])) },
  ];
  const dataset = await open(cocoDatasetJson(results), { categories: 'cell-types' });
  expect(dataset.classNames).toEqual(['cell']);
  expect(dataset.items.map(({ id, cellType: type, cells }) => [id, type, cells])).toEqual([
    ['a', 'astro', 2],
    ['b', 'cort', 2],
    ['c', undefined, 0],
  ]);
  expect((await dataset.items[0]!.load()).masks.toKaggle()).toEqual(masks.toKaggle());
});

test('classNames selects and orders the categories', async () => {
  const json = {
    ...{ images: [image(1, 'a')], categories },
    annotations: [annotation(1, 1), annotation(2, 1, { category_id: 9 })],
  };
  const both = await open(json, { classNames: ['dead', 'alive'] });
  expect([...(await both.items[0]!.load()).labels]).toEqual([2, 1]);
  const one = await open(json, { classNames: ['dead'] });
  expect(one.items[0]!.cells).toBe(1);
  expect(one.problems.map(({ reason }) => reason)).toEqual(['its category alive is not in classNames']);
});

test('unusable entries are reported, and the others are kept', async () => {
  await folder.image('outside.png', 5, 4);
  const wrong: [Json, string, string][] = [
    [{ segmentation: [] }, 'segmentation', 'it has no polygons'],
    [{ segmentation: [[1, 1, 3, 3]] }, 'segmentation', 'x and y of three corners or more, not 4 values'],
    [
      { segmentation: [[1, 1, 3, 3, 2, 'x']] },
      'segmentation',
      'value 5 of a polygon is "x" (string), not a number',
    ],
    [{ segmentation: [[1, 1, 3, 3, 2, null]] }, 'segmentation', 'value 5 of a polygon is null, not a number'],
    [{ segmentation: [[1, 1, 1e300, 3, 2, 2]] }, 'segmentation', 'too large for a coordinate'],
    [{ segmentation: [[-9, -9, -5, -9, -5, -5]] }, 'segmentation', 'it covers no pixel'],
    [{ segmentation: { size: [5, 4], counts: [20] } }, 'segmentation', 'its size is not [4, 5]'],
    [{ segmentation: { size: [4, 5], counts: [20] } }, 'segmentation', 'it covers no pixel'],
    [{ segmentation: { size: [4, 5], counts: [1e10, 5] } }, 'segmentation', 'count 0'],
    [{ segmentation: { size: [4, 5], counts: [1, -2] } }, 'segmentation', 'count 1'],
    [{ segmentation: { size: [4, 5], counts: '~~' } }, 'segmentation', 'character'],
    [{ segmentation: { size: [4, 5] } }, 'segmentation', 'neither a string nor a list'],
    [{ segmentation: 'x' }, 'segmentation', 'neither a list of polygons nor run lengths'],
    [{ image_id: 99 }, 'image_id', 'no usable image with id 99'],
    [{ image_id: '__proto__' }, 'image_id', 'no usable image'],
    [{ category_id: 'toString' }, 'category_id', 'no category with id "toString"'],
  ];
  const images: [unknown, string][] = [
    [image(1, 'a'), 'images[1].id'],
    [image(1.5, 'c'), 'images[2].id'],
    [image(4, '../outside'), 'images[3].file_name'],
    [{ ...image(5, ''), file_name: folder.path('outside.png') }, 'images[4].file_name'],
    [image(6, 'c', { width: -5 }), 'images[5].width'],
    [image(7, 'c', { height: '4' }), 'images[6].height'],
    [null, 'images[7]'],
    [image(8, 'b', { width: 6 }), 'images[8]'],
    [image(9, 'missing'), 'images[9]'],
    [{ ...image(10, ''), file_name: './a.png' }, 'images[10]'],
  ];
  const dataset = await open({
    images: [image(1, 'a'), ...images.map(([value]) => value)],
    categories: [...categories, { id: 7, name: 'again' }],
    annotations: [annotation(0, 1), ...wrong.map(([others], i) => annotation(i, 1, others))],
  });
  expect(dataset.items.map(({ id, cells }) => [id, cells])).toEqual([['a', 1]]);
  for (const [i, [, field, reason]] of wrong.entries()) {
    const column = `annotations[${i + 1}].${field}`;
    const problem = dataset.problems.find((one) => one.column === column);
    expect([column, problem?.reason]).toEqual([column, expect.stringContaining(reason)]);
  }
  for (const [, column] of images) {
    expect(dataset.problems).toContainEqual(expect.objectContaining({ column }));
  }
  expect(dataset.problems).toContainEqual(expect.objectContaining({ column: 'categories[2]' }));
  expect(dataset.problems).toHaveLength(wrong.length + images.length + 1);
});

test('an image with only invalid annotations does not count as one without cells', async () => {
  const json = { images: [image(1, 'a')], categories, annotations: [annotation(1, 1, { segmentation: 1 })] };
  await expect(open(json)).rejects.toMatchObject({
    code: 'DATA_INVALID',
    message: expect.stringContaining('none of its annotations can be used'),
  });
});

test('names of object properties are harmless', async () => {
  const text = `{"images": [{"id": 1, "file_name": "a.png", "width": 5, "height": 4, "__proto__": {"x": 1}, "constructor": "y"}],
    "__proto__": {"x": 1}, "categories": [{"id": 1, "name": "__proto__"}],
    "annotations": [{"image_id": 1, "category_id": 1, "segmentation": [[1,1,3,1,3,3]], "__proto__": 3}]}`;
  const dataset = await open(text);
  expect(dataset.classNames).toEqual(['__proto__']);
  expect(dataset.items[0]!.columns).toEqual({ id: '1', constructor: 'y' });
  expect(({} as Json).x).toBeUndefined();
});

test.each([
  ['invalid JSON', '{"images": [', 'it cannot be read as JSON'],
  ['NaN for an image', '{"images": [NaN]}', 'images[0]: expected an object, but it is null'],
  ['an invalid word', '{"images": [Nope]}', 'it cannot be read as JSON'],
  ['an empty file', '', 'it has no usable images'],
  ['a list of results', '[{"image_id": 1}]', 'it has no usable images'],
  ['images that are not a list', '{"images": 3}', 'it has no usable images'],
])('refused: %s', async (_name, text, message) => {
  await expect(open(text)).rejects.toMatchObject({
    code: 'DATA_INVALID',
    message: expect.stringContaining(message),
  });
});

test('a file with 100,000 nesting levels', async () => {
  const deep = `${'['.repeat(100_000)}${']'.repeat(100_000)}`;
  const text = `{"images": [${deep}, ${JSON.stringify(image(1, 'a'))}], "annotations": []}`;
  expect((await open(text)).items.map(({ id }) => id)).toEqual(['a']);
});

test('annotated images with one file name are skipped, as each may have a part of the cells', async () => {
  const dataset = await open({
    images: [image(1, 'a'), image(2, 'b'), image(3, 'a')],
    categories,
    annotations: [annotation(1, 1), annotation(2, 2), annotation(3, 3)],
  });
  expect(dataset.items.map(({ id }) => id)).toEqual(['b']);
  expect(dataset.problems.map(({ column, reason }) => [column, reason])).toEqual(
    ['images[0]', 'images[2]'].map((place) => [
      place,
      '2 annotated images have the name a.png: join them, or give each its own file',
    ]),
  );
});

test('of images with one file name, the only annotated one is used', async () => {
  const dataset = await open({
    images: [image(1, 'a'), image(2, 'a')],
    categories,
    annotations: [annotation(1, 2)],
  });
  expect(dataset.items.map(({ id, cells }) => [id, cells])).toEqual([['a', 1]]);
  expect(dataset.problems).toEqual([
    expect.objectContaining({ column: 'images[0]', reason: 'another image has this name' }),
  ]);
});
