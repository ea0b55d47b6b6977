import { createHash } from 'node:crypto';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import sharp from 'sharp';
import { CellrouteError, decodeImage, openSlide, RoutedEnsemble, resultJson } from '../../lib/index.js';
import {
  createQueue,
  createWorker,
  FileObjects,
  type JobQueue,
  type ObjectStore,
  type SegmentTask,
  type WorkEvent,
  type WorkerOptions,
} from '../../lib/queue.js';
import { refusal } from '../support/refusal.js';
import { copyTestEnsemble, image, imageBytes, root } from '../support/sdk.js';

const folder = mkdtempSync(join(tmpdir(), 'cellroute-queue-'));
const model = copyTestEnsemble(join(folder, 'model'));
let ensemble: RoutedEnsemble;
beforeAll(async () => {
  ensemble = await RoutedEnsemble.load(model);
});
afterAll(async () => {
  await ensemble.dispose();
  rmSync(folder, { recursive: true, force: true });
});

afterEach(() => jest.restoreAllMocks());

let made = 0;
const fresh = (name: string) => join(folder, `${name}-${made++}`);
const options = { cellType: 'fluorescence' };

/** A queue with a worker, of which all steps are kept. */
async function started(
  results: string | ObjectStore,
  more: Partial<WorkerOptions> = {},
  journal = fresh('journal'),
) {
  const queue = await createQueue({ journal, retrySeconds: 0.05 });
  const events: WorkEvent[] = [];
  const worker = await createWorker(queue, {
    ensemble,
    results,
    fullSeconds: 0.05,
    onWork: (event) => events.push(event),
    ...more,
  });
  const end = async () => {
    await worker.close();
    await queue.close();
  };
  return { queue, worker, events, end };
}

/** Submits a task and waits for its end. */
async function done(queue: JobQueue, task: SegmentTask) {
  const { job } = await queue.submit(task);
  for await (const _ of queue.events(job.id));
  return { job: await queue.get(job.id), result: () => queue.result(job.id) };
}

const segmentsOf = () => jest.spyOn(RoutedEnsemble.prototype, 'segment');

test('writes the files of the formats, equal to those of the SDK, and does not compute them again', async () => {
  const results = new FileObjects(fresh('results'));
  const { queue, end } = await started(results);
  const calls = segmentsOf();
  const task: SegmentTask = {
    image: image.small,
    name: 'nuclei.png',
    formats: ['json', 'labels', 'overlay', 'measurements'],
    options: { ...options, minScore: 0.6 },
  };
  const first = await (await done(queue, task)).result();
  const decoded = await decodeImage(imageBytes('small'));
  const expected = await ensemble.segment(decoded, { ...options, minScore: 0.6, name: 'nuclei.png' });
  expect(first).toMatchObject({
    created: true,
    name: 'nuclei.png',
    cellType: 'fluorescence',
    cells: expected.cells.length,
  });
  const { key, files } = first;
  expect(Object.keys(files)).toEqual(['json', 'labels', 'overlay', 'measurements']);
  expect(files.json).toBe(`${key.slice(0, 2)}/${key}/nuclei.json`);
  expect(JSON.parse(readFileSync(results.pathOf(files.json!), 'utf8'))).toEqual(
    JSON.parse(resultJson(expected)),
  );
  const overlay = await sharp(results.pathOf(files.overlay!)).metadata();
  // Drawn at a multiple of the image's size, with a legend below.
  expect(overlay.width % decoded.width).toBe(0);
  expect(readFileSync(results.pathOf(files.measurements!), 'utf8').trim().split('\n')).toHaveLength(
    expected.cells.length + 1,
  );
  expect(readdirSync(results.pathOf(`${key.slice(0, 2)}/${key}`)).sort()).toEqual([
    'nuclei.json',
    'nuclei.labels.png',
    'nuclei.measurements.csv',
    'nuclei.overlay.png',
    'record',
  ]);
  const before = calls.mock.calls.length;
  const second = await (await done(queue, task)).result();
  expect(second).toEqual({ ...first, created: false });
  expect(calls.mock.calls.length).toBe(before);
  const other = await (await done(queue, { ...task, options })).result();
  expect(other.key).not.toBe(key);
  await end();
});

const fault = new Error('of the listener');
test.each<[string, () => void]>([
  [
    'throws',
    () => {
      throw fault;
    },
  ],
  ['rejects', () => Promise.reject(fault)],
])('onWork that %s does not affect the job; onError gets its error', async (_, onWork) => {
  const errors: unknown[] = [];
  const { queue, end } = await started(fresh('results'), { onWork, onError: (error) => errors.push(error) });
  const { job, result } = await done(queue, { image: image.small, name: 'a.png', options });
  expect(job.state).toBe('done');
  expect((await result()).cells).toBeGreaterThan(0);
  expect(errors).toEqual([fault]);
  await end();
});

