import { cpSync, mkdirSync, readdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { Dataset } from '../../lib/data/dataset.js';
import { openDataset } from '../../lib/data/open.js';
import { RoutedEnsemble } from '../../lib/inference/ensemble.js';
import { evaluate } from '../../lib/metrics/evaluate.js';
import { pairFiles } from '../../lib/metrics/files/index.js';
import { SegmenterTrainer } from '../../lib/trainer/segmenter-trainer.js';
import { tuneEnsemble } from '../../lib/tune/tune-ensemble.js';
import { cellroute } from '../support/cli.js';
import { workFolder } from '../support/data-folder.js';
import { type Outcome, printOutcomes } from '../support/outcomes.js';
import { root, testEnsemble } from '../support/sdk.js';
import { tinySegmenter } from '../support/synthetic.js';

// Every kind of input with every reader: all readers must agree on reading, warning or refusing.

const cases = join(root, 'test/data/cases');
const folder = workFolder();

const inputs: [name: string, path: () => string, expected: Outcome][] = [
  ['train.csv', () => table('train.csv', 'annotation'), 'read'],
  ['a submission', () => table('submission.csv', 'predicted'), 'read'],
  ['a table with a damaged row', () => table('damaged.csv', 'annotation', 'p1,7 x'), 'warn'],
  ['a table without a usable row', () => table('useless.csv', 'mask'), 'refuse'],
  ['a folder of data sets', () => setOfSets(), 'read'],
  ['coco/iscrowd-null', () => join(cases, 'coco/iscrowd-null'), 'read'],
  ['coco/image-id-type-differs', () => join(cases, 'coco/image-id-type-differs'), 'read'],
  ['coco/nan-area', () => join(cases, 'coco/nan-area'), 'read'],
  ['coco/mixed-degenerate-ring', () => join(cases, 'coco/mixed-degenerate-ring'), 'warn'],
  ['coco/cvat-brush-masks', () => join(cases, 'coco/cvat-brush-masks'), 'refuse'],
  ['COCO in annotations/, with a missing image', () => cvat(), 'warn'],
  ['COCO with two images of one file name', () => twice('other.png'), 'warn'],
  ['COCO without a list of annotations', () => listOfImages(), 'refuse'],
  ['COCO whose images all have one file name', () => twice('a.png'), 'refuse'],
  ['labels/int32-stardist', () => join(cases, 'labels/int32-stardist'), 'read'],
  ['labels/jpeg-labels', () => join(cases, 'labels/jpeg-labels'), 'refuse'],
  ['labels/multi-page-labels', () => join(cases, 'labels/multi-page-labels'), 'refuse'],
  ['names/mac-files', () => join(cases, 'names/mac-files'), 'read'],
];

const image = join(cases, 'labels/int32-stardist/images/p1.png');

function put(from: string, ...to: string[]): void {
  mkdirSync(dirname(folder.path(...to)), { recursive: true });
  cpSync(from, folder.path(...to));
}

/** One row per cell, beside its image. */
function table(name: string, column: string, ...rows: string[]): string {
  put(image, 'tables', name, 'images', 'p1.png');
  return folder.write(`tables/${name}/${name}`, `${[`id,${column}`, 'p1,1 20 65 20', ...rows].join('\n')}\n`);
}

function setOfSets(): string {
  for (const set of ['one', 'two']) {
    put(image, 'sets', set, 'images', 'p1.png');
    folder.write(`sets/${set}/train.csv`, 'id,annotation\np1,1 20 65 20\n');
  }
  return folder.path('sets');
}

function cvat(): string {
  for (const name of ['a.png', 'b.png']) put(image, 'cvat', 'images', name);
  const square = [[10, 10, 30, 10, 30, 30, 10, 30]];
  const annotation = (image_id: number, iscrowd: number) => ({
    ...{ id: image_id, image_id, category_id: 1, iscrowd, segmentation: square },
  });
  folder.write(
    'cvat/annotations/instances_default.json',
    JSON.stringify({
      images: ['a.png', 'b.png'].map((file_name, i) => ({ id: i + 1, file_name, width: 64, height: 64 })),
      categories: [{ id: 1, name: 'cell' }],
      annotations: [annotation(1, 0), annotation(2, 1)],
    }),
  );
  return folder.path('cvat');
}

/** Two images of one file, each with a cell, and a third image. */
function twice(third: string): string {
  const name = `twice ${third}`;
  for (const file of ['a.png', 'other.png']) put(image, name, 'images', file);
  const square = [[10, 10, 30, 10, 30, 30, 10, 30]];
  folder.write(
    `${name}/train.json`,
    JSON.stringify({
      images: ['a.png', 'a.png', third].map((file_name, i) => ({
        id: i + 1,
        file_name,
        width: 64,
        height: 64,
      })),
      categories: [{ id: 1, name: 'cell' }],
      annotations: [1, 2, 3].map((id) => ({ id, image_id: id, category_id: 1, segmentation: square })),
    }),
  );
  return folder.path(name);
}

/** A COCO file that says nothing of cells. */
function listOfImages(): string {
  put(image, 'listed', 'a.png');
  const images = [{ id: 1, file_name: 'a.png', width: 64, height: 64 }];
  folder.write('listed/image_info.json', JSON.stringify({ images, categories: [{ id: 1, name: 'cell' }] }));
  return folder.path('listed');
}

async function outcomeOf(action: () => Promise<{ warned: boolean }>): Promise<Outcome> {
  try {
    return (await action()).warned ? 'warn' : 'read';
  } catch (error) {
    expect((error as { code?: string }).code).toBe('DATA_INVALID');
    return 'refuse';
  }
}

async function outcomeOfCommand(...args: string[]): Promise<Outcome> {
  const { status, stderr } = await cellroute(...args);
  if (status === 0) return /skipped/.test(stderr) ? 'warn' : 'read';
  expect(stderr).toMatch(/\[DATA_INVALID\]\n$/);
  return 'refuse';
}

/** All images of a data set with a type that the test's ensemble has a segmenter for. */
const typed = ({ items }: Dataset) =>
  new Dataset(items.map((item) => ({ ...item, cellType: 'fluorescence' })));

const all = new Map<string, Record<string, Outcome>>();
afterAll(() => printOutcomes('data set', all));

const none = folder.write('none.json', '[]');
let ensemble: RoutedEnsemble;
beforeAll(async () => {
  ensemble = await RoutedEnsemble.load(testEnsemble);
});
afterAll(() => ensemble.dispose());

test.each(inputs)('%s', async (name, make, expected) => {
  const path = make();
  const reading = async () => {
    const data = await openDataset(path);
    return { data, warned: data.problems.length + data.notices.length > 0 };
  };
  const found: Record<string, Outcome> = {
    openDataset: await outcomeOf(reading),
    train: await outcomeOf(async () => {
      const { data, warned } = await reading();
      const config = { network: tinySegmenter, epochs: null, steps: 1, logs: { tensorboard: false } };
      const run = folder.path(`run of ${name.replaceAll(/\W/g, '-')}`);
      const events = new SegmenterTrainer({ data, folder: run, config }).run();
      const kinds: string[] = [];
      for await (const { kind } of events) kinds.push(kind);
      expect(kinds).toContain('step');
      return { warned };
    }),
    tune: await outcomeOf(async () => {
      const { data, warned } = await reading();
      const grid = {
        minScore: [0.5],
        maskThreshold: [0.5],
        nmsThreshold: [0.5],
        minArea: [0],
        maxLost: [null],
      };
      await tuneEnsemble(ensemble, typed(data), { grid });
      return { warned };
    }),
    evaluate: await outcomeOf(async () => {
      const { images, notices } = await pairFiles(path, none);
      const { groundTruths } = await evaluate(images);
      expect(groundTruths).toBe((await reading()).data.items.reduce((sum, { cells }) => sum + cells, 0));
      return { warned: notices.some((notice) => /skipped/.test(notice)) };
    }),
    'cellroute dataset summary': await outcomeOfCommand('dataset', 'summary', path),
    'cellroute evaluate': await outcomeOfCommand('evaluate', '--ground-truth', path, '--pred', none),
  };
  all.set(name, found);
  expect(found).toEqual(Object.fromEntries(Object.keys(found).map((reader) => [reader, expected])));
});

test('segment and report read the images of every data set', async () => {
  const images = [
    'coco/iscrowd-null',
    'labels/int32-stardist/images',
    'labels/jpeg-labels/images',
    'names/mac-files/images',
  ].map((name) => join(cases, name));
  const count = images
    .flatMap((path) => readdirSync(path))
    .filter((name) => /^[^.].*\.png$/.test(name)).length;
  const flags = ['-m', testEnsemble, '--cell-type', 'fluorescence'];
  const out = folder.path('segmented');
  const segment = await cellroute('segment', ...images, '-o', out, '-f', 'json', ...flags);
  expect(segment).toMatchObject({ status: 0, stderr: '' });
  expect(
    new Set(
      segment.stdout
        .trim()
        .split('\n')
        .map((line) => line.split(': ')[0]),
    ).size,
  ).toBe(count);
  const html = folder.path('report.html');
  const report = await cellroute('report', ...images, '-o', html, ...flags);
  expect(report).toMatchObject({
    status: 0,
    stderr: '',
    stdout: expect.stringContaining(`in ${count} images`),
  });
});
