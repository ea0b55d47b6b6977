import sharp from 'sharp';
import { openDataset } from '../../../lib/data/open.js';
import { pairFiles } from '../../../lib/metrics/files/index.js';
import { csv, workFolder } from '../../support/data-folder.js';
import { refusal } from '../../support/refusal.js';

// Inputs that look like what is read and are not: refused with the remedy, or read with a notice.

const folder = workFolder();
const [width, height] = [64, 48];
const square = (left: number, top: number) => [left, top, left + 8, top, left + 8, top + 8, left, top + 8];
let sets = 0;

/** A COCO set of one image whose file name, and whose annotations, are these. */
async function coco(
  fileName: string,
  annotations: object[],
  { stored = fileName, images = [{}] }: { stored?: string; images?: object[] } = {},
): Promise<string> {
  const set = `coco-${sets++}`;
  await folder.image(`${set}/${stored}`, width, height);
  const text = JSON.stringify({
    images: images.map((own, i) => ({ id: i + 1, file_name: fileName, width, height, ...own })),
    categories: [{ id: 1, name: 'cell' }],
    annotations: annotations.map((own, i) => ({
      ...{ id: i + 1, image_id: 1, category_id: 1, iscrowd: 0, segmentation: [square(4, 4)] },
      ...own,
    })),
  });
  folder.write(`${set}/instances.json`, text);
  return folder.path(set);
}

const reasonsOf = (entries: readonly { reason: string }[]) => entries.map(({ reason }) => reason);

describe('annotations whose image is not listed', () => {
  test('skip images without any, which may be theirs', async () => {
    const path = await coco('a.png', [{ image_id: '1' }], { images: [{ id: '001' }] });
    const none = folder.write('none.json', '[]');
    for (const read of [() => openDataset(path), () => pairFiles(path, none)]) {
      expect(await refusal(read())).toMatchObject({
        code: 'DATA_INVALID',
        message: expect.stringMatching(
          /it has no annotations, and there are annotations of 1 image that the file does not list/,
        ),
      });
    }
  });

  test('where an id is a number written in another way', async () => {
    const images = [{ id: 'x', file_name: 'b.png' }, { id: '001' }];
    const path = await coco('a.png', [{ image_id: 1 }, { image_id: 'x' }], { images });
    await folder.image(`${path.split('/').at(-1)}/b.png`, width, height);
    const { items, problems } = await openDataset(path);
    expect(items.map(({ id }) => id)).toEqual(['b']);
    expect(reasonsOf(problems)).toContainEqual(expect.stringContaining('it has no annotations'));
  });

  test('but not where that image is listed and cannot be used', async () => {
    const images = [{ id: 1 }, { id: 2, file_name: '/elsewhere/b.png' }];
    const data = await openDataset(await coco('a.png', [{ image_id: 2 }], { images }));
    expect(data.items.map(({ id, cells }) => [id, cells])).toEqual([['a', 0]]);
  });
});

describe('a file of nearly the same name is named and not guessed', () => {
  test.each([
    ['A.PNG', 'a.png'],
    ['a', 'a.png'],
    ['a.jpg', 'a.png'],
    ['a.png ', 'a.png'],
    ['my%20cell.png', 'my cell.png'],
    ['data/train/a.png', 'a.png'],
    ['https://example.org/a.png', 'a.png'],
  ])('%j', async (stated, stored) => {
    const error = await refusal(openDataset(await coco(stated, [{}], { stored })));
    expect(error.code).toBe('DATA_INVALID');
    expect(error.message).toContain(`there is ${JSON.stringify(stored)}`);
  });

  test('in a table', async () => {
    await folder.image('named/images/a.png', width, height);
    folder.write('named/train.csv', csv('id,annotation', 'A,1 5'));
    const error = await refusal(openDataset(folder.path('named')));
    expect(error.message).toContain('there is "a.png"');
  });
});

describe('polygons in another frame', () => {
  test('that reach beyond the image are cut with a notice', async () => {
    const path = await coco('a.png', [
      { segmentation: [square(60, 4)] },
      { segmentation: [square(-0.5, 20)] },
    ]);
    const { items, notices } = await openDataset(path);
    expect(items[0]!.cells).toBe(2);
    expect(reasonsOf(notices)).toEqual(['it reaches 4 pixels beyond the image, which are cut off']);
  });

  test('in shares of the sides are refused', async () => {
    const path = await coco('a.png', [{ segmentation: [[0.1, 0.1, 0.9, 0.1, 0.9, 0.9]] }]);
    expect((await refusal(openDataset(path))).message).toContain("COCO's are in pixels");
  });
});

test.each(['instances.json', 'train.csv'])('UTF-16 without a byte-order mark: %s', async (name) => {
  const set = `utf16-${name}`;
  folder.write(`${set}/${name}`, Buffer.from('{"images": []}', 'utf16le'));
  expect((await refusal(openDataset(folder.path(set, name)))).message).toContain('UTF-16');
});

describe('an orientation that keeps the size', () => {
  test.each([
    [3, width, height, 1],
    [6, width, width, 1],
    [6, width, height, 0],
    [1, width, height, 0],
  ])('%d of %d x %d', async (orientation, columns, rows, notices) => {
    const set = `turned-${sets++}`;
    const raw = { width: columns, height: rows, channels: 1 as const };
    const jpeg = await sharp(Buffer.alloc(columns * rows, 90), { raw })
      .jpeg()
      .withMetadata({ orientation })
      .toBuffer();
    folder.write(`${set}/images/a.jpg`, jpeg);
    const upright = orientation === 6 ? ([rows, columns] as const) : ([columns, rows] as const);
    await folder.labels(`${set}/labels/a.png`, new Uint16Array(columns * rows).fill(3, 0, 5), ...upright);
    const data = await openDataset(folder.path(set));
    expect(data.items[0]!.cells).toBe(1);
    expect(data.notices).toHaveLength(notices);
    for (const { reason } of data.notices)
      expect(reason).toContain(`EXIF orientation ${orientation} is applied`);
  });
});