test('an image that cannot be read fails once, with its code; others are not affected', async () => {
  const bad = join(folder, 'bad.png');
  writeFileSync(bad, imageBytes('small').subarray(0, 2000));
  const { queue, events, end } = await started(fresh('results'));
  for (const [path, code] of [
    [bad, 'IMAGE_UNREADABLE'],
    [join(folder, 'none.png'), 'FILE_UNREADABLE'],
  ] as const) {
    const { job, result } = await done(queue, { image: path, options });
    expect(job).toMatchObject({ state: 'failed', error: { code } });
    expect((await refusal(result())).code).toBe(code);
  }
  expect(events.map(({ name, error }) => [name, (error as CellrouteError).code])).toEqual([
    ['bad.png', 'IMAGE_UNREADABLE'],
    ['none.png', 'FILE_UNREADABLE'],
  ]);
  expect((await done(queue, { image: image.small, options })).job.state).toBe('done');
  expect(await queue.counts()).toEqual({ waiting: 0, running: 0, done: 1, failed: 2 });
  await end();
});

/** A store that fails for a while. */
class Failing extends FileObjects {
  failures = 0;
  constructor(
    folder: string,
    readonly code: string,
  ) {
    super(folder);
  }
  override async put(key: string, content: Iterable<Uint8Array> | AsyncIterable<Uint8Array>) {
    if (this.failures > 0) {
      this.failures--;
      const cause = Object.assign(new Error(this.code), { code: this.code });
      throw new CellrouteError('FILE_UNWRITABLE', 'the store is full', { file: key }, { cause });
    }
    return super.put(key, content);
  }
}

test('waits for room where the store of results is full, and computes nothing again', async () => {
  const results = new Failing(fresh('results'), 'ENOSPC');
  results.failures = 12;
  const { queue, events, end } = await started(results);
  const calls = segmentsOf();
  const { job } = await queue.submit({ image: image.small, options });
  const stages = new Set<string>();
  for await (const { progress } of queue.events(job.id)) if (progress) stages.add(progress.stage);
  expect((await queue.get(job.id)).state).toBe('done');
  expect(results.failures).toBe(0);
  expect(stages).toContain('waiting for room to write');
  expect(calls).toHaveBeenCalledTimes(1);
  expect(events).toHaveLength(1);
  await end();
});

test('a store that fails otherwise is tried three times', async () => {
  const results = new Failing(fresh('results'), 'EIO');
  results.failures = 2;
  const { queue, events, end } = await started(results);
  expect((await done(queue, { image: image.small, options })).job.state).toBe('done');
  expect(events.map(({ error }) => error !== undefined)).toEqual([true, true, false]);
  results.failures = 3;
  const { job } = await done(queue, { image: image.medium, options });
  expect(job).toMatchObject({ state: 'failed', error: { code: 'FILE_UNWRITABLE' } });
  await end();
});

/** A store of images whose reader waits until it is stopped. */
function stuck() {
  const reading: string[] = [];
  const store: ObjectStore = {
    has: async () => true,
    put: async () => false,
    delete: async () => {},
    get: (key, { signal } = {}) =>
      new Promise((_, reject) => {
        reading.push(key);
        signal!.addEventListener('abort', () => reject(signal!.reason as Error));
      }),
  };
  return { reading, store };
}

test('a running job stops when it is cancelled, and a waiting one never starts', async () => {
  const { reading, store } = stuck();
  const { queue, end } = await started(fresh('results'), { images: store, concurrency: 1 });
  const first = await queue.submit({ image: { key: 'a.png' } });
  const second = await queue.submit({ image: { key: 'b.png' } });
  while (reading.length === 0) await delay(5);
  await queue.cancel(second.job.id);
  expect((await queue.cancel(first.job.id)).state).toBe('cancelled');
  expect((await refusal(queue.result(first.job.id))).code).toBe('JOB_CANCELLED');
  expect((await done(queue, { image: image.small, options })).job.state).toBe('done');
  expect(reading).toEqual(['a.png']);
  await end();
});

test('a worker that closes returns what it cannot finish, which the next one does', async () => {
  const { reading, store } = stuck();
  const journal = fresh('journal');
  const images = new FileObjects(fresh('images'));
  await images.put('a.png', [imageBytes('small')]);
  const first = await started(fresh('results'), { images: store, drainSeconds: 0.1 }, journal);
  const { job } = await first.queue.submit({ image: { key: 'a.png' }, options });
  while (reading.length === 0) await delay(5);
  await first.end();
  const second = await started(fresh('results'), { images }, journal);
  for await (const _ of second.queue.events(job.id));
  expect((await second.queue.get(job.id)).state).toBe('done');
  await second.end();
});

