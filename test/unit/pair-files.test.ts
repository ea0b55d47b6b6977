import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { cocoDatasetJson, cocoResultsJson } from '../../lib/export/coco-json.js';
import { kaggleCsv, kaggleTrainCsv } from '../../lib/export/kaggle-csv.js';
import { labelPng } from '../../lib/export/label-png.js';
import { resultJson } from '../../lib/export/result-json.js';
import { Cells } from '../../lib/inference/cells.js';
import type { RoutedSegmentation, Segmentation } from '../../lib/inference/result.js';
import { boxArray } from '../../lib/mask/boxes.js';
import { Masks } from '../../lib/mask/masks.js';
import { pairFiles } from '../../lib/metrics/files/index.js';
import { evaluate } from '../../lib/metrics/index.js';
import { describeGolden, goldenJson } from '../support/golden.js';
import { rejection } from '../support/sdk.js';

const folder = mkdtempSync(join(tmpdir(), 'cellroute-pair-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const size = { width: 30, height: 20 };

/** Squares at these positions with descending scores. */
function found(...places: [x: number, y: number, side: number][]): Segmentation {
  const masks = places.map(([x, y, side]) => {
    const pixels = new Uint8Array(size.width * size.height);
    for (let row = y; row < y + side; row++) pixels.fill(1, row * 30 + x, row * 30 + x + side);
    return pixels;
  });
  const all = Masks.encode(Buffer.concat(masks), { ...size, count: masks.length });
  return {
    ...size,
    cells: new Cells({
      boxes: boxArray(Float32Array.from(places.flatMap(([x, y, side]) => [x, y, x + side, y + side]))),
      scores: Float32Array.from(places, (_, i) => 1 - i / 8),
      labels: new Int32Array(places.length).fill(1),
      areas: all.areas(),
      masks: all,
    }),
    limitsReached: { detections: false, proposals: false },
    scale: 1,
  };
}

const groundTruths = [
  { id: 'a', result: found([1, 1, 5], [10, 10, 6], [20, 3, 4]) },
  { id: 'b', result: found([2, 2, 8]) },
  { id: 'c', result: found() },
];
const answers = [
  { id: 'a', result: found([10, 10, 5], [1, 1, 5]) },
  { id: 'b', result: found([15, 9, 4], [3, 2, 8]) },
  { id: 'c', result: found() },
];
const withEnding = (list: typeof groundTruths) => list.map(({ id, result }) => ({ id: `${id}.png`, result }));

let written = 0;
function file(name: string, content: string | Buffer): string {
  const own = join(folder, `${written++}`);
  mkdirSync(own);
  writeFileSync(join(own, name), content);
  return join(own, name);
}
async function folderOf(files: Record<string, string | Buffer | Promise<string | Buffer>>): Promise<string> {
  const own = join(folder, `${written++}`);
  mkdirSync(own);
  for (const [name, content] of Object.entries(files)) writeFileSync(join(own, name), await content);
  return own;
}
const labelFolder = (list: typeof groundTruths, suffix = '') =>
  folderOf(Object.fromEntries(list.map(({ id, result }) => [`${id}${suffix}.png`, labelPng(result)])));

/** All metrics except AP, which depends on scores. */
async function evaluated(groundTruth: string, predicted: string) {
  const { images, notices } = await pairFiles(groundTruth, predicted);
  const { perImage, coco } = await evaluate(images);
  return { perImage: perImage.map(({ cellType: _, ...own }) => own), coco, notices };
}

describe('all formats give the same result', () => {
  const expected = evaluate(
    groundTruths.map(({ id, result }, i) => ({
      id,
      groundTruth: result.cells.masks,
      predicted: answers[i]!.result.cells.masks,
      scores: answers[i]!.result.cells.scores,
    })),
  );

  const groundTruthForms: [string, () => Promise<string> | string][] = [
    ['train.csv', () => file('train.csv', kaggleTrainCsv(groundTruths))],
    ['COCO', () => file('ground-truth.json', cocoDatasetJson(withEnding(groundTruths)))],
    [
      'a folder with one COCO file',
      async () => folderOf({ 'x.json': cocoDatasetJson(withEnding(groundTruths)) }),
    ],
    ['label images', () => labelFolder(groundTruths)],
    [
      'a data set with labels and an index',
      async () => {
        const set = await folderOf({ 'index.csv': 'id,type\na,one\nb,two\nc,two\n' });
        mkdirSync(join(set, 'labels'));
        for (const { id, result } of groundTruths) {
          writeFileSync(join(set, 'labels', `${id}.png`), await labelPng(result));
        }
        return set;
      },
    ],
  ];
  test.each(groundTruthForms)('ground truth as %s', async (_name, make) => {
    const results = await folderOf(
      Object.fromEntries(answers.map(({ id, result }) => [`${id}.json`, resultJson(result)])),
    );
    const { perImage, coco, notices } = await evaluated(await make(), results);
    expect(perImage).toEqual((await expected).perImage);
    expect(coco).toEqual((await expected).coco);
    expect(notices).toEqual([]);
  });

  const groundTruth = file('train.csv', kaggleTrainCsv(groundTruths));
  const scored: [string, () => Promise<string> | string][] = [
    [
      'results in three dialects beside a COCO file, as segment leaves them',
      () =>
        folderOf({
          'a.json': resultJson(answers[0]!.result, { rle: 'kaggle' }),
          'b.json': resultJson(answers[1]!.result, { rle: 'counts' }),
          'c.json': resultJson(answers[2]!.result),
          'coco.json': cocoDatasetJson(withEnding(answers.slice(0, 1))),
          'a.labels.png': labelPng(answers[0]!.result),
        }),
    ],
    ['COCO with scores', () => file('coco.json', cocoDatasetJson(withEnding(answers)))],
  ];
  test.each(scored)('predictions as %s', async (_name, make) => {
    const { perImage, coco } = await evaluated(groundTruth, await make());
    expect(perImage).toEqual((await expected).perImage);
    expect(coco).toEqual((await expected).coco);
  });

  const unscored: [string, () => Promise<string> | string][] = [
    ['kaggle.csv', () => file('kaggle.csv', kaggleCsv(answers))],
    ['label images of segment', () => labelFolder(answers, '.labels')],
  ];
  test.each(unscored)('predictions without scores as %s', async (_name, make) => {
    const { perImage, notices } = await evaluated(groundTruth, await make());
    expect(perImage).toEqual((await expected).perImage);
    expect(notices).toEqual([expect.stringMatching(/have no scores/)]);
  });

  test('a list of results, by the ids of COCO ground truth', async () => {
    const coco = file('ground-truth.json', cocoDatasetJson(withEnding(groundTruths)));
    const list = file('r.json', cocoResultsJson(answers.map(({ result }, i) => ({ id: i + 1, result }))));
    const { perImage, coco: scores } = await evaluated(coco, list);
    expect(perImage).toEqual((await expected).perImage);
    expect(scores.ap).toBe((await expected).coco.ap);
  });

  test('a list of results, by the names of any ground truth', async () => {
    const list = file('r.json', cocoResultsJson(withEnding(answers)));
    expect((await evaluated(groundTruth, list)).perImage).toEqual((await expected).perImage);
  });
});

test('names without extension that are also file names', async () => {
  const [one, two] = groundTruths.map(({ result }) => result) as [Segmentation, Segmentation];
  const files = file(
    'coco.json',
    cocoDatasetJson([
      { id: 'b.tif', result: one },
      { id: 'b.tif.tif', result: two },
    ]),
  );
  const table = file(
    'kaggle.csv',
    kaggleTrainCsv([
      { id: 'b', result: one },
      { id: 'b.tif', result: two },
    ]),
  );
  for (const [groundTruth, predicted] of [
    [files, table],
    [table, files],
  ] as const) {
    const { images } = await pairFiles(groundTruth, predicted);
    expect(images.map((image) => image.predicted.toCoco())).toEqual([
      one.cells.masks.toCoco(),
      two.cells.masks.toCoco(),
    ]);
    for (const image of images) expect(image.predicted.toCoco()).toEqual(image.groundTruth.toCoco());
  }
});

test('types are read from the given column of the ground truth', async () => {
  const groundTruth = file('t.csv', kaggleTrainCsv(groundTruths, { cellType: 'cort' }));
  const answer = file('p.csv', kaggleCsv(answers));
  const types = async (cellTypeColumn?: string) =>
    (await pairFiles(groundTruth, answer, cellTypeColumn === undefined ? {} : { cellTypeColumn })).images.map(
      ({ cellType: type }) => type,
    );
  expect(await types()).toEqual(['cort', 'cort', 'cort']);
  expect(await types('width')).toEqual(['30', '30', '30']);
  expect(await types('nothing')).toEqual([undefined, undefined, undefined]);
});

test('images without predictions count, unless they are skipped', async () => {
  const groundTruth = file('t.csv', kaggleTrainCsv(groundTruths));
  const answer = file('p.csv', kaggleCsv([answers[1]!, { id: 'stranger', result: found() }]));
  const all = await pairFiles(groundTruth, answer);
  expect(all.images.map(({ id, predicted }) => [id, predicted.length])).toEqual([
    ['a', 0],
    ['b', 2],
    ['c', 0],
  ]);
  expect(all.notices).toEqual([
    '1 predicted images have no ground truth and are skipped: stranger',
    '2 of 3 images have no prediction, and all of their cells count as missed: a, c',
    expect.stringMatching(/no scores/),
  ]);
  const some = await pairFiles(groundTruth, answer, { onlyPredicted: true });
  expect(some.images.map(({ id }) => id)).toEqual(['b']);
});

test('an empty list of results is accepted', async () => {
  const groundTruth = file('t.json', cocoDatasetJson(withEnding(groundTruths)));
  const { images, notices } = await pairFiles(groundTruth, file('r.json', '[]'));
  expect(images.every(({ predicted }) => predicted.length === 0)).toBe(true);
  expect(notices).toContainEqual('There are no predicted cells.');
});

test('where selects by columns', async () => {
  const groundTruth = file(
    't.csv',
    kaggleTrainCsv(groundTruths).replaceAll(/^b,(.*),,,,,$/gm, 'b,$1,,plate 2,,,'),
  );
  const { images } = await pairFiles(groundTruth, file('p.csv', kaggleCsv(answers)), {
    where: { plate_time: 'plate 2' },
  });
  expect(images.map(({ id }) => id)).toEqual(['b']);
  const none = await rejection(pairFiles(groundTruth, groundTruth, { where: { plate_time: 'plate 9' } }));
  expect(none).toMatchObject({ code: 'DATA_INVALID' });
});

describe('classes', () => {
  const routed = (cellType: string, ...places: Parameters<typeof found>): RoutedSegmentation => ({
    ...found(...places),
    cellType,
    probabilities: {},
    segmenter: cellType,
  });
  const groundTruth = file(
    't.json',
    cocoDatasetJson([
      { id: 'a.png', result: routed('astro', [1, 1, 5]) },
      { id: 'b.png', result: routed('cort', [1, 1, 5]) },
    ]),
  );
  const answer = (first: string) =>
    file(
      'p.json',
      cocoDatasetJson([
        { id: 'b.png', result: routed('cort', [1, 1, 5]) },
        { id: 'a.png', result: routed(first, [1, 1, 5]) },
      ]),
    );

  test('are compared by name, not by number', async () => {
    const { images, classNames, notices } = await pairFiles(groundTruth, answer('astro'));
    expect([...classNames!]).toEqual([
      [1, 'astro'],
      [2, 'cort'],
    ]);
    expect(notices).toEqual([]);
    expect((await evaluate(images)).coco.ap!).toBeCloseTo(1, 12);
  });

  test('a wrong class counts as wrong, unless classes are ignored', async () => {
    const wrong = await pairFiles(groundTruth, answer('cort'));
    expect((await evaluate(wrong.images)).coco.ap!).toBeLessThan(0.6);
    const ignored = await pairFiles(groundTruth, answer('cort'), { ignoreClasses: true });
    expect(ignored.classNames).toBeUndefined();
    expect((await evaluate(ignored.images)).coco.ap!).toBeCloseTo(1, 12);
  });

  test('without a common name are not compared, which is reported', async () => {
    const other = file('p.json', cocoDatasetJson([{ id: 'a.png', result: routed('nuclei', [1, 1, 5]) }]));
    const { notices, classNames } = await pairFiles(groundTruth, other);
    expect(classNames).toBeUndefined();
    expect(notices).toContainEqual(expect.stringMatching(/Classes are not compared: .*nuclei.*astro, cort/));
  });
});

describe('unusable entries are refused with their location', () => {
  const groundTruth = file('t.csv', kaggleTrainCsv(groundTruths));
  const coco = JSON.parse(cocoDatasetJson(withEnding(groundTruths))) as {
    annotations: Record<string, unknown>[];
    images: Record<string, unknown>[];
  };
  const changed = (change: (copy: typeof coco) => void) => {
    const copy = structuredClone(coco);
    change(copy);
    return file('t.json', JSON.stringify(copy));
  };
  const list = (value: unknown) => file('r.json', JSON.stringify(value));
  const rle = { size: [20, 30], counts: found([1, 1, 2]).cells.masks.toCoco()[0]! };

  test.each<[string, () => string | Promise<string>, RegExp]>([
    ['damaged JSON', () => file('r.json', '[{"image_id": '), /cannot be read as JSON/],
    [
      'no score',
      () => list([{ image_id: 1, category_id: 1, segmentation: rle }]),
      /\[0\]\.score: expected a number/,
    ],
    ['no mask', () => list([{ image_id: 'a', category_id: 1, score: 1 }]), /\[0\]\.segmentation/],
    [
      'a damaged mask',
      () =>
        list([
          { image_id: 'a', category_id: 1, score: 1, segmentation: rle },
          { image_id: 'a', category_id: 1, score: 1, segmentation: { ...rle, counts: '0~' } },
        ]),
      /\[1\]\.segmentation: .*character/,
    ],
    [
      'half a box',
      () => list([{ image_id: 'a', category_id: 1, score: 1, segmentation: rle, bbox: [1] }]),
      /\[0\]\.bbox/,
    ],
    [
      'another size',
      () => list([{ image_id: 'a', category_id: 1, score: 1, segmentation: { ...rle, size: [30, 20] } }]),
      /image a has 30 x 20 pixels, but its prediction has 20 x 30/,
    ],
    ['unknown images', () => file('p.csv', 'id,annotation\nx,1 2\n'), /none of its images \(x\)/],
    [
      'an invalid annotation',
      () => file('p.csv', 'id,annotation\na,1 2\na,1 x\n'),
      /row 3, annotation, image a: /,
    ],
    ['another ending', () => file('p.txt', ''), /\.csv file, a \.json file or a folder/],
    ['an empty folder', () => folderOf({}), /no label images/],
    [
      'a result of a later version',
      () => file('a.json', resultJson(answers[0]!.result).replace('"version":1', '"version":2')),
      /version/,
    ],
  ])('predictions: %s', async (_name, make, message) => {
    const error = await rejection(pairFiles(groundTruth, await make()));
    expect(error).toMatchObject({ code: 'DATA_INVALID', message: expect.stringMatching(message) });
  });

  test.each<[string, () => string, RegExp]>([
    ['a list of results', () => list([]), /cannot be ground truth/],
    [
      'an annotation of no image',
      () =>
        changed(({ annotations }) => {
          annotations[1]!.image_id = 77;
        }),
      /annotations\[1\]\.image_id/,
    ],
    [
      'an image without a size',
      () =>
        changed(({ images }) => {
          delete images[0]!.width;
        }),
      /images\[0\]\.width/,
    ],
    ['no size anywhere', () => file('t.csv', 'id,annotation\na,1 2\n'), /image a has no width and height/],
  ])('ground truth: %s', async (_name, make, message) => {
    const error = await rejection(pairFiles(make(), file('p.csv', kaggleCsv(answers)), { strict: true }));
    expect(error).toMatchObject({ code: 'DATA_INVALID', message: expect.stringMatching(message) });
  });

  test('unusable ground truth is skipped and reported without strict', async () => {
    const groundTruth = changed(({ annotations, images }) => {
      annotations[1]!.image_id = 77;
      delete images[1]!.width;
    });
    const { images, notices } = await pairFiles(groundTruth, file('p.csv', kaggleCsv(answers)));
    expect(images.map(({ id, groundTruth: { length } }) => [id, length])).toEqual([
      ['a', 2],
      ['c', 0],
    ]);
    expect(notices).toContainEqual(
      expect.stringMatching(/annotations\[1\]\.image_id: there is no usable image/),
    );
    expect(notices).toContainEqual(expect.stringMatching(/images\[1\]\.width: expected a number of pixels/));
  });

  test('a missing path, and invalid options', async () => {
    expect(await rejection(pairFiles(join(folder, 'none'), groundTruth))).toMatchObject({
      code: 'FILE_UNREADABLE',
    });
    expect(await rejection(pairFiles(groundTruth, groundTruth, { where: { a: 1 as never } }))).toMatchObject({
      code: 'INVALID_ARGUMENT',
      details: { option: 'where.a' },
    });
  });
});

describeGolden('COCO files as pycocotools evaluates them', { goldens: ['metrics_cases.json'] }, () => {
  const golden = goldenJson<{
    coco_truth: object;
    coco_detections: { bbox?: unknown }[];
    with_boxes: { all: Record<string, { AP: number; APSmall: number }> };
    without_boxes: { all: Record<string, { AP: number; APSmall: number }> };
  }>('metrics_cases.json');

  test.each(['with_boxes', 'without_boxes'] as const)('%s', async (name) => {
    const detections =
      name === 'with_boxes'
        ? golden.coco_detections
        : golden.coco_detections.map(({ bbox: _, ...one }) => one);
    const groundTruth = file('t.json', JSON.stringify(golden.coco_truth));
    const { images } = await pairFiles(groundTruth, file('r.json', JSON.stringify(detections)));
    const { coco, cocoBoxes } = await evaluate(images, { maxDets: 10 });
    const { segm_maxDets10: segm, bbox_maxDets10: bbox } = golden[name].all;
    expect(coco.ap!).toBeCloseTo(segm!.AP, 12);
    expect(coco.apSmall!).toBeCloseTo(segm!.APSmall, 12);
    expect(cocoBoxes.ap!).toBeCloseTo(bbox!.AP, 12);
  });
});