describe('images that are not label images', () => {
  /** Squares of 4 pixels at these places, each with its value. */
  async function labels(...cells: [left: number, value: number][]): Promise<string> {
    const values = new Uint16Array(width * height);
    for (const [left, value] of cells) {
      for (let y = 8; y < 12; y++) values.fill(value, y * width + left, y * width + left + 4);
    }
    const set = `labels-${sets++}`;
    await folder.image(`${set}/images/a.png`, width, height);
    await folder.labels(`${set}/labels/a.png`, values, width, height);
    return folder.path(set);
  }

  test.each([1, 255, 65_535])('a mask of all cells with the value %d is refused', async (value) => {
    const error = await refusal(openDataset(await labels([4, value], [20, value])));
    expect(error.message).toMatch(new RegExp(`the one value ${value}: .*skimage\\.measure\\.label`));
    expect((await openDataset(await labels([4, value]))).items[0]!.cells).toBe(1);
  });

  test('a cell in two parts stays one', async () => {
    const { items, notices } = await openDataset(await labels([4, 7], [20, 7], [40, 8]));
    expect(items[0]!.cells).toBe(2);
    expect(notices).toEqual([]);
  });

  test('a map of classes is reported', async () => {
    const places = [4, 12, 20, 28, 36, 44] as const;
    const { notices } = await openDataset(
      await labels(...places.map((left, i) => [left, 1 + (i % 2)] as [number, number])),
    );
    expect(reasonsOf(notices)).toEqual([
      expect.stringMatching(/2 values in 6 parts or more: if values are classes/),
    ]);
  });
});

test('masks beside images are label images, as StarDist has them', async () => {
  await folder.image('stardist/images/a.png', width, height);
  await folder.labels('stardist/masks/a.png', new Uint16Array(width * height).fill(3, 0, 5), width, height);
  expect((await openDataset(folder.path('stardist'))).items[0]!.cells).toBe(1);
  const { images } = await pairFiles(folder.path('stardist'), folder.path('stardist'));
  expect(images).toHaveLength(1);
});

describe('runs that count down columns', () => {
  /** Runs of squares, counted along rows or down columns. */
  const runs = (left: number, top: number, step: number) =>
    Array.from(
      { length: 12 },
      (_, i) => `${(step === width ? top + i : left + i) * step + (step === width ? left : top) + 1} 12`,
    ).join(' ');

  test.each([
    ['rows', width, 3],
    ['columns', height, undefined],
  ] as const)('%s', async (name, step, cells) => {
    await folder.image(`runs-${name}/images/a.png`, width, height);
    const masks = [runs(4, 4, step), runs(30, 4, step), runs(4, 30, step)];
    folder.write(`runs-${name}/train.csv`, csv('id,annotation', ...masks.map((mask) => `a,${mask}`)));
    const reading = openDataset(folder.path(`runs-${name}`));
    if (cells !== undefined) expect((await reading).items[0]!.cells).toBe(cells);
    else expect((await refusal(reading)).message).toContain('column-major order');
  });
});

describe('annotations of other tools are named, with a conversion', () => {
  test.each([
    ['LabelMe', 'a.json', '{"version": "5.0", "shapes": [], "imagePath": "a.png"}', /labelme2coco/],
    ['QuPath', 'a.json', '{"type": "FeatureCollection", "features": []}', /label images from QuPath/],
    ['QuPath', 'a.geojson', '{}', /label images from QuPath/],
    ['VIA', 'via.json', '{"a.png": {"regions": [{"shape_attributes": {}}]}}', /VGG Image Annotator.*COCO/],
    ['CVAT', 'annotations.xml', '<annotations/>', /export COCO 1\.0/],
    ['masks of another name', 'a_mask.png', '', /NAME_masks\.png beside NAME\.png/],
    ['Cellpose', 'a_seg.npy', '', /cellpose --save_tif/],
    ['ImageJ', 'RoiSet.zip', '', /ImageJ's ROIs/],
    ['folders in capitals', 'Labels/a.png', '', /call the folders images and labels/],
    ['another table', 'cells.csv', 'a,b\n', /name it train\.csv/],
  ])('%s: %s', async (_tool, name, content, remedy) => {
    const set = `tool-${sets++}`;
    await folder.image(`${set}/a.png`, width, height);
    folder.write(`${set}/${name}`, content);
    const error = await refusal(openDataset(folder.path(set)));
    expect(error.code).toBe('DATA_INVALID');
    expect(error.message).toMatch(remedy);
  });

  test.each([
    ['YOLO', 'a.txt', /labels of YOLO/],
    ['NumPy', 'a.npy', /tifffile\.imwrite/],
  ])('%s beside images', async (_tool, name, remedy) => {
    const set = `tool-${sets++}`;
    await folder.image(`${set}/images/a.png`, width, height);
    folder.write(`${set}/labels/${name}`, '0 0.5 0.5');
    expect((await refusal(openDataset(folder.path(set)))).message).toMatch(remedy);
  });
});
