import {
  cocoDatasetJson,
  cocoResultsJson,
  streamCocoDataset,
  streamCocoResults,
} from '../../lib/export/coco-json.js';
import {
  kaggleCsv,
  kaggleTrainCsv,
  streamKaggleCsv,
  streamKaggleTrainCsv,
} from '../../lib/export/kaggle-csv.js';
import { labelPng } from '../../lib/export/label-png.js';
import { resultJson } from '../../lib/export/result-json.js';
import { csvLine, shortest } from '../../lib/export/text.js';
import { decodeImage } from '../../lib/image/decode.js';
import { Cells } from '../../lib/inference/cells.js';
import type { RoutedSegmentation, Segmentation } from '../../lib/inference/result.js';
import { boxArray } from '../../lib/mask/boxes.js';
import { Masks } from '../../lib/mask/masks.js';

/*
 * Two cells of an image of 5 × 4 pixels that share three; the texts below are pycocotools' for them.
 *   . a a . .
 *   . a * * b     (row 1: a at 1..3, b at 2..4)
 *   . . b * b
 *   . . . . b
 */
const kaggle = ['2 2 7 3 14 1', '8 3 13 3 20 1'];
const coco = ['4220102', '922001'];
const counts = [
  [4, 2, 2, 2, 3, 2, 5],
  [9, 2, 2, 2, 2, 3],
];

function found(overrides: { labels?: number[] } = {}): Segmentation {
  const masks = Masks.fromKaggle(kaggle, { height: 4, width: 5 });
  const cells = new Cells({
    boxes: boxArray(Float32Array.of(0.9, -0.1, 4.2, 3.1, 1.75, 1, 5, 4)),
    scores: Float32Array.of(0.9, 0.61),
    labels: Int32Array.from(overrides.labels ?? [1, 1]),
    areas: Uint32Array.of(6, 7),
    masks,
  });
  return { width: 5, height: 4, cells, limitsReached: { detections: true, proposals: false }, scale: 1 };
}

const routed = (cellType = 'astro', labels?: number[]): RoutedSegmentation => ({
  ...found(labels ? { labels } : {}),
  cellType,
  segmenter: cellType,
  probabilities: { [cellType]: Math.fround(0.9), other: Math.fround(0.1) },
});

const nothing: Segmentation = {
  width: 5,
  height: 4,
  cells: new Cells({
    boxes: boxArray(new Float32Array(0)),
    scores: new Float32Array(0),
    labels: new Int32Array(0),
    areas: new Uint32Array(0),
    masks: Masks.fromKaggle([], { height: 4, width: 5 }),
  }),
  limitsReached: { detections: false, proposals: false },
  scale: 1,
};

describe('Kaggle CSV', () => {
  test('has one row per cell, and one for an image without cells', () => {
    expect(
      kaggleCsv([
        { id: 'one', result: found() },
        { id: 'none', result: nothing },
      ]),
    ).toBe('id,predicted\none,2 2 7 3 14 1\none,8 3 13 3 20 1\nnone,\n');
  });

  test("has the form of the competition's train.csv", () => {
    const csv = kaggleTrainCsv(
      [
        { id: 'one', result: routed('cort') },
        { id: 'none', result: nothing },
      ],
      { cellType: 'unknown' },
    );
    expect(csv.split('\n')).toEqual([
      'id,annotation,width,height,cell_type,plate_time,sample_date,sample_id,elapsed_timedelta',
      'one,2 2 7 3 14 1,5,4,cort,,,,',
      'one,8 3 13 3 20 1,5,4,cort,,,,',
      'none,,5,4,unknown,,,,',
      '',
    ]);
  });

  test.each<[string, () => string, string]>([
    ['an image without a name', () => kaggleCsv([{ result: nothing } as never]), 'images[0].id'],
    ['a number as cell type', () => kaggleTrainCsv([], { cellType: 5 as never }), 'cellType'],
    ['a text for a switch', () => cocoResultsJson([], { boxes: 'no' as never }), 'boxes'],
    ['NaN as id', () => cocoResultsJson([{ id: Number.NaN, result: nothing }]), 'images[0].id'],
  ])('refuses %s', (_, write, option) => {
    expect(write).toThrow(
      expect.objectContaining({ code: 'INVALID_ARGUMENT', details: expect.objectContaining({ option }) }),
    );
  });

  test('quotes special characters', () => {
    expect(csvLine(['a,b', 'say "hi"', 'two\nlines', ' edge', 'plain', 3])).toBe(
      '"a,b","say ""hi""","two\nlines"," edge",plain,3\n',
    );
    expect(kaggleCsv([{ id: 'well B,3', result: nothing }])).toContain('\n"well B,3",\n');
  });
});

