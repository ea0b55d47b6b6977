import { finetune } from '../../../lib/finetune/finetune.js';
import { RoutedEnsemble } from '../../../lib/index.js';
import { pairFiles } from '../../../lib/metrics/files/index.js';
import {
  ClassifierTrainer,
  EnsembleTrainer,
  openDataset,
  SegmenterTrainer,
  tuneEnsemble,
} from '../../../lib/train.js';
import { csv, workFolder } from '../../support/data-folder.js';
import { tiff } from '../../support/label-tiff.js';
import { refusal } from '../../support/refusal.js';
import { testEnsemble } from '../../support/sdk.js';
import { tinyClassifier } from '../../support/synthetic.js';

const folder = workFolder();
const [width, height] = [8, 6];

/** Labels of `cells` cells of four pixels. */
const cellsOf = (cells: number) =>
  Uint16Array.from({ length: width * height }, (_, i) => (i < 4 * cells ? 1 + (i >> 2) : 0));
const image = (name: string, shade?: number) => folder.image(name, width, height, shade);
const labels = (name: string, cells: number) => folder.labels(name, cellsOf(cells), width, height);
const counts = async (set: string) => {
  const { items, problems } = await openDataset(folder.path(set));
  return {
    cells: Object.fromEntries(items.map(({ id, cells }) => [id, cells])),
    problems: problems.map(({ id, reason }) => `${id}: ${reason}`),
  };
};

describe("Cellpose's masks beside images", () => {
  beforeAll(async () => {
    for (const name of ['a', 'b', 'c']) await image(`cellpose/${name}.png`);
    await labels('cellpose/a_masks.png', 2);
    folder.write('cellpose/b_cp_masks.tif', tiff([...cellsOf(3)], { width, height, bits: 32 }));
    // Further outputs of Cellpose.
    for (const name of ['a_flows', 'b_cp_output']) await image(`cellpose/${name}.png`);
    folder.write('cellpose/a_seg.npy', '');
    folder.write('cellpose/b_cp_outlines.txt', '1,2');
  });

  test('are read, and an image without masks is a problem', async () => {
    expect(await counts('cellpose')).toEqual({
      cells: { a: 2, b: 3 },
      problems: [expect.stringMatching(/^c: its labels: there is no c_masks or c_cp_masks beside it/)],
    });
    const { images } = await pairFiles(folder.path('cellpose'), folder.path('cellpose'));
    expect(images.map(({ id, groundTruth }) => [id, groundTruth.length])).toEqual([
      ['a', 2],
      ['b', 3],
    ]);
  });

  test('belong to a folder of data sets', async () => {
    await image('plates/one/a.png');
    await labels('plates/one/a_masks.png', 1);
    await image('plates/two/images/a.png');
    await labels('plates/two/labels/a.png', 2);
    expect((await counts('plates')).cells).toEqual({ 'one/a': 1, 'two/a': 2 });
  });

  test('have columns in an index', async () => {
    await image('indexed/a.png');
    await labels('indexed/a_masks.png', 1);
    folder.write('indexed/index.csv', csv('id,type', 'a,astro'));
    expect((await openDataset(folder.path('indexed'))).cellTypes).toEqual(['astro']);
  });

  test('two for one image are refused', async () => {
    for (const name of ['a', 'b']) await image(`twice/${name}.png`);
    for (const name of ['a_masks', 'a_cp_masks', 'b_masks']) await labels(`twice/${name}.png`, 1);
    expect(await counts('twice')).toEqual({
      cells: { b: 1 },
      problems: ['a: there are several label images with this name: a_cp_masks.png, a_masks.png'],
    });
  });

  test('beside a .json file are ambiguous', async () => {
    await image('ambiguous/a.png');
    await labels('ambiguous/a_masks.png', 1);
    folder.write('ambiguous/cells.json', '{"images": []}');
    const error = await refusal(openDataset(folder.path('ambiguous')));
    expect(error.code).toBe('DATA_INVALID');
    expect(error.message).toMatch(/a_masks\.png and cells\.json\): pass the path of the file to use/);
  });
});

describe('annotations of two forms in one folder', () => {
  const forms: [name: string, put: (set: string) => Promise<unknown>][] = [
    ['labels/', (set) => labels(`${set}/labels/a.png`, 1)],
    ['train.csv', async (set) => folder.write(`${set}/train.csv`, csv('id,annotation', 'a,1 2'))],
    ['cells.json', async (set) => folder.write(`${set}/cells.json`, '{"images": [], "annotations": []}')],
    [
      'annotations/cells.json',
      async (set) => folder.write(`${set}/annotations/cells.json`, '{"info": {}, "annotations": []}'),
    ],
  ];
  const pairs = forms.flatMap((a, i) => forms.slice(i + 1).map((b) => [a[0], b[0], a[1], b[1]] as const));

  test.each(pairs.filter(([a, b]) => !(a.endsWith('.json') && b.endsWith('.json'))))(
    '%s and %s are refused, and named',
    async (a, b, putA, putB) => {
      const set = `forms of ${a} and ${b}`.replaceAll(/\W/g, '-');
      await image(`${set}/images/a.png`);
      await putA(set);
      await putB(set);
      const error = await refusal(openDataset(folder.path(set)));
      expect(error.code).toBe('DATA_INVALID');
      expect(error.message).toContain(`(${a} and ${b}): pass the path of the file to use`);
      if (a === 'labels/')
        expect((await refusal(pairFiles(folder.path(set), folder.path(set)))).message).toBe(error.message);
    },
  );

  test('a .json file that is not COCO does not matter', async () => {
    await image('described/images/a.png');
    await labels('described/labels/a.png', 2);
    folder.write('described/metadata.json', '{"microscope": "x"}');
    expect(await counts('described')).toEqual({ cells: { a: 2 }, problems: [] });
  });
});

