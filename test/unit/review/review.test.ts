import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import sharp from 'sharp';
import { openDataset } from '../../../lib/data/open.js';
import { evaluate, pairFiles } from '../../../lib/metrics.js';
import { type Review, startReview } from '../../../lib/train.js';
import {
  ask,
  type Rectangle,
  rectangles,
  routedResult,
  writeImage,
  writeResult,
} from '../../support/review.js';
import { rejection } from '../../support/sdk.js';

const size = { width: 60, height: 40 };
const boxes: Record<'a.png' | 'b.tif', Rectangle[]> = {
  'a.png': [
    [2, 2, 10, 9],
    [15, 5, 30, 20],
    [35, 20, 55, 38],
  ],
  'b.tif': [[4, 4, 20, 30]],
};
const square = [20, 22, 28, 22, 28, 30, 20, 30];
const squareBox: Rectangle = [20, 22, 28, 30];
const none = { removed: [], changed: [], added: [] };

let folder: string;
const path = (...names: string[]) => join(folder, ...names);
const reviews: Review[] = [];

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'cellroute-review-'));
  for (const [name, own] of Object.entries(boxes)) {
    await writeImage(path('images'), name, size, own);
    writeResult(
      path('results'),
      name,
      routedResult(rectangles(own, size), name === 'a.png' ? 'astro' : 'cort'),
    );
  }
});
afterEach(async () => {
  for (const review of reviews.splice(0)) await review.close().catch(() => {});
  rmSync(folder, { recursive: true, force: true });
});

async function start(options: Partial<Parameters<typeof startReview>[1]> = {}, source = path('results')) {
  const review = await startReview(source, { images: path('images'), out: path('corrected'), ...options });
  reviews.push(review);
  return review;
}

const save = (review: Review, image: number, body: object) =>
  ask(review.url, `images/${image}`, { method: 'PUT', body });

const pixelsOf = async (folderOfData: string, id: string) => {
  const data = await openDataset(folderOfData);
  const { masks, labels } = await data.items.find((item) => item.id === id)!.load();
  return { data, labels, masks };
};

test('the session names images, classes and cell types', async () => {
  const review = await start({ classes: ['debris'], cellTypes: ['shsy5y'] });
  expect(review.images).toBe(2);
  expect((await ask(review.url, 'session')).json()).toEqual({
    classes: ['cell', 'debris'],
    cellTypes: ['astro', 'cort', 'shsy5y'],
    position: 0,
    images: [
      { name: 'a.png', reviewed: false },
      { name: 'b.tif', reviewed: false },
    ],
  });
});

test('an image has the outlines, classes and scores of its predictions', async () => {
  const review = await start();
  const image = (await ask(review.url, 'images/0')).json();
  expect(image).toMatchObject({
    name: 'a.png',
    ...size,
    cellType: 'astro',
    revision: 0,
    reviewed: false,
    edits: none,
    classes: [0, 0, 0],
    scores: [1, 1, 1],
  });
  expect((image.outlines as string[])[0]).toBe('M2 2h8v7h-8z');
});

test('pixels are sent as an 8-bit PNG, stretched where the image has 16 bits', async () => {
  const review = await start();
  for (const index of [0, 1]) {
    const { body, headers } = await ask(review.url, `images/${index}/pixels`);
    expect(headers['content-type']).toBe('image/png');
    expect(await sharp(body).metadata()).toMatchObject({ ...size, channels: 1, depth: 'uchar' });
    expect(Math.max(...(await sharp(body).raw().toBuffer()))).toBeGreaterThan(200);
  }
});

test('the chosen channel of an image is shown', async () => {
  const rgb = Buffer.from(Array.from({ length: size.width * size.height }, () => [10, 250, 20]).flat());
  mkdirSync(path('colour'));
  await sharp(rgb, { raw: { ...size, channels: 3 } }).toFile(path('colour', 'a.png'));
  const review = await start({ images: path('colour'), channels: [1] });
  const { body } = await ask(review.url, 'images/0/pixels');
  expect(await sharp(body).metadata()).toMatchObject({ ...size, channels: 1 });
  expect(Math.min(...(await sharp(body).raw().toBuffer()))).toBe(250);
});