describe('COCO results', () => {
  test('have the format of loadRes', () => {
    expect(JSON.parse(cocoResultsJson([{ id: 7, result: found() }]))).toEqual([
      {
        image_id: 7,
        category_id: 1,
        segmentation: { size: [4, 5], counts: coco[0] },
        bbox: [0.9, -0.1, 3.3, 3.2],
        score: 0.9,
        area: 6,
      },
      {
        image_id: 7,
        category_id: 1,
        segmentation: { size: [4, 5], counts: coco[1] },
        bbox: [1.75, 1, 3.25, 3],
        score: 0.61,
        area: 7,
      },
    ]);
  });

  test('omit boxes on request', () => {
    const [first] = JSON.parse(cocoResultsJson([{ id: 'a', result: found() }], { boxes: false }));
    expect(first).not.toHaveProperty('bbox');
    expect(first.image_id).toBe('a');
  });

  test('use the given category ids', () => {
    const images = [{ id: 1, result: routed('astro', [1, 2]) }];
    const categories = { astro: 5, 'astro 2': 9 };
    expect(JSON.parse(cocoResultsJson(images, { categories }))).toMatchObject([
      { category_id: 5 },
      { category_id: 9 },
    ]);
    expect(() => cocoResultsJson(images, { categories: { astro: 5 } })).toThrow(/categories\['astro 2'\]/);
    expect(() =>
      cocoResultsJson([{ id: 1, result: routed('constructor') }], { categories: { astro: 5 } }),
    ).toThrow(/categories\['constructor'\]/);
  });
});

test('a COCO data set has images, categories and annotations that refer to each other', () => {
  const dataset = JSON.parse(
    cocoDatasetJson([
      { id: 'a.png', result: routed('astro') },
      { id: 'b.png', result: nothing },
      { id: 'c.png', result: routed('cort') },
    ]),
  );
  expect(dataset.images).toEqual([
    { id: 1, file_name: 'a.png', width: 5, height: 4 },
    { id: 2, file_name: 'b.png', width: 5, height: 4 },
    { id: 3, file_name: 'c.png', width: 5, height: 4 },
  ]);
  expect(dataset.categories).toEqual([
    { id: 1, name: 'astro' },
    { id: 2, name: 'cort' },
  ]);
  expect(
    dataset.annotations.map(({ id, image_id, category_id }: Record<string, number>) => [
      id,
      image_id,
      category_id,
    ]),
  ).toEqual([
    [1, 1, 1],
    [2, 1, 1],
    [3, 3, 2],
    [4, 3, 2],
  ]);
  expect(dataset.annotations[1]).toEqual({
    id: 2,
    image_id: 1,
    category_id: 1,
    segmentation: { size: [4, 5], counts: coco[1] },
    bbox: [2, 1, 3, 3],
    area: 7,
    iscrowd: 0,
    score: 0.61,
  });
});