describe('slides', () => {
  const path = join(folder, 'slide.tif');
  const tiles = { size: 160, overlap: 64 };
  const task: SegmentTask = {
    image: path,
    slide: true,
    formats: ['json', 'geojson'],
    options: { ...options, tiles },
  };
  let rows = 0;
  beforeAll(async () => {
    await sharp(join(root, 'examples/images/fluorescence-crowded.png'))
      .extract({ left: 100, top: 60, width: 256, height: 352 })
      .tiff({ tile: true, tileWidth: 128, tileHeight: 128, pyramid: true })
      .toFile(path);
  });

  test('are done row by row, with the result of one call', async () => {
    const results = new FileObjects(fresh('results'));
    const { queue, events, end } = await started(results);
    const { result } = await done(queue, task);
    const { files, cells, key } = await result();
    const slide = await openSlide(path);
    const expected = await ensemble.segment(slide, { ...options, tiles, name: 'slide.tif' });
    await slide.close();
    expect(cells).toBe(expected.cells.length);
    expect(cells).toBeGreaterThan(20);
    expect(JSON.parse(readFileSync(results.pathOf(files.json!), 'utf8'))).toEqual(
      JSON.parse(resultJson(expected)),
    );
    rows = events.filter(({ step }) => step === 'row').length;
    expect(rows).toBe(3);
    expect(events.map(({ step }) => step)).toEqual(['plan', ...Array<string>(rows).fill('row'), 'stitch']);
    // What rows kept is gone.
    expect(readdirSync(results.pathOf(`${key.slice(0, 2)}/${key}`), { recursive: true }).sort()).toEqual([
      'record',
      'rows',
      'slide.geojson',
      'slide.json',
    ]);
    expect((await (await done(queue, task)).result()).created).toBe(false);
    await end();
  });

  test('continue with the rows that an earlier attempt has finished', async () => {
    // The store fails when the third row is written.
    class Store extends FileObjects {
      puts = 0;
      override put(key: string, content: Iterable<Uint8Array> | AsyncIterable<Uint8Array>) {
        if (key.includes('/rows/') && this.puts++ === 2) throw new Error('the connection was lost');
        return super.put(key, content);
      }
    }
    const { queue, events, end } = await started(new Store(fresh('results')));
    expect((await done(queue, task)).job.state).toBe('done');
    const finished = events.filter(({ step, error }) => step === 'row' && error === undefined);
    expect(finished.map(({ row }) => row).sort()).toEqual(Array.from({ length: rows }, (_, i) => i));
    await end();
  });

  test('are segmented in smaller tiles where memory is exhausted, with the result of these tiles', async () => {
    const results = new FileObjects(fresh('results'));
    const { queue, events, end } = await started(results);
    const network = ensemble.slideNetwork.bind(ensemble);
    let rowsBefore = 0;
    jest.spyOn(ensemble, 'slideNetwork').mockImplementation((plan) => {
      const isLarge = plan.tiling.size / plan.tiling.scale > 200;
      if (isLarge && rowsBefore++ > 0) throw new CellrouteError('OUT_OF_MEMORY', 'none left');
      return network(plan);
    });
    const large: SegmentTask = {
      ...task,
      options: { ...options, tiles: { ...tiles, size: 2 * tiles.size } },
    };
    const { job, result } = await done(queue, large);
    jest.restoreAllMocks();
    expect(job.state).toBe('done');
    const { files, key, notices } = await result();
    const notice = 'Memory was exhausted, so the slide was segmented in tiles of 160 pixels.';
    expect(notices).toEqual([notice]);
    const slide = await openSlide(path);
    const expected = await ensemble.segment(slide, { ...options, tiles, name: 'slide.tif' });
    await slide.close();
    expect(JSON.parse(readFileSync(results.pathOf(files.json!), 'utf8'))).toEqual({
      ...(JSON.parse(resultJson(expected)) as object),
      notices: [notice],
    });
    expect(events.flatMap(({ step, error }) => (step === 'row' && !error ? [] : [step]))).toEqual([
      'plan',
      'row',
      'plan',
      'stitch',
    ]);
    expect(readdirSync(results.pathOf(`${key.slice(0, 2)}/${key}/rows`))).toEqual([]);
    expect((await (await done(queue, large)).result()).created).toBe(false);
    await end();
  });

  test('fail where memory is exhausted with the smallest tiles, after three attempts', async () => {
    const { queue, events, end } = await started(fresh('results'));
    jest.spyOn(ensemble, 'slideNetwork').mockImplementation(() => {
      throw new CellrouteError('OUT_OF_MEMORY', 'none left');
    });
    const { job } = await done(queue, task);
    expect(job).toMatchObject({ state: 'failed', error: { code: 'OUT_OF_MEMORY' } });
    expect(events.filter(({ step }) => step === 'plan')).toHaveLength(3);
    await end();
  });

  test('other files fail with the reason', async () => {
    const { queue, end } = await started(fresh('results'));
    const { job } = await done(queue, { image: image.small, slide: true });
    expect(job).toMatchObject({ state: 'failed', error: { code: 'IMAGE_UNSUPPORTED' } });
    await end();
  });
});