test('large images are reduced for the browser, their outlines are not', async () => {
  const wide = { width: 9000, height: 12 };
  await writeImage(path('wide-images'), 'w.png', wide);
  writeResult(path('wide'), 'w.png', routedResult(rectangles([[8000, 1, 8999, 11]], wide), 'astro'));
  const review = await start({ images: path('wide-images') }, path('wide'));
  const { body } = await ask(review.url, 'images/0/pixels');
  expect(await sharp(body).metadata()).toMatchObject({ width: 8192 });
  expect((await ask(review.url, 'images/0')).json()).toMatchObject({
    ...wide,
    outlines: ['M8000 1h999v10h-999z'],
  });
});

test('reviewed images become a data set with exactly the pixels that were drawn', async () => {
  const review = await start();
  const edits = {
    removed: [0],
    changed: [{ cell: 2, polygons: [square] }],
    added: [{ id: 0, polygons: [[1, 30, 9, 30, 9, 39, 1, 39]] }],
    cellType: 'cort',
  };
  expect((await save(review, 0, { revision: 0, reviewed: true, edits })).json()).toEqual({ revision: 1 });
  expect(
    (await save(review, 1, { revision: 0, reviewed: false, edits: { ...none, removed: [0] } })).status,
  ).toBe(200);
  const { data, masks, labels } = await pixelsOf(path('corrected'), 'a');
  expect(data.items.map(({ id, cellType }) => [id, cellType])).toEqual([['a', 'cort']]);
  expect(data.classNames).toEqual(['cell']);
  expect(data.problems).toEqual([]);
  expect(data.notices).toEqual([]);
  expect(Array.from(labels)).toEqual([1, 1, 1]);
  expect(masks.toCoco()).toEqual(rectangles([boxes['a.png'][1]!, squareBox, [1, 30, 9, 39]], size).toCoco());
  expect(readFileSync(path('corrected', 'images', 'a.png'))).toEqual(readFileSync(path('images', 'a.png')));
  expect(existsSync(path('corrected', 'images', 'b.tif'))).toBe(false);
  expect(await review.close()).toEqual({
    out: path('corrected'),
    images: 2,
    reviewed: 1,
    removed: 1,
    changed: 1,
    added: 1,
    retyped: 1,
    cells: 3,
    unfinished: ['b.tif'],
  });
});

test('evaluate reads the data set as ground truth', async () => {
  const review = await start();
  await save(review, 0, { revision: 0, reviewed: true, edits: { ...none, removed: [1] } });
  await review.close();
  const { images } = await pairFiles(path('corrected'), path('results'));
  const { f1 } = await evaluate(images);
  expect(f1).toMatchObject({ truePositives: 2, falsePositives: 1, falseNegatives: 0 });
});

test('an image that is not marked any more leaves the data set', async () => {
  const review = await start();
  await save(review, 0, { revision: 0, reviewed: true, edits: none });
  await save(review, 1, { revision: 0, reviewed: true, edits: none });
  expect((await openDataset(path('corrected'))).items).toHaveLength(2);
  await save(review, 0, { revision: 1, reviewed: false, edits: none });
  expect((await openDataset(path('corrected'))).items.map(({ id }) => id)).toEqual(['b']);
});

test('an image without cells is one of the data set', async () => {
  const review = await start();
  await save(review, 0, { revision: 0, reviewed: true, edits: { ...none, removed: [0, 1, 2] } });
  const data = await openDataset(path('corrected'));
  expect(data.items.map(({ cells }) => cells)).toEqual([0]);
});

