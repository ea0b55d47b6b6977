import { setTimeout as sleep } from 'node:timers/promises';
import { Dataset } from '../../lib/data/dataset.js';
import { datasetFrom } from '../../lib/data/iterable.js';
import { ClassifyLoader, type LoaderOptions, SegmentLoader } from '../../lib/data/loader.js';
import { random } from '../../lib/data/random.js';
import type { Batch, DatasetItem } from '../../lib/data/types.js';
import { CellrouteError } from '../../lib/errors.js';
import { Masks } from '../../lib/mask/masks.js';
import * as transforms from '../../lib/transforms/index.js';
import { rejection, thrown } from '../support/sdk.js';

const typeRange = { kind: 'type-range', low: 1, high: 99 } as const;

/** Different images of different sizes, each with some cells of two classes. */
function images(count: number, more: (index: number) => object = () => ({})) {
  return Array.from({ length: count }, (_, index) => {
    const draw = random(21, index);
    const [width, height] = [draw.integer(20, 50), draw.integer(20, 50)];
    const data = Uint8Array.from({ length: width * height }, () => draw.integer(0, 255));
    const cells = Array.from({ length: draw.integer(0, 6) }, () => {
      const [left, top] = [draw.integer(0, width - 5), draw.integer(0, height - 5)];
      return Array.from({ length: width * height }, (_, i) =>
        Number(
          (i % width) - left >= 0 && (i % width) - left < 5 && Math.abs(Math.floor(i / width) - top - 2) <= 2,
        ),
      );
    });
    return {
      id: `p${String(index).padStart(2, '0')}`,
      image: { data, width, height, channels: 1 as const },
      masks: Masks.encode(Uint8Array.from(cells.flat()), { width, height, count: cells.length }),
      labels: cells.map((_, i) => 1 + (i % 2)),
      cellType: ['astro', 'cort', 'shsy5y'][index % 3]!,
      ...more(index),
    };
  });
}
const dataset = (count: number, more?: (index: number) => object) =>
  datasetFrom(images(count, more), { classNames: ['round', 'long'] });

const options: LoaderOptions = {
  batchSize: 3,
  shuffle: true,
  seed: 5,
  intensity: typeRange,
  transforms: [
    transforms.flipHorizontal(),
    transforms.quarterTurns(),
    transforms.cropAndUpscale({ width: 16, height: 16, scale: 1.5 }),
    transforms.intensity({ brightness: 0.3, contrast: 0.3, gamma: 0.3 }),
  ],
};

async function all<T>(batches: AsyncIterable<T>): Promise<T[]> {
  const list: T[] = [];
  for await (const batch of batches) list.push(batch);
  return list;
}
const ids = (batches: Batch<unknown>[]) => batches.map((batch) => batch.ids);