describe('folders of label images', () => {
  test('masks/ beside images/, also with the names of masks', async () => {
    for (const name of ['a', 'b', 'c_masks']) await image(`masks/images/${name}.png`);
    await labels('masks/masks/a_masks.png', 1);
    await labels('masks/masks/b_cp_masks.png', 2);
    // An image whose own name ends like this.
    await labels('masks/masks/c_masks.png', 3);
    expect(await counts('masks')).toEqual({ cells: { a: 1, b: 2, c_masks: 3 }, problems: [] });
  });

  test('labels/ and masks/ are ambiguous', async () => {
    await image('both/images/a.png');
    for (const name of ['labels', 'masks']) await labels(`both/${name}/a.png`, 1);
    const error = await refusal(openDataset(folder.path('both')));
    expect(error.code).toBe('DATA_INVALID');
    expect(error.message).toMatch(/both labels and masks: rename/);
    expect((await refusal(pairFiles(folder.path('both'), folder.path('both')))).message).toBe(error.message);
  });
});

describe('class folders', () => {
  beforeAll(async () => {
    for (let i = 0; i < 4; i++) {
      await image(`classes/dark/${i}.png`, 20 + i);
      await image(`classes/light/${i}.png`, 220 + i);
    }
    folder.write('classes/README.txt', 'two types');
  });

  test('give the images the names of their folders as types', async () => {
    const data = await openDataset(folder.path('classes'));
    expect(data.cellTypes).toEqual(['dark', 'light']);
    expect(data.items.map(({ id }) => id).slice(3, 5)).toEqual(['dark/3', 'light/0']);
    expect(data.items.every(({ typeOnly, cells }) => typeOnly && cells === 0)).toBe(true);
    expect(data.items[0]).toMatchObject({ width, height, cellType: 'dark' });
    expect(data.summary().warnings).toEqual([
      expect.stringMatching(/^8 of 8 images have a cell type and no annotated cells/),
    ]);
    expect(data.split({ fraction: 0.25, seed: 1 }).validation.items).toHaveLength(2);
  });

  test('in subfolders become parts of one data set', async () => {
    for (const set of ['train', 'val']) {
      for (const type of ['dark', 'light']) await image(`parts/${set}/${type}/a.png`);
    }
    const data = await openDataset(folder.path('parts'));
    expect(data.cellTypes).toEqual(['dark', 'light']);
    expect(data.split({ column: 'set', values: ['val'] }).validation.items.map(({ id }) => id)).toEqual([
      'val/dark/a',
      'val/light/a',
    ]);
    expect(data.items.every(({ typeOnly }) => typeOnly)).toBe(true);
  });

  test('train a classifier', async () => {
    const data = await openDataset(folder.path('classes'));
    const trainer = new ClassifierTrainer({
      data,
      folder: folder.path('run'),
      config: { network: tinyClassifier, steps: 2, batchSize: 4 },
    });
    const kinds = new Set<string>();
    for await (const event of trainer.run()) kinds.add(event.kind);
    expect(kinds).toContain('stop');
  });

  test('are refused where cells are needed', async () => {
    const data = await openDataset(folder.path('classes'));
    const run = { data, folder: folder.path('refused') };
    await using ensemble = await RoutedEnsemble.load(testEnsemble);
    const attempts = [
      async () => new SegmenterTrainer(run),
      async () => new EnsembleTrainer(run),
      () => finetune(data, { out: folder.path('refused') }),
      () => tuneEnsemble(ensemble, data),
    ];
    for (const attempt of attempts) {
      const error = await refusal(attempt());
      expect(error.code).toBe('INVALID_ARGUMENT');
      expect(error.message).toMatch(/images with annotated cells for data but 8 of 8 .*train a classifier/);
    }
  });

  test.each([
    [
      'images beside them',
      ['x/a.png', 'y/a.png', 'z.png'],
      /images beside them \(z\.png.*one folder per cell type/,
    ],
    ['folders in them', ['x/a.png', 'x/more/b.png', 'y/a.png'], /its folder x has images and folders \(more/],
    ['only one', ['x/a.png'], /one folder of images \(x\).*call the folders images and labels.*two types/],
    ['names of other things', ['img/a.png', 'seg/a.png'], /the folders images and labels/],
  ])('are ambiguous with %s', async (name, files, message) => {
    for (const file of files) await image(`ambiguous ${name}/${file}`);
    const error = await refusal(openDataset(folder.path(`ambiguous ${name}`)));
    expect(error.code).toBe('DATA_INVALID');
    expect(error.message).toMatch(message);
  });
});