test('label images have the drawn cells on top', async () => {
  const review = await start({ format: 'labels' });
  const polygons = [[5, 2, 12, 2, 12, 9, 5, 9]];
  await save(review, 0, { revision: 0, reviewed: true, edits: { ...none, added: [{ id: 0, polygons }] } });
  await save(review, 1, { revision: 0, reviewed: true, edits: none });
  const { data, masks } = await pixelsOf(path('corrected'), 'a');
  expect(data.items.map(({ id, cellType }) => [id, cellType])).toEqual([
    ['a', 'astro'],
    ['b', 'cort'],
  ]);
  const wanted = rectangles([[5, 2, 12, 9], boxes['a.png'][2]!, boxes['a.png'][1]!, [2, 2, 5, 9]], size);
  expect(masks.toCoco()).toEqual(wanted.toCoco());
  await save(review, 0, { revision: 1, reviewed: true, edits: { ...none, removed: [0] } });
  expect((await pixelsOf(path('corrected'), 'a')).masks).toHaveLength(2);
});

test('label images of several classes are refused', async () => {
  expect(await rejection(start({ format: 'labels', classes: ['debris'] }))).toMatchObject({
    code: 'INVALID_ARGUMENT',
    details: { option: 'format' },
  });
});

test('classes of cells are kept, and may be changed', async () => {
  const result = routedResult(rectangles(boxes['a.png'], size), 'astro', [1, 2, 2]);
  writeResult(path('results'), 'a.png', result);
  const review = await start();
  expect((await ask(review.url, 'session')).json()).toMatchObject({ classes: ['cell', 'cell 2'] });
  const edits = { ...none, changed: [{ cell: 1, class: 'cell' }] };
  await save(review, 0, { revision: 0, reviewed: true, edits });
  const { data, labels } = await pixelsOf(path('corrected'), 'a');
  expect(data.classNames).toEqual(['cell', 'cell 2']);
  expect(Array.from(labels)).toEqual([1, 1, 2]);
});

test('a review is resumed with its changes, its marks and its position', async () => {
  const first = await start();
  const edits = { ...none, added: [{ id: 0, polygons: [square] }] };
  await save(first, 0, { revision: 0, reviewed: true, edits });
  await save(first, 1, { revision: 0, reviewed: false, edits: { ...none, removed: [0] } });
  await ask(first.url, 'position', { method: 'PUT', body: { image: 1 } });
  await first.close();
  const second = await start();
  expect((await ask(second.url, 'session')).json()).toMatchObject({
    position: 1,
    images: [
      { name: 'a.png', reviewed: true },
      { name: 'b.tif', reviewed: false },
    ],
  });
  expect((await ask(second.url, 'images/0')).json()).toMatchObject({ revision: 1, reviewed: true, edits });
  expect(second.summary()).toMatchObject({ reviewed: 1, added: 1, cells: 4, unfinished: ['b.tif'] });
  await save(second, 1, { revision: 1, reviewed: true, edits: none });
  expect((await openDataset(path('corrected'))).items.map(({ cells }) => cells)).toEqual([4, 1]);
});

test('the data set is written again where a killed process has not written it', async () => {
  const first = await start();
  await save(first, 0, { revision: 0, reviewed: true, edits: none });
  await first.close();
  rmSync(path('corrected', 'coco.json'));
  await start();
  expect((await openDataset(path('corrected'))).items).toHaveLength(1);
});

test('other predictions, or fewer images, do not resume a review', async () => {
  const first = await start();
  await save(first, 0, { revision: 0, reviewed: true, edits: none });
  await first.close();
  writeResult(path('results'), 'a.png', routedResult(rectangles([[0, 0, 9, 9]], size), 'astro'));
  expect(await rejection(start())).toMatchObject({ code: 'RESUME_REFUSED' });
  rmSync(path('results', 'a.json'));
  const { code, message } = await rejection(start());
  expect(code).toBe('RESUME_REFUSED');
  expect(message).toMatch(/a\.png/);
});