describe('a loader', () => {
  test('yields each image once per epoch, in batches of which the last is smaller', async () => {
    const loader = new SegmentLoader(await dataset(10), options);
    expect(loader.stepsPerEpoch).toBe(4);
    const batches = await all(loader.batches(0));
    expect(batches.map((batch) => batch.ids.length)).toEqual([3, 3, 3, 1]);
    expect(batches.map((batch) => batch.samples.length)).toEqual([3, 3, 3, 1]);
    expect(ids(batches).flat().sort()).toEqual(images(10).map(({ id }) => id));
  });

  test('yields the same batches for any number of threads and prefetched batches', async () => {
    const data = await dataset(11);
    const plain = await all(new SegmentLoader(data, { ...options, threads: 1, ahead: 1 }).batches(3));
    for (const [threads, ahead] of [
      [1, 4],
      [2, 1],
      [5, 2],
      [16, 100],
    ] as const) {
      const batches = await all(new SegmentLoader(data, { ...options, threads, ahead }).batches(3));
      expect(batches).toEqual(plain);
    }
  });

  test('resumes in the middle of an epoch with the same batches', async () => {
    const data = await dataset(10);
    const loader = new SegmentLoader(data, options);
    const whole = await all(loader.batches(2));
    for (const step of [0, 1, 3, 4]) expect(await all(loader.batches(2, step))).toEqual(whole.slice(step));
    // With another loader, after other epochs.
    const other = new SegmentLoader(data, options);
    await all(other.batches(0));
    expect(await all(other.batches(2, 2))).toEqual(whole.slice(2));
  });

  test('has a different order and transforms for each epoch and seed', async () => {
    const data = await dataset(12);
    const loader = new SegmentLoader(data, options);
    const orders = new Set<string>();
    for (let epoch = 0; epoch < 4; epoch++) orders.add(ids(await all(loader.batches(epoch))).join());
    orders.add(ids(await all(new SegmentLoader(data, { ...options, seed: 6 }).batches(0))).join());
    expect(orders.size).toBe(5);

    const inOrder = new SegmentLoader(data, { ...options, shuffle: false });
    const [first, second] = [await all(inOrder.batches(0)), await all(inOrder.batches(1))];
    expect(ids(first)).toEqual(ids(second));
    expect(ids(first).flat()).toEqual(data.items.map(({ id }) => id));
    expect(first[0]!.samples[0]!.pixels).not.toEqual(second[0]!.samples[0]!.pixels);
  });

  test('without transforms yields unchanged images and cells', async () => {
    const given = images(5);
    const loader = new SegmentLoader(await dataset(5), {
      ...options,
      shuffle: false,
      transforms: [],
      batchSize: 5,
    });
    const [batch] = await all(loader.batches(0));
    batch!.samples.forEach(({ pixels, width, height, masks, labels }, i) => {
      const { image, masks: own, labels: ownLabels } = given[i]!;
      expect([width, height]).toEqual([image.width, image.height]);
      expect(pixels).toEqual(
        Float32Array.from([0, 1, 2].flatMap(() => Array.from(image.data, (v) => v / 255))),
      );
      expect(masks).toEqual(own.toBatch());
      expect([...labels]).toEqual(ownLabels);
    });
  });

  test('keeps labels with their cells when others are dropped', async () => {
    const loader = new SegmentLoader(await dataset(12), {
      ...options,
      transforms: [transforms.randomCrop({ width: 9, height: 9 })],
    });
    const given = new Map(images(12).map((image) => [image.id, image]));
    let dropped = 0;
    for (const { samples, ids: names } of await all(loader.batches(0))) {
      samples.forEach((sample, i) => {
        const { masks, labels } = given.get(names[i]!)!;
        expect(sample.labels).toHaveLength(sample.masks.offsets.length - 1);
        dropped += masks.length - sample.labels.length;
        // The labels alternate, so the remaining ones have this order.
        let from = 0;
        for (const label of sample.labels) {
          from = labels.indexOf(label, from) + 1;
          expect(from).toBeGreaterThan(0);
        }
      });
    }
    expect(dropped).toBeGreaterThan(0);
  });

  test('drops cells whose visible share is below minVisible', async () => {
    const chain = [transforms.randomCrop({ width: 12, height: 12 })];
    const cells = async (minVisible: number) => {
      const loader = new SegmentLoader(await dataset(12), { ...options, transforms: chain, minVisible });
      return (await all(loader.batches(0))).flatMap(({ samples }) =>
        samples.map(({ labels }) => labels.length),
      );
    };
    const sum = (list: number[]) => list.reduce((a, b) => a + b);
    const [any, most, whole] = [await cells(0), await cells(0.5), await cells(1)];
    expect(sum(most)).toBeLessThan(sum(any));
    expect(sum(whole)).toBeLessThan(sum(most));
  });

  test.each([
    ['batchSize', { batchSize: 0 }],
    ['shuffle', { shuffle: 'yes' }],
    ['seed', { seed: -1 }],
    ['seed', { seed: 2 ** 53 }],
    ['intensity', { intensity: 'type-range' }],
    ['intensity.kind', { intensity: { kind: 'log' } }],
    ['transforms', { transforms: undefined }],
    ['transforms[0].p', { transforms: [{ kind: 'flip-vertical', p: 3 }] }],
    ['threads', { threads: 0 }],
    ['ahead', { ahead: 0.5 }],
    ['minVisible', { minVisible: 2 }],
    ['treads', { treads: 2 }],
  ])('refuses a wrong %s', async (option, wrong) => {
    const data = await dataset(2);
    const error = thrown(() => new SegmentLoader(data, { ...options, ...wrong } as LoaderOptions));
    expect(error.code).toMatch(/^INVALID_/);
    expect(error.details).toMatchObject({ option });
  });

  test('refuses invalid data sets, and steps beyond the epoch', async () => {
    expect(thrown(() => new SegmentLoader([] as never, options)).details).toMatchObject({
      option: 'dataset',
    });
    expect(thrown(() => new SegmentLoader(new Dataset([]), options)).details).toMatchObject({
      option: 'dataset',
    });
    const loader = new SegmentLoader(await dataset(4), options);
    expect((await rejection(all(loader.batches(0, 3)))).details).toMatchObject({ option: 'fromStep' });
    expect((await rejection(all(loader.batches(-1)))).details).toMatchObject({ option: 'epoch' });
    expect(await all(loader.batches(0, 2))).toEqual([]);
  });
});