test('the fingerprint of a model differs with its precision and thresholds, and is the same when it is loaded again', async () => {
  const fingerprint = await ensemble.fingerprint();
  expect(fingerprint).toMatch(/^[\da-f]{64}$/);
  await using again = await RoutedEnsemble.load(model);
  expect(await again.fingerprint()).toBe(fingerprint);
  again.setThresholds({ fluorescence: { minScore: 0.123 } });
  expect(await again.fingerprint()).not.toBe(fingerprint);
  await using other = await RoutedEnsemble.load(model, { precision: 'int8' });
  expect(await other.fingerprint()).not.toBe(fingerprint);
});

describe('options', () => {
  test.each([
    ['neither Redis nor a journal', {}, 'one of both for redis and journal'],
    ['both', { redis: 'redis://x', journal: 'x' }, 'one of both for redis and journal'],
    ['another protocol', { redis: 'http://127.0.0.1' }, 'for redis'],
    ['a name with a colon', { journal: 'x', name: 'a:b' }, 'for name'],
    ['a negative limit', { journal: 'x', maxWaiting: -1 }, 'for maxWaiting'],
    ['an unknown key', { journal: 'x', waiting: 1 }, 'Unknown option waiting'],
  ])('createQueue refuses %s', async (_, given, message) => {
    const error = await refusal(createQueue(given));
    expect(error.code).toBe('INVALID_ARGUMENT');
    expect(error.message).toContain(message);
    expect(existsSync('x')).toBe(false);
  });

  test.each([
    ['no store', {}, 'for results'],
    ['a store without methods', { results: {} }, 'for results'],
    ['a model beside an ensemble', { results: folder, model: 'x', ensemble: true }, 'for ensemble'],
    ['no concurrency', { results: folder, concurrency: 0 }, 'for concurrency'],
    ['a lock of a month', { results: folder, lockSeconds: 1e7 }, 'for lockSeconds'],
  ])('createWorker refuses %s', async (_, given, message) => {
    await using queue = await createQueue({ journal: fresh('journal') });
    const error = await refusal(createWorker(queue, given as unknown as WorkerOptions));
    expect(error.code).toBe('INVALID_ARGUMENT');
    expect(error.message).toContain(message);
  });

  test('submit refuses a wrong task and option, and a full queue unless it may wait', async () => {
    await using queue = await createQueue({ journal: fresh('journal'), maxWaiting: 1 });
    expect((await refusal(queue.submit({ image: '' }))).details.option).toBe('image');
    expect((await refusal(queue.submit({ image: 'a' }, { priority: -1 }))).details.option).toBe('priority');
    const { job } = await queue.submit({ image: 'a' });
    expect((await refusal(queue.submit({ image: 'b' }))).code).toBe('BUSY');
    const stop = new AbortController();
    const waiting = queue.submit({ image: 'b' }, { whenBusy: 'wait', signal: stop.signal });
    await queue.cancel(job.id);
    expect((await waiting).created).toBe(true);
    const reason = new Error('stopped');
    setTimeout(() => stop.abort(reason), 20);
    await expect(queue.submit({ image: 'c' }, { whenBusy: 'wait', signal: stop.signal })).rejects.toBe(
      reason,
    );
  });

  test('one key is one job, also in another order of its options', async () => {
    await using queue = await createQueue({ journal: fresh('journal') });
    const first = await queue.submit({ image: 'a', options: { minScore: 0.5, cellType: 'x' } }, { key: 'k' });
    const again = await queue.submit({ options: { cellType: 'x', minScore: 0.5 }, image: 'a' }, { key: 'k' });
    expect(again).toEqual({ job: first.job, created: false });
    expect((await refusal(queue.submit({ image: 'b' }, { key: 'k' }))).code).toBe('JOB_CONFLICT');
  });
});

test('the key of an image is the SHA-256 that anyone can compute of its parts', async () => {
  // Of the file in the store, by hand, so that a change of the key does not go unnoticed.
  const { queue, end } = await started(fresh('results'));
  const { key } = await (await done(queue, { image: image.small, name: 'a.png', options })).result();
  const { version } = JSON.parse(readFileSync('package.json', 'utf8')) as { version: string };
  const digest = createHash('sha256').update(imageBytes('small')).digest('hex');
  const text = `{"image":"${digest}","model":"${await ensemble.fingerprint()}","task":{"columns":"skimage","formats":["json"],"name":"a.png","options":{"cellType":"fluorescence"},"slide":false},"version":"${version}"}`;
  expect(createHash('sha256').update(text).digest('hex')).toBe(key);
  await end();
});