test('a damaged state does not resume a review', async () => {
  const first = await start();
  await save(first, 0, { revision: 0, reviewed: true, edits: none });
  await first.close();
  const file = path('corrected', '.review', 'a.png.json');
  const state = JSON.parse(readFileSync(file, 'utf8'));
  for (const change of [
    { file: undefined },
    { image: 5 },
    { predictions: null },
    { revision: 'one' },
    { reviewed: 1 },
    { edits: { removed: 5 } },
  ]) {
    writeFileSync(file, JSON.stringify({ ...state, ...change }));
    expect(await rejection(start())).toMatchObject({ code: 'RESUME_REFUSED', details: { file } });
  }
  writeFileSync(file, 'null');
  expect(await rejection(start())).toMatchObject({ code: 'RESUME_REFUSED', details: { file } });
});

test('of two tabs, the second to save is refused and gets what is stored', async () => {
  const review = await start();
  const edits = { ...none, removed: [2] };
  await save(review, 0, { revision: 0, reviewed: false, edits });
  const late = await save(review, 0, { revision: 0, reviewed: true, edits: none });
  expect(late.status).toBe(409);
  expect(late.json()).toEqual({ revision: 1, reviewed: false, edits });
  expect((await save(review, 0, { revision: 1, reviewed: true, edits: none })).json()).toEqual({
    revision: 2,
  });
});

test('changes that arrive together are all saved, one of each revision', async () => {
  const review = await start();
  const answers = await Promise.all(
    [0, 1, 2].map((cell) =>
      save(review, 0, { revision: 0, reviewed: true, edits: { ...none, removed: [cell] } }),
    ),
  );
  expect(answers.map(({ status }) => status).sort()).toEqual([200, 409, 409]);
  const { edits } = (await ask(review.url, 'images/0')).json() as { edits: { removed: number[] } };
  const stored = answers.find(({ status }) => status === 409)!.json() as { edits: unknown };
  expect(stored.edits).toEqual(edits);
});

test('edits that do not fit the image are refused, and nothing is stored', async () => {
  const review = await start();
  const answer = await save(review, 0, { revision: 0, reviewed: true, edits: { ...none, removed: [9] } });
  expect(answer.status).toBe(422);
  expect(answer.json()).toMatchObject({ code: 'INVALID_ARGUMENT' });
  expect(existsSync(path('corrected', '.review'))).toBe(false);
});

test('a file that was changed by others is not overwritten', async () => {
  const review = await start();
  await save(review, 0, { revision: 0, reviewed: true, edits: none });
  writeFileSync(path('corrected', 'coco.json'), '{}');
  const answer = await save(review, 0, { revision: 1, reviewed: true, edits: { ...none, removed: [0] } });
  expect(answer.status).toBe(500);
  expect(answer.json()).toMatchObject({ code: 'FILE_UNWRITABLE' });
  expect(await rejection(review.close())).toMatchObject({ code: 'FILE_UNWRITABLE' });
  const forced = await start({ force: true });
  expect((await openDataset(path('corrected'))).items.map(({ cells }) => cells)).toEqual([2]);
  await forced.close();
});

test('a change that is sent again writes the data set that could not be written', async () => {
  const review = await start();
  await save(review, 0, { revision: 0, reviewed: true, edits: none });
  writeFileSync(path('corrected', 'coco.json'), '{}');
  const change = { revision: 1, reviewed: true, edits: { ...none, removed: [0] } };
  expect((await save(review, 0, change)).status).toBe(500);
  expect((await save(review, 0, change)).status).toBe(500);
  rmSync(path('corrected', 'coco.json'));
  expect((await save(review, 0, change)).json()).toEqual({ revision: 2 });
  expect((await openDataset(path('corrected'))).items.map(({ cells }) => cells)).toEqual([2]);
  // Once more, as after an answer that was lost.
  expect((await save(review, 0, change)).json()).toEqual({ revision: 2 });
});

test('another image of the same name is not overwritten', async () => {
  await writeImage(path('corrected', 'images'), 'a.png', { width: 3, height: 3 });
  const review = await start();
  const answer = await save(review, 0, { revision: 0, reviewed: true, edits: none });
  expect(answer.json()).toMatchObject({ code: 'FILE_UNWRITABLE' });
});