/** A data set that records its loads, and lets a test delay them. */
async function watched(
  count: number,
  hold: (index: number, signal: AbortSignal | undefined) => Promise<void>,
) {
  const state = { started: 0, running: 0, most: 0 };
  const plain = await dataset(count);
  const items = plain.items.map(
    (item, index): DatasetItem => ({
      ...item,
      load: async ({ signal } = {}) => {
        state.started++;
        state.running++;
        state.most = Math.max(state.most, state.running);
        try {
          await hold(index, signal);
          return await item.load({ signal });
        } finally {
          state.running--;
        }
      },
    }),
  );
  return { data: new Dataset(items, { classNames: plain.classNames }), state };
}
const inOrder = { ...options, shuffle: false };

describe('prefetching', () => {
  test('prepares exactly the requested number of batches', async () => {
    for (const [threads, ahead] of [
      [4, 1],
      [2, 2],
      [8, 3],
    ] as const) {
      const { data, state } = await watched(30, () => sleep(1));
      const batches = new SegmentLoader(data, { ...inOrder, threads, ahead }).batches(0);
      for (let given = 1; given <= 4; given++) {
        await batches.next();
        while (state.started < 3 * (given + ahead)) await sleep(1);
        // Time in which one batch too many would start.
        await sleep(30);
        expect(state.started).toBe(3 * (given + ahead));
      }
      expect(state.most).toBeLessThanOrEqual(threads);
      await batches.return(undefined);
    }
  });

  test('leaving the loop early cancels and awaits running work, and starts nothing new', async () => {
    let stopped = 0;
    const { data, state } = await watched(30, async (index, signal) => {
      if (index >= 3) await sleep(10_000, undefined, { signal: signal! }).finally(() => stopped++);
    });
    for await (const batch of new SegmentLoader(data, { ...inOrder, threads: 4 }).batches(0)) {
      expect(batch.ids).toEqual(['p00', 'p01', 'p02']);
      break;
    }
    expect(state.running).toBe(0);
    expect(stopped).toBe(state.started - 3);
    const { started } = state;
    await sleep(20);
    expect(state.started).toBe(started);
  });

  test('an abort rejects with its reason and leaves no running work', async () => {
    const { data, state } = await watched(30, (index, signal) =>
      index < 3 ? Promise.resolve() : sleep(10_000, undefined, { signal: signal! }),
    );
    const reason = new Error('enough');
    const stop = new AbortController();
    const batches = new SegmentLoader(data, inOrder).batches(0, 0, stop.signal);
    await batches.next();
    const next = batches.next();
    setTimeout(() => stop.abort(reason), 20);
    expect(await rejection(next)).toBe(reason);
    expect(state.running).toBe(0);
    expect(await batches.next()).toEqual({ done: true, value: undefined });

    expect(await rejection(new SegmentLoader(data, inOrder).batches(0, 0, stop.signal).next())).toBe(reason);
  });

  test('an abort between two steps ends the epoch', async () => {
    const stop = new AbortController();
    const batches = new SegmentLoader(await dataset(9), inOrder).batches(0, 0, stop.signal);
    await batches.next();
    stop.abort();
    expect((await rejection(batches.next())).message).toMatch(/aborted/);
  });

  test('an image that fails is reported in its turn, after earlier batches', async () => {
    const { data, state } = await watched(12, async (index) => {
      if (index === 7)
        throw new CellrouteError('IMAGE_UNREADABLE', 'The PNG cannot be read', { file: 'plate/7.png' });
    });
    const batches = new SegmentLoader(data, { ...inOrder, threads: 4 }).batches(0);
    expect((await batches.next()).value!.ids[0]).toBe('p00');
    expect((await batches.next()).value!.ids[0]).toBe('p03');
    const error = await rejection(batches.next());
    expect(error).toMatchObject({
      code: 'IMAGE_UNREADABLE',
      message: 'Image p07: The PNG cannot be read',
      details: { file: 'plate/7.png', images: ['p07'] },
    });
    expect(state.running).toBe(0);
    // The next epoch can still be requested.
    expect((await rejection(all(new SegmentLoader(data, inOrder).batches(1)))).message).toMatch(/p07/);
  });

  test("an error of the data set's own code is reported too", async () => {
    const { data } = await watched(2, () => Promise.reject(new TypeError('x is undefined')));
    expect(await rejection(all(new SegmentLoader(data, inOrder).batches(0)))).toMatchObject({
      code: 'DATA_INVALID',
      message: 'Image p00: x is undefined',
    });
  });
});

