import { cpSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { openDataset } from '../../../lib/data/open.js';
import type { OpenDatasetOptions } from '../../../lib/data/options.js';
import { kaggleCsv } from '../../../lib/export/kaggle-csv.js';
import { Masks } from '../../../lib/mask/masks.js';
import { pairFiles } from '../../../lib/metrics/files/index.js';
import { workFolder } from '../../support/data-folder.js';
import { resultOf } from '../../support/result.js';
import { root } from '../../support/sdk.js';

// Reads the small inputs of test/data/cases and similar ones as a data set and as ground truth.

const cases = join(root, 'test/data/cases');
const folder = workFolder();

interface Outcome {
  /** Cells per image by id; undefined if the input is refused. */
  cells: Record<string, number> | undefined;
  /** The reported message, or the reason of the refusal. */
  said: string;
}

/** An empty list of results. */
const noPrediction = folder.write('none.json', '[]');

/** Opens a path as a data set and as ground truth, which must agree. */
async function read(path: string, options: OpenDatasetOptions = {}): Promise<Outcome> {
  const crowds = options.crowds ? { crowds: options.crowds } : {};
  const [data, pairs] = await Promise.allSettled([
    openDataset(path, options),
    pairFiles(path, noPrediction, crowds),
  ]);
  if (data.status === 'rejected' || pairs.status === 'rejected') {
    const [first, second] = [data, pairs].map((one) => (one as PromiseRejectedResult).reason);
    expect([first?.code, second?.code]).toEqual(['DATA_INVALID', 'DATA_INVALID']);
    return { cells: undefined, said: first.message };
  }
  const { items, problems, notices } = data.value;
  const cells = Object.fromEntries(items.map((item) => [item.id, item.cells]));
  const evaluated = pairs.value.images.map(({ id, groundTruth, crowd = [] }) => [
    id,
    groundTruth.length - Array.from(crowd).filter(Boolean).length,
  ]);
  expect(Object.fromEntries(evaluated)).toEqual(cells);
  const said = [...problems, ...notices].map(({ reason }) => reason).join('\n');
  for (const { reason } of [...problems, ...notices]) {
    expect(pairs.value.notices.join('\n')).toContain(reason.slice(0, 40));
  }
  return { cells, said };
}

let sets = 0;
interface Coco {
  images?: Record<string, unknown>[];
  annotations?: Record<string, unknown>[];
  categories?: unknown;
}
const square = [[10, 10, 20, 10, 20, 20, 10, 20]];
const other = [[30, 30, 40, 30, 40, 40, 30, 40]];
const annotation = (fields: Record<string, unknown> = {}) => ({
  ...{ id: 1, image_id: 1, category_id: 1, iscrowd: 0, segmentation: square },
  ...fields,
});
const image = (fields: Record<string, unknown> = {}) => ({
  ...{ id: 1, file_name: 'a.png', width: 64, height: 64 },
  ...fields,
});

/** A COCO file beside images of 64 × 64 pixels. */
async function coco(own: Coco, change: (text: string) => string | Buffer = (text) => text): Promise<string> {
  const set = `coco-${sets++}`;
  for (const name of ['a', 'b']) await folder.image(`${set}/${name}.png`, 64, 64);
  const file = {
    images: [image()],
    annotations: [annotation()],
    categories: [{ id: 1, name: 'cell' }],
    ...own,
  };
  return folder.write(`${set}/instances.json`, change(JSON.stringify(file)));
}

describe('the cases', () => {
  const crowdsRemedy = /all of its annotations are crowd regions \(iscrowd 1\).*--crowds cells/;
  test.each<[string, OpenDatasetOptions, Outcome['cells'], string | RegExp]>([
    ['coco/cvat-brush-masks', {}, undefined, crowdsRemedy],
    ['coco/cvat-brush-masks', { crowds: 'cells' }, { a: 2 }, ''],
    ['coco/iscrowd-null', {}, { a: 2 }, ''],
    ['coco/image-id-type-differs', {}, { a: 2 }, ''],
    ['coco/exif-orientation', {}, { exif6: 1 }, ''],
    ['coco/mixed-degenerate-ring', {}, { a: 3 }, /three corners or more, not 4 values; skipped/],
    ['coco/nan-area', {}, { a: 2 }, ''],
    ['labels/int32-stardist', {}, { p1: 4 }, ''],
    ['labels/jpeg-labels', {}, undefined, /lossy compression \(JPEG\)/],
    ['labels/multi-page-labels', {}, undefined, /its labels have 4 pages/],
    ['names/mac-files', {}, { a: 4, b: 4 }, ''],
  ])('%s %j', async (name, options, cells, said) => {
    const path = join(cases, name);
    // Each of these folders has one JSON file, or images and labels.
    expect(await read(path, options)).toEqual({
      cells,
      said: said === '' ? '' : expect.stringMatching(said),
    });
  });

  test('kaggle/submission.csv is read, and what is written is a submission', async () => {
    const { images } = await pairFiles(join(cases, 'kaggle/truth.csv'), join(cases, 'kaggle/submission.csv'));
    expect(
      images.map(({ id, cellType: type, groundTruth, predicted }) => [
        id,
        type,
        groundTruth.length,
        predicted.toKaggle(),
      ]),
    ).toEqual([['0030fd0e6378', 'shsy5y', 1, ['1 3 65 3']]]);
    const masks = Masks.fromKaggle(['1 3 65 3'], { width: 64, height: 64 });
    const written = kaggleCsv([{ id: '0030fd0e6378', result: resultOf(masks) }]);
    expect(written).toBe(readFileSync(join(cases, 'kaggle/submission.csv'), 'utf8'));
  });

  test('a submission is a data set beside its images', async () => {
    await folder.image('submission/images/0030fd0e6378.png', 64, 64);
    const path = join(folder.path('submission'), 'submission.csv');
    cpSync(join(cases, 'kaggle/submission.csv'), path);
    expect(await read(path)).toEqual({ cells: { '0030fd0e6378': 1 }, said: '' });
  });
});

describe('iscrowd', () => {
  test.each([[null], [undefined], [0], [false], ['0'], [Number.NaN]])('%p is a cell', async (iscrowd) => {
    const text = (json: string) =>
      json.replace('"iscrowd":null', `"iscrowd":${Number.isNaN(iscrowd) ? 'NaN' : null}`);
    expect(await read(await coco({ annotations: [annotation({ iscrowd })] }, text))).toMatchObject({
      cells: { a: 1 },
    });
  });

  test.each([[1], [true], ['1']])('%p is a region', async (iscrowd) => {
    const annotations = [annotation(), annotation({ iscrowd, segmentation: other })];
    const { cells, said } = await read(await coco({ annotations }));
    expect(cells).toEqual({ a: 1 });
    expect(said).toBe('a crowd region (iscrowd 1) is not a single cell: skipped');
    expect((await read(await coco({ annotations }), { crowds: 'cells' })).cells).toEqual({ a: 2 });
  });

  test.each([[2], ['yes'], [{}]])('%p is a problem', async (iscrowd) => {
    const path = await coco({ annotations: [annotation(), annotation({ iscrowd })] });
    expect(await read(path)).toEqual({ cells: { a: 1 }, said: expect.stringMatching(/expected 0 or 1/) });
  });
});

describe('an image without any usable annotation is skipped, and does not count as an image without cells', () => {
  test.each<[string, Record<string, unknown>, RegExp]>([
    ['crowds', { iscrowd: 1 }, /all of its annotations are crowd regions/],
    ['no polygons', { segmentation: [] }, /none of its annotations can be used/],
    ['polygons of two corners', { segmentation: [[1, 1, 2, 2]] }, /none of its annotations can be used/],
    ['masks outside', { segmentation: [[-9, -9, -5, -9, -5, -5]] }, /none of its annotations can be used/],
    ['unknown categories', { category_id: 9 }, /none of its annotations can be used/],
    [
      'damaged run lengths',
      { segmentation: { size: [64, 64], counts: '~' } },
      /none of its annotations can be used/,
    ],
  ])('%s', async (_name, fields, reason) => {
    const images = [image(), image({ id: 2, file_name: 'b.png' })];
    const path = await coco({ images, annotations: [annotation(fields), annotation({ image_id: 2 })] });
    expect(await read(path)).toEqual({ cells: { b: 1 }, said: expect.stringMatching(reason) });
  });

  test.each([[undefined], [null]])(
    'a file whose annotations are %p only lists images',
    async (annotations) => {
      const path = await coco({}, (text) => JSON.stringify({ ...JSON.parse(text), annotations }));
      expect(await read(path)).toEqual({
        cells: undefined,
        said: expect.stringContaining('it has no list annotations, so nothing is known of the cells'),
      });
    },
  );

  test('an image without annotations has no cells', async () => {
    const path = await coco({ images: [image(), image({ id: 2, file_name: 'b.png' })] });
    expect(await read(path)).toEqual({ cells: { a: 1, b: 0 }, said: '' });
  });
});

describe('ids are compared as text', () => {
  test.each<[unknown, unknown]>([
    [1, '1'],
    ['1', 1],
    ['a-uuid', 'a-uuid'],
    [-3, '-3'],
  ])('image %p, annotation %p', async (id, image_id) => {
    const path = await coco({ images: [image({ id })], annotations: [annotation({ image_id })] });
    expect((await read(path)).cells).toEqual({ a: 1 });
  });

  test('category 1 and "1"; image ids that are equal as text', async () => {
    const categories = [{ id: '1', name: 'cell' }];
    expect((await read(await coco({ categories }))).cells).toEqual({ a: 1 });
    const images = [image(), image({ id: '1', file_name: 'b.png' })];
    expect(await read(await coco({ images }))).toEqual({
      cells: { a: 1 },
      said: 'another image has this id',
    });
  });
});

describe('rings', () => {
  test.each<[string, unknown[]]>([
    ['of two corners', [1, 1, 2, 2]],
    ['without corners', []],
    ['of an odd number of values', [1, 1, 2, 2, 3, 3, 4]],
    ['with null', [1, 1, 2, null, 3, 3]],
    ['with a text', [1, 1, 2, 'x', 3, 3]],
    ['far outside', [1e300, 1, 2, 2, 3, 3]],
    ['that are not a list', 7 as never],
  ])('one %s is skipped, the others are kept', async (_name, ring) => {
    for (const segmentation of [
      [...square, ring],
      [ring, ...square],
    ]) {
      const { cells, said } = await read(await coco({ annotations: [annotation({ segmentation })] }));
      expect(cells).toEqual({ a: 1 });
      expect(said).toMatch(/skipped/);
    }
  });
});

describe('NaN and Infinity', () => {
  test('in optional fields', async () => {
    const nan = (text: string) => text.replaceAll('"NaN"', 'NaN').replaceAll('"Infinity"', '-Infinity');
    const annotations = [annotation({ area: 'NaN', bbox: ['NaN', 'Infinity', 0, 0], score: 'NaN' })];
    const images = [image({ exposure: 'Infinity' })];
    expect((await read(await coco({ images, annotations }, nan))).cells).toEqual({ a: 1 });
  });

  test('in required fields they are reported', async () => {
    const nan = (text: string) => text.replace('"width":64', '"width":NaN');
    const path = await coco({ images: [image(), image({ id: 2, file_name: 'b.png' })] }, nan);
    expect(await read(path)).toEqual({
      cells: { b: 0 },
      said: expect.stringMatching(/expected a number of pixels/),
    });
  });

  test('in strings they are text', async () => {
    const path = await coco({ images: [image({ note: 'NaN, "Infinity" \\', camera: 'NaN' })] });
    const { items } = await openDataset(path);
    expect(items[0]!.columns).toMatchObject({ note: 'NaN, "Infinity" \\', camera: 'NaN' });
  });
});

describe('encodings', () => {
  const name = 'zelle-ü';
  test('a byte-order mark', async () => {
    expect((await read(await coco({}, (text) => `\ufeff${text}`))).cells).toEqual({ a: 1 });
  });

  test.each<[string, (text: string) => Buffer]>([
    ['Latin-1', (text) => Buffer.from(text, 'latin1')],
    ['UTF-16', (text) => Buffer.from(`\ufeff${text}`, 'utf16le')],
    ['cut in a character', (text) => Buffer.concat([Buffer.from(text), Buffer.from([0xc3])])],
  ])('%s is refused with the remedy', async (_name, encode) => {
    const path = await coco({ images: [image({ note: name })] }, encode);
    expect(await read(path)).toEqual({ cells: undefined, said: expect.stringMatching(/save it as UTF-8/) });
    const table = folder.write(`table-${sets++}/t.csv`, encode(`id,annotation\n${name},1 1\n`));
    expect((await read(table)).said).toMatch(/save it as UTF-8/);
  });

  test.each([';', '\t'])('columns separated by %p are refused with the remedy', async (separator) => {
    const table = folder.write(`table-${sets++}/t.csv`, ['id', 'annotation'].join(separator));
    expect((await read(table)).said).toMatch(/separate the columns by commas/);
  });

  test.each(['NFC', 'NFD'] as const)('file names in %s are found by either form', async (form) => {
    const set = `names-${form}`;
    const stem = name.normalize(form);
    await folder.image(`${set}/images/${stem}.png`, 64, 64);
    await folder.image(`${set}/labels/${stem}.png`, 64, 64, 3);
    for (const stated of ['NFC', 'NFD'] as const) {
      const id = name.normalize(stated);
      folder.write(`${set}/index.csv`, `id\n${id}\n`);
      expect((await read(folder.path(set))).cells).toEqual({ [name]: 1 });
      folder.write(`${set}/table.csv`, `id,annotation,width,height\n${id},1 1,64,64\n`);
      expect((await read(folder.path(set, 'table.csv'))).cells).toEqual({ [name]: 1 });
      const json = {
        images: [image({ file_name: `${id}.png` })],
        annotations: [annotation()],
        categories: [],
      };
      folder.write(`${set}/coco/file.json`, JSON.stringify(json));
      const images = { images: folder.path(set, 'images') };
      expect((await read(folder.path(set, 'coco/file.json'), images)).cells).toEqual({ [name]: 1 });
    }
  });
});

describe('file names and folders of COCO', () => {
  test('backslashes', async () => {
    await folder.image('slashes/images/plate 1/a.png', 64, 64);
    await folder.image('slashes/images/plate 1\\b.png', 64, 64);
    const images = [image({ file_name: 'plate 1\\a.png' }), image({ id: 2, file_name: 'plate 1\\b.png' })];
    const path = folder.write(
      'slashes/instances.json',
      JSON.stringify({ images, annotations: [annotation()], categories: [{ id: 1, name: 'cell' }] }),
    );
    expect((await read(path)).cells).toEqual({ 'plate 1/a': 1, 'plate 1/b': 0 });
  });

  test.each(['C:\\data\\a.png', '/data/a.png', '..\\a.png', 'x/../../a.png'])(
    '%s is refused',
    async (file_name) => {
      const images = [image({ file_name }), image({ id: 2, file_name: 'b.png' })];
      const { cells, said } = await read(await coco({ images, annotations: [annotation({ image_id: 2 })] }));
      expect(cells).toEqual({ b: 1 });
      expect(said).toMatch(/expected a path below the folder of images/);
    },
  );

  test.each([
    ['instances_default.json', 'images/a.png'],
    ['instances_Train.json', 'images/Train/a.png'],
    ['instances_val2017.json', 'val2017/a.png'],
  ])('annotations/%s with %s', async (file, where) => {
    const set = `layout-${sets++}`;
    await folder.image(`${set}/${where}`, 64, 64);
    const content = { images: [image()], annotations: [annotation()], categories: [{ id: 1, name: 'cell' }] };
    folder.write(`${set}/annotations/${file}`, JSON.stringify(content));
    folder.write(`${set}/annotations/._${file}`, 'hidden');
    expect((await read(folder.path(set))).cells).toEqual({ a: 1 });
    folder.write(`${set}/annotations/other.json`, '{}');
    expect((await read(folder.path(set))).said).toMatch(
      /several \.json files \(annotations\/instances_.*pass the path/,
    );
  });

  test('images whose names differ only in the extension', async () => {
    await folder.image('endings/a.png', 64, 64);
    await folder.image('endings/a.tif.png', 64, 64);
    cpSync(folder.path('endings/a.tif.png'), folder.path('endings/a.jpg'));
    const images = [image(), image({ id: 2, file_name: 'a.jpg' })];
    const content = { images, annotations: [annotation()], categories: [{ id: 1, name: 'cell' }] };
    const path = folder.write('endings/instances.json', JSON.stringify(content));
    expect((await read(path)).cells).toEqual({ 'a.png': 1, 'a.jpg': 0 });
  });

  test('without categories all cells have one class', async () => {
    const path = await coco({ categories: [], annotations: [annotation({ category_id: undefined })] });
    expect(await read(path)).toEqual({
      cells: { a: 1 },
      said: expect.stringMatching(/all cells have the class cell/),
    });
  });
});

describe('names in folders', () => {
  test('ids of a table may have folders and extensions, and hidden files are ignored', async () => {
    const set = 'nested';
    for (const name of ['a/well.png', 'b/well.png', 'c.tif'])
      await folder.image(`${set}/images/${name}`, 64, 64);
    writeFileSync(folder.path(set, 'images', '._c.tif'), 'hidden');
    const rows = ['a/well,1 1', 'b\\well.png,1 1', 'b\\well.png,3 1', 'c,'];
    const table = folder.write(`${set}/t.csv`, `id,annotation\n${rows.join('\n')}\n`);
    expect((await read(table)).cells).toEqual({ 'a/well': 1, 'b\\well.png': 2, c: 0 });
  });

  test('outputs beside the images are not images', async () => {
    const set = 'outputs';
    for (const name of ['x', 'x.labels', 'x.overlay'])
      await folder.image(`${set}/images/${name}.png`, 64, 64);
    await folder.image(`${set}/labels/x.png`, 64, 64, 3);
    mkdirSync(folder.path(set, '__MACOSX'), { recursive: true });
    expect(await read(folder.path(set))).toEqual({ cells: { x: 1 }, said: '' });
  });
});