test('one review at a time writes to a folder, which is not that of the predictions', async () => {
  await start();
  expect(await rejection(start())).toMatchObject({ code: 'RUN_LOCKED' });
  expect(await rejection(start({ out: path('results') }))).toMatchObject({
    code: 'INVALID_ARGUMENT',
    details: { option: 'out' },
  });
});

test('images are searched beside the results; without any, the option is named', async () => {
  const { code, message } = await rejection(start({ images: undefined }));
  expect(code).toBe('DATA_INVALID');
  expect(message).toMatch(/--images/);
  await writeImage(path('results', 'images'), 'a.png', size);
  const review = await start({ images: undefined });
  expect(review.images).toBe(1);
  expect(review.problems).toHaveLength(1);
  expect(review.problems[0]).toMatchObject({ id: 'b' });
});

test('predictions of another size than the image are reported', async () => {
  await writeImage(path('images'), 'a.png', { width: 61, height: 40 });
  const review = await start();
  expect(review.images).toBe(1);
  expect(review.problems[0]!.reason).toMatch(/60 x 40 pixels, but the image 61 x 40/);
});

test('COCO with polygons, and data sets with label images, can be reviewed', async () => {
  const review = await start();
  await save(review, 0, { revision: 0, reviewed: true, edits: none });
  await review.close();
  const again = await start({ images: undefined, out: path('again') }, path('corrected'));
  expect((await ask(again.url, 'session')).json()).toMatchObject({ classes: ['cell'], cellTypes: ['astro'] });
  expect(((await ask(again.url, 'images/0')).json().outlines as string[]).length).toBe(3);
  await again.close();
  const labels = await start({ out: path('labels'), format: 'labels' });
  await save(labels, 0, { revision: 0, reviewed: true, edits: none });
  await labels.close();
  const third = await start({ images: undefined, out: path('third') }, path('labels'));
  expect(third.images).toBe(1);
});

test('images in folders get unique names in the data set', async () => {
  for (const set of ['x', 'y']) {
    await writeImage(path('nested', set), 'w.png', size, [[1, 1, 5, 5]]);
    mkdirSync(path('nested-results', set), { recursive: true });
    const text = JSON.stringify({
      ...JSON.parse(readFileSync(path('results', 'a.json'), 'utf8')),
      name: `${set}/w.png`,
    });
    writeFileSync(path('nested-results', set, 'w.json'), text);
  }
  const review = await start({ images: path('nested') }, path('nested-results'));
  for (const image of [0, 1]) await save(review, image, { revision: 0, reviewed: true, edits: none });
  expect(readdirSync(path('corrected', 'images')).sort()).toEqual(['x-w.png', 'y-w.png']);
  expect((await openDataset(path('corrected'))).items.map(({ id }) => id)).toEqual(['x-w', 'y-w']);
});

test('a signal ends the review as close does', async () => {
  const stop = new AbortController();
  const review = await start({ signal: stop.signal });
  await save(review, 0, { revision: 0, reviewed: true, edits: none });
  stop.abort();
  expect(await review.finished).toMatchObject({ reviewed: 1 });
  expect(existsSync(path('corrected', '.cellroute.lock'))).toBe(false);
  await expect(ask(review.url)).rejects.toThrow();
  await expect(start({ signal: AbortSignal.abort(new Error('stopped')) })).rejects.toThrow('stopped');
});

test('a signal that aborts while the review is being started ends it', async () => {
  const stop = new AbortController();
  const listening = jest.spyOn(Server.prototype, 'listen').mockImplementationOnce(function (
    this: Server,
    ...how
  ) {
    stop.abort();
    return this.listen(...how);
  });
  const review = await start({ signal: stop.signal }).finally(() => listening.mockRestore());
  expect(await review.finished).toMatchObject({ images: 2, reviewed: 0 });
});

