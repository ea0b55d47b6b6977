import { mkdirSync } from 'node:fs';
import { openDataset } from '../../../lib/data/open.js';
import { csv, workFolder } from '../../support/data-folder.js';

const folder = workFolder();

beforeAll(async () => {
  await folder.image('kaggle/train/a.png', 4, 3);
  folder.write('kaggle/train.csv', csv('id,annotation,cell_type', 'a,1 1,x'));
  for (const set of ['both/one', 'both/two']) {
    await folder.image(`${set}/images/a.png`, 4, 3);
    await folder.labels(`${set}/labels/a.png`, new Uint16Array(12).fill(3), 4, 3);
    folder.write(`${set}/index.csv`, csv('id,modality', 'a,phase'));
  }
  await folder.image('both/three/train/a.png', 4, 3);
  folder.write('both/three/train.csv', csv('id,annotation,cell_type', 'a,1 1,x'));
  folder.write('both/README.md', 'no set');
  mkdirSync(folder.path('both/__proto__'));
  folder.write('both/__proto__/set.json', JSON.stringify(coco));
  await folder.image('both/__proto__/b.png', 4, 3);
  mkdirSync(folder.path('both/empty'));
  mkdirSync(folder.path('empty'));
  folder.write('two/a.json', '{}');
  folder.write('two/b.json', '{}');
});

const coco = {
  images: [{ id: 1, file_name: 'b.png', width: 4, height: 3 }],
  categories: [{ id: 1, name: 'cell' }],
  annotations: [{ image_id: 1, category_id: 1, segmentation: [[0, 0, 2, 0, 2, 2]] }],
};

test('a folder with train.csv', async () => {
  const dataset = await openDataset(folder.path('kaggle'));
  expect(dataset.items.map(({ id, cellType: type }) => [id, type])).toEqual([['a', 'x']]);
});

test('a folder of data sets contains all of them under their names', async () => {
  const dataset = await openDataset(folder.path('both'));
  expect(dataset.items.map(({ id, columns }) => [id, columns.set])).toEqual([
    ['__proto__/b', '__proto__'],
    ['one/a', 'one'],
    ['three/a', 'three'],
    ['two/a', 'two'],
  ]);
  expect(dataset.cellTypes).toEqual(['x']);
});

test('several names for the type column can be given', async () => {
  const two = folder.path('both/two');
  const dataset = await openDataset(two, { cellTypeColumn: ['cell_type', 'modality'] });
  expect(dataset.cellTypes).toEqual(['phase']);
});

test.each<[string, string, object, string]>([
  ['a missing path', 'nowhere', {}, 'FILE_UNREADABLE'],
  ['an empty folder', 'empty', {}, 'DATA_INVALID'],
  ['a folder with two COCO files', 'two', {}, 'DATA_INVALID'],
  ['a file of another format', 'both/README.md', {}, 'INVALID_ARGUMENT'],
  ['one folder of images for several sets', 'both', { images: 'x' }, 'INVALID_ARGUMENT'],
  ['no path', '', {}, 'INVALID_ARGUMENT'],
  ['an option misspelt', 'kaggle', { typeColum: 'x' }, 'INVALID_ARGUMENT'],
  ['a type column that is no text', 'kaggle', { cellTypeColumn: 3 }, 'INVALID_ARGUMENT'],
  ['no type column at all', 'kaggle', { cellTypeColumn: [] }, 'INVALID_ARGUMENT'],
  ['no class names', 'kaggle', { classNames: [] }, 'INVALID_ARGUMENT'],
  ['categories unknown', 'kaggle', { categories: 'both' }, 'INVALID_ARGUMENT'],
  ['strict that is not a boolean', 'kaggle', { strict: 1 }, 'INVALID_ARGUMENT'],
])('refuses %s', async (_name, path, options, code) => {
  const full = path === '' ? '' : folder.path(path);
  await expect(openDataset(full, options as never)).rejects.toMatchObject({ code });
});