describe("the classifier's batches", () => {
  const classNames = ['shsy5y', 'astro', 'cort'];
  const output = { width: 12, height: 10, method: 'crop' };

  test('have equal sizes and the index of the class', async () => {
    const data = await dataset(7);
    for (const method of ['crop', 'squish']) {
      const loader = new ClassifyLoader(data, { ...options, classNames, output: { ...output, method } });
      for (const { samples, ids: names } of await all(loader.batches(0))) {
        samples.forEach((sample, i) => {
          expect(Object.keys(sample).sort()).toEqual(['height', 'label', 'pixels', 'width']);
          expect([sample.width, sample.height, sample.pixels.length]).toEqual([12, 10, 360]);
          expect(classNames[sample.label]).toBe(data.items.find(({ id }) => id === names[i])!.cellType);
        });
      }
    }
  });

  test('need transforms that produce one size if there is no output size', async () => {
    const data = await dataset(6);
    const loader = (chain: transforms.Transform[]) =>
      new ClassifyLoader(data, { ...options, transforms: chain, classNames, output: null });
    const [batch] = await all(loader([transforms.randomCrop({ width: 16, height: 16 })]).batches(0));
    expect(batch!.samples.map(({ width }) => width)).toEqual([16, 16, 16]);
    expect(await rejection(all(loader([]).batches(0)))).toMatchObject({
      code: 'INVALID_ARGUMENT',
      details: { option: 'output' },
    });
  });

  test('refuse an image whose type is not a class, by its id', async () => {
    const strange = await dataset(4, (index) => (index === 2 ? { cellType: 'hela' } : {}));
    const error = thrown(() => new ClassifyLoader(strange, { ...options, classNames, output }));
    expect(error.message).toMatch(/type of image p02.*hela/);
  });

  test('crop and scale the same part as the classifier', async () => {
    // 40 x 20, left half 0, right half 1; the middle 20 x 20 is cut out.
    const data = await datasetFrom([
      {
        id: 'halves',
        image: {
          data: Float32Array.from({ length: 800 }, (_, i) => Number(i % 40 >= 20)),
          width: 40,
          height: 20,
          channels: 1,
        },
        masks: Masks.fromCounts([], { width: 40, height: 20 }),
        cellType: 'astro',
      },
    ]);
    const loader = new ClassifyLoader(data, {
      ...options,
      transforms: [],
      classNames,
      output: { width: 10, height: 10 },
    });
    const [batch] = await all(loader.batches(0));
    const row = batch!.samples[0]!.pixels.subarray(0, 10);
    expect([...row.map(Math.round)]).toEqual([0, 0, 0, 0, 0, 1, 1, 1, 1, 1]);
  });
});