test('the page ends the review', async () => {
  const review = await start();
  const answer = await ask(review.url, 'finish', { method: 'POST', body: {} });
  expect(answer.json()).toMatchObject({ images: 2, reviewed: 0 });
  expect(await review.finished).toMatchObject({ images: 2 });
});

test.each([
  ['out', { out: '' }],
  ['format', { format: 'yolo' }],
  ['port', { port: 70_000 }],
  ['classes', { classes: 'cell' }],
  ['classes[0]', { classes: [''] }],
  ['categories', { categories: 'none' }],
  ['crowds', { crowds: 'none' }],
  ['force', { force: 1 }],
  ['outt', { outt: 'x' }],
])('option %s is checked', async (option, options) => {
  expect(await rejection(start(options as object))).toMatchObject({
    code: 'INVALID_ARGUMENT',
    details: { option },
  });
});

describe('the server', () => {
  test('sends everything with a policy that allows nothing else', async () => {
    const review = await start();
    expect(review.url).toMatch(/^http:\/\/127\.0\.0\.1:\d+\/[\w-]{24}\/$/);
    for (const file of ['', 'page.css', 'page.js', 'view.js', 'session', 'images/0', 'nothing']) {
      const { headers } = await ask(review.url, file);
      expect(headers['content-security-policy']).toBe(
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src data:; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
      );
      expect(headers).toMatchObject({
        'x-content-type-options': 'nosniff',
        'referrer-policy': 'no-referrer',
        'cache-control': 'no-store',
      });
    }
  });

  test('refuses requests without its token', async () => {
    const { url } = await start();
    const { origin } = new URL(url);
    for (const path of [
      '/',
      '/session',
      '/images/0',
      `/${'x'.repeat(24)}/session`,
      `${new URL(url).pathname.slice(0, -2)}/`,
      new URL(url).pathname.slice(0, -1),
    ]) {
      expect((await ask(origin, path)).status).toBe(404);
    }
  });

  test('refuses other names of this machine and other websites', async () => {
    const { url } = await start();
    const { port } = new URL(url);
    const own = { body: { revision: 0, reviewed: false, edits: none }, method: 'PUT' };
    const status = async (headers: Record<string, string>, options = {}) =>
      (await ask(url, 'images/0', { ...options, headers })).status;
    expect(await status({ host: `localhost:${port}` })).toBe(200);
    expect(await status({ host: `evil.example:${port}` })).toBe(403);
    expect(await status({ host: '127.0.0.1' })).toBe(403);
    expect(await status({ origin: 'http://evil.example' }, own)).toBe(403);
    expect(await status({ origin: 'null' }, own)).toBe(403);
    expect(await status({ 'sec-fetch-site': 'cross-site' }, own)).toBe(403);
    expect(await status({ 'sec-fetch-site': 'cross-site', 'sec-fetch-mode': 'navigate' })).toBe(200);
    expect(await status({ origin: `http://127.0.0.1:${port}` }, own)).toBe(200);
  });

  test('answers wrong requests with a reason', async () => {
    const { url } = await start();
    const status = async (file: string, options = {}) => (await ask(url, file, options)).status;
    expect(await status('images/2')).toBe(404);
    expect(await status('images/-1')).toBe(404);
    expect(await status('images/0/../../session')).not.toBe(500);
    expect(await status('..%2f..%2fpackage.json')).toBe(404);
    expect(await status('session', { method: 'PUT', body: {} })).toBe(405);
    expect(
      await status('images/0', { method: 'PUT', body: {}, headers: { 'content-type': 'text/plain' } }),
    ).toBe(415);
    expect(await status('images/0', { method: 'PUT', body: [] })).toBe(422);
    expect(await status('position', { method: 'PUT', body: { image: 2 } })).toBe(422);
    expect(await status('', { method: 'HEAD' })).toBe(200);
    const large = { revision: 0, reviewed: false, edits: 'x'.repeat(33 * 2 ** 20) };
    await expect(status('images/0', { method: 'PUT', body: large })).resolves.toBe(413);
  });
});