describe('result JSON', () => {
  test('has all data of an image', () => {
    expect(JSON.parse(resultJson(routed()))).toEqual({
      format: 'cellroute-result',
      version: 1,
      cellType: 'astro',
      probabilities: { astro: 0.9, other: 0.1 },
      segmenter: 'astro',
      width: 5,
      height: 4,
      limitsReached: { detections: true, proposals: false },
      scale: 1,
      rle: 'coco',
      cells: [
        { box: [0.9, -0.1, 4.2, 3.1], score: 0.9, label: 1, className: 'cell', area: 6, mask: coco[0] },
        { box: [1.75, 1, 5, 4], score: 0.61, label: 1, className: 'cell', area: 7, mask: coco[1] },
      ],
    });
  });

  test('has no route without a router', () => {
    const json = JSON.parse(resultJson(found()));
    expect(Object.keys(json)).toEqual([
      'format',
      'version',
      'width',
      'height',
      'limitsReached',
      'scale',
      'rle',
      'cells',
    ]);
  });

  test.each([
    ['coco', coco],
    ['counts', counts],
    ['kaggle', kaggle],
  ] as const)('states the encoding of its masks: %s', (rle, masks) => {
    const json = JSON.parse(resultJson(found(), { rle }));
    expect(json.rle).toBe(rle);
    expect(json.cells.map(({ mask }: { mask: unknown }) => mask)).toEqual(masks);
  });

  test('refuses an unknown encoding', () => {
    expect(() => resultJson(found(), { rle: 'rle' as 'coco' })).toThrow(
      /one of 'coco', 'counts', 'kaggle' for rle/,
    );
  });
});

describe('label PNG', () => {
  test('numbers the cells, and the higher-scored one keeps shared pixels', async () => {
    const { source: _, ...image } = await decodeImage(await labelPng(found()));
    expect(image).toEqual({
      width: 5,
      height: 4,
      channels: 1,
      // biome-ignore format: rows of the image
      data: Uint16Array.of(
        0, 1, 1, 0, 0,
        0, 1, 1, 1, 2,
        0, 0, 2, 1, 2,
        0, 0, 0, 0, 2,
      ),
    });
  });

  test('without cells is black', async () => {
    expect((await decodeImage(await labelPng(nothing))).data).toEqual(new Uint16Array(20));
  });

  test('keeps numbers above 255', async () => {
    const width = 300;
    const { masks } = Masks.fromLabels(
      Uint16Array.from({ length: width }, (_, i) => i + 1),
      { width, height: 1 },
    );
    const cells = new Cells({
      boxes: boxArray(new Float32Array(4 * width)),
      scores: new Float32Array(width),
      labels: new Int32Array(width).fill(1),
      areas: new Uint32Array(width).fill(1),
      masks,
    });
    const png = await labelPng({ ...nothing, width, height: 1, cells });
    expect((await decodeImage(png)).data).toEqual(Uint16Array.from({ length: width }, (_, i) => i + 1));
  });

  test('with more cells than 16-bit labels is refused', async () => {
    const many = { length: 65_536 } as Cells;
    await expect(labelPng({ ...nothing, cells: many })).rejects.toThrow(/at most 65535 cells/);
  });
});

test('a float32 is written as its shortest decimal', () => {
  expect(shortest(Math.fround(0.1))).toBe(0.1);
  expect(shortest(Math.fround(703.9999))).toBe(703.9999);
  expect(shortest(0)).toBe(0);
  for (let i = 0; i < 2000; i++) {
    const value = Math.fround(Math.sin(i) * 10 ** ((i % 9) - 4));
    expect(Math.fround(shortest(value))).toBe(value);
  }
});

test('result JSON has the name of the image', () => {
  const result = { ...found(), name: 'a.png' };
  expect(JSON.parse(resultJson(result)).name).toBe('a.png');
  expect(JSON.parse(resultJson(result, { name: 'b.tif' })).name).toBe('b.tif');
});

test('streams have the same text as the functions that return a string', async () => {
  async function* images() {
    yield { id: 'a.png', result: routed() };
    yield { id: 'b.png', result: found() };
  }
  const all = [
    { id: 'a.png', result: routed() },
    { id: 'b.png', result: found() },
  ];
  const text = async (stream: AsyncIterable<string>) => {
    let whole = '';
    for await (const part of stream) whole += part;
    return whole;
  };
  expect(await text(streamKaggleCsv(images()))).toBe(kaggleCsv(all));
  expect(await text(streamKaggleTrainCsv(images(), { cellType: 'x' }))).toBe(
    kaggleTrainCsv(all, { cellType: 'x' }),
  );
  expect(await text(streamCocoDataset(images()))).toBe(cocoDatasetJson(all));
  expect(await text(streamCocoResults(images(), { boxes: false }))).toBe(
    cocoResultsJson(all, { boxes: false }),
  );
  expect(JSON.parse(await text(streamCocoDataset([])))).toMatchObject({ annotations: [], images: [] });
});
