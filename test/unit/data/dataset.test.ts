import { createHash } from 'node:crypto';
import { Dataset } from '../../../lib/data/dataset.js';
import { datasetFrom } from '../../../lib/data/iterable.js';
import type { DatasetItem } from '../../../lib/data/types.js';
import { Masks } from '../../../lib/mask/masks.js';

const load = () => Promise.reject(new Error('must not be loaded'));
const item = (id: string, others: Partial<DatasetItem> = {}): DatasetItem => ({
  ...{ id, cellType: undefined, columns: {}, width: 8, height: 8, cells: 1, load },
  ...others,
});
const ids = (dataset: Dataset) => dataset.items.map(({ id }) => id);
const many = (count: number, others: (i: number) => Partial<DatasetItem>, prefix = 'p') =>
  Array.from({ length: count }, (_, i) => item(`${prefix}${i}`, others(i)));

describe('a data set', () => {
  test('is sorted by code units, independent of the locale', () => {
    expect(ids(new Dataset(['b', 'ä', 'a', 'B', '10', '9'].map((id) => item(id))))).toEqual([
      ...['10', '9', 'B', 'a', 'b', 'ä'],
    ]);
  });

  test('refuses a duplicate id', () => {
    expect(() => new Dataset([item('a'), item('a')])).toThrow('Expected unique ids for items');
  });

  test('is filtered by type, id and anything', () => {
    const dataset = new Dataset([item('a', { cellType: 'x' }), item('b', { cellType: 'y' }), item('c')], {
      classNames: ['alive', 'dead'],
      problems: [{ file: 'f', reason: 'r' }],
    });
    expect(dataset.cellTypes).toEqual(['x', 'y']);
    expect(ids(dataset.filter({ cellTypes: ['y'] }))).toEqual(['b']);
    expect(ids(dataset.filter({ ids: ['c', 'a'] }))).toEqual(['a', 'c']);
    expect(ids(dataset.filter({ where: ({ id }) => id > 'a', ids: ['a', 'b'] }))).toEqual(['b']);
    expect(dataset.filter({}).classNames).toEqual(['alive', 'dead']);
    expect(dataset.filter({}).problems).toHaveLength(1);
    expect(() => dataset.filter({ cellTypes: ['z'] })).toThrow('an existing value (x, y) for cellTypes[0]');
    expect(() => dataset.filter({ ids: ['d'] })).toThrow('ids[0]');
    expect(() => dataset.filter({ where: 3 as never })).toThrow('a function for where');
    expect(() => dataset.filter({ cellType: ['x'] } as never)).toThrow('did you mean cellTypes?');
  });

  test('can be joined by name, or with unique ids', async () => {
    const masks = Masks.fromKaggle(['1 1'], { width: 2, height: 1 });
    const image = { data: Uint8Array.of(1, 2), width: 2, height: 1, channels: 1 as const };
    const a = await datasetFrom([{ id: 'p', image, masks, cellType: 'x', columns: { fold: '1' } }]);
    const b = new Dataset([item('q', { columns: { fold: '2' } })], {
      problems: [{ file: 'f', reason: 'r' }],
    });
    expect(ids(Dataset.join([b, a]))).toEqual(['p', 'q']);
    const joined = Dataset.join({ one: a, two: b });
    expect(ids(joined)).toEqual(['one/p', 'two/q']);
    expect(joined.items.map(({ columns }) => columns)).toEqual([
      { fold: '1', set: 'one' },
      { fold: '2', set: 'two' },
    ]);
    expect(joined.problems).toHaveLength(1);
    expect(joined.items[0]).toMatchObject({
      cellType: 'x',
      width: 2,
      height: 1,
      cells: 1,
      areas: Uint32Array.of(1),
    });
    expect((await joined.items[0]!.load()).masks.length).toBe(1);
    expect(() => Dataset.join([a, a])).toThrow('unique ids');
    expect(() => Dataset.join([a, new Dataset([item('r')], { classNames: ['other'] })])).toThrow(
      'classNames',
    );
    expect(() => Dataset.join([])).toThrow('at least one data set');
    expect(() => Dataset.join({ a: {} as Dataset })).toThrow('a Dataset for sets.a');
  });
});

describe('a split', () => {
  const dataset = new Dataset([
    ...many(40, (i) => ({ cellType: 'x', columns: { plate: `plate-${i % 7}` } }), 'x'),
    ...many(11, () => ({ cellType: 'y', columns: { plate: 'plate-y' } }), 'y'),
    ...many(2, () => ({}), 'n'),
  ]);
  const how = { fraction: 0.2, seed: 5 };

  test('by fraction takes the fraction of each type, and at least one image', () => {
    const { train, validation } = dataset.split(how);
    const counts = ['x', 'y', undefined].map(
      (type) => validation.filter({ where: (one) => one.cellType === type }).items.length,
    );
    expect(counts).toEqual([8, 2, 1]);
    expect(new Set([...ids(train), ...ids(validation)]).size).toBe(53);
    expect(train.items.length + validation.items.length).toBe(53);
  });

  test('depends on the seed, not on the order of the images', () => {
    const again = new Dataset([...dataset.items].reverse()).split(how);
    expect(ids(again.validation)).toEqual(ids(dataset.split(how).validation));
    expect(ids(dataset.split({ ...how, seed: 6 }).validation)).not.toEqual(ids(again.validation));
  });

  test('uses SHA-256 of seed and id, which is the same on every machine', () => {
    const { validation } = dataset.split(how);
    const draw = (id: string) => createHash('sha256').update(`split\0${how.seed}\0${id}`).digest('hex');
    const first = [...Array(40).keys()].map((i) => `x${i}`).sort((a, b) => (draw(a) < draw(b) ? -1 : 1));
    expect(ids(validation.filter({ cellTypes: ['x'] }))).toEqual(first.slice(0, 8).sort());
  });

  test('does not change with images of another type, and little with images of the same type', () => {
    const before = ids(dataset.split(how).validation);
    const others = new Dataset([...dataset.items, ...many(100, () => ({ cellType: 'z' }), 'z')]).split(how);
    expect(ids(others.validation).filter((id) => !id.startsWith('z'))).toEqual(before);
    const more = new Dataset([...dataset.items, ...many(5, () => ({ cellType: 'x' }), 'new')]).split(how);
    // One more is drawn; those that were drawn can only be followed by new ones.
    const left = before.filter((id) => !ids(more.validation).includes(id));
    expect(left.length).toBeLessThanOrEqual(4);
  });

  test('by fraction ignores types if each has one image', () => {
    const data = new Dataset(many(3, (i) => ({ cellType: `type ${i}` })));
    for (const fraction of [0.2, 0.4]) {
      const { train, validation } = data.split({ fraction, seed: 5 });
      expect([train.items.length, validation.items.length]).toEqual([2, 1]);
    }
    const { train, validation } = data.split({ fraction: 0.7, seed: 5 });
    expect([train.items.length, validation.items.length]).toEqual([1, 2]);
  });

  test('by fraction keeps the images of a group together', () => {
    const { train, validation } = dataset.split({ ...how, by: 'plate' });
    const plates = (side: Dataset) => new Set(side.items.map(({ columns }) => columns.plate ?? ''));
    for (const plate of plates(validation)) expect(plates(train).has(plate)).toBe(false);
    const x = validation.filter({ where: ({ cellType: type }) => type === 'x' }).items.length;
    // The fraction is 8 of 40; a plate has 5 or 6.
    expect([5, 6, 10, 11, 12]).toContain(x);
  });

  test('by column and by ids', () => {
    const byPlate = dataset.split({ column: 'plate', values: ['plate-y', 'plate-0'] });
    expect(byPlate.validation.items.length).toBe(11 + 6);
    expect(ids(dataset.split({ ids: ['x3', 'y1'] }).validation)).toEqual(['x3', 'y1']);
  });

  test.each<[string, unknown, string]>([
    ['no way', {}, 'fraction'],
    ['a fraction of 1', { fraction: 1, seed: 1 }, 'fraction'],
    ['a fraction that is not a number', { fraction: Number.NaN, seed: 1 }, 'fraction'],
    ['no seed', { fraction: 0.5 }, 'seed'],
    ['a missing column', { column: 'fold', values: ['1'] }, 'a column of the data set (plate) for column'],
    [
      'a missing group',
      { fraction: 0.5, seed: 1, by: 'toString' },
      'a column of the data set (plate) for by',
    ],
    ['a missing value', { column: 'plate', values: ['plate-9'] }, 'values of plate'],
    ['a missing id', { ids: ['zzz'] }, 'the id of an image for ids[0]'],
    ['no validation images', { ids: [] }, 'a split with images on both sides'],
    ['two ways', { ids: ['x1'], fraction: 0.5 }, 'fraction'],
  ])('refuses %s', (_name, wrong, message) => {
    expect(() => dataset.split(wrong as never)).toThrow(message);
  });

  test('of a single image is refused', () => {
    expect(() => new Dataset([item('a')]).split(how)).toThrow('a split with images on both sides');
  });
});

describe('folds', () => {
  const dataset = new Dataset([
    ...many(7, (i) => ({ cellType: 'x', columns: { plate: `plate-${i % 4}` } }), 'x'),
    ...many(9, () => ({ cellType: 'y' }), 'y'),
    ...many(17, () => ({ cellType: 'z' }), 'z'),
  ]);
  const validating = (folds: { validation: Dataset }[]) => folds.map(({ validation }) => ids(validation));

  test('use each image once for validation and otherwise for training', () => {
    const folds = dataset.folds({ count: 3, seed: 5 });
    expect(validating(folds).flat().sort()).toEqual(ids(dataset));
    for (const { train, validation } of folds) {
      expect([...ids(train), ...ids(validation)].sort()).toEqual(ids(dataset));
    }
  });

  test('distribute each type and all images evenly', () => {
    for (const count of [2, 3, 5, 8]) {
      const folds = dataset.folds({ count, seed: 1 }).map(({ validation }) => validation.items);
      const sizes = (type?: string) =>
        folds.map((items) => items.filter((one) => type === undefined || one.cellType === type).length);
      for (const type of ['x', 'y', 'z', undefined]) {
        expect(Math.max(...sizes(type)) - Math.min(...sizes(type))).toBeLessThanOrEqual(1);
      }
    }
  });

  test('depend on the seed, not on the order of the images', () => {
    const again = new Dataset([...dataset.items].reverse()).folds({ count: 3, seed: 5 });
    expect(validating(again)).toEqual(validating(dataset.folds({ count: 3, seed: 5 })));
    expect(validating(again)).not.toEqual(validating(dataset.folds({ count: 3, seed: 6 })));
  });

  test('keep the images of a group together', () => {
    const folds = dataset.filter({ cellTypes: ['x'] }).folds({ count: 4, seed: 2, by: 'plate' });
    const plates = folds.map(({ validation }) => [
      ...new Set(validation.items.map(({ columns }) => columns.plate)),
    ]);
    expect(plates.flat().sort()).toEqual(['plate-0', 'plate-1', 'plate-2', 'plate-3']);
  });

  test.each<[string, unknown, string]>([
    ['one fold', { count: 1, seed: 1 }, 'count'],
    ['more folds than images', { count: 34, seed: 1 }, 'count'],
    ['no seed', { count: 3 }, 'seed'],
    ['a missing group', { count: 3, seed: 1, by: 'dish' }, 'for by'],
  ])('of %s are refused', (_name, wrong, message) => {
    expect(() => dataset.folds(wrong as never)).toThrow(message);
  });

  test('of a single image are refused', () => {
    expect(() => new Dataset([item('a')]).folds({ count: 2, seed: 1 })).toThrow('folds with images');
  });
});

describe('a summary', () => {
  const dataset = new Dataset([
    item('a', { cellType: 'x', cells: 4, areas: Uint32Array.of(1, 2, 3, 4) }),
    item('b', { cellType: 'x', cells: 1, areas: Uint32Array.of(10) }),
    item('c', { cellType: 'y', cells: 0, areas: new Uint32Array(0), width: 9 }),
  ]);

  test('counts', () => {
    const summary = dataset.summary();
    expect(summary).toMatchObject({
      ...{ images: 3, cells: 5, imagesWithoutCells: 1, densest: { id: 'a', cells: 4 } },
      cellsPerImage: { min: 0, median: 1, mean: 5 / 3, max: 4 },
      // Of 1, 2, 3, 4, 10, as NumPy's percentile has them.
      cellArea: { min: 1, p25: 2, median: 3, p75: 4, p95: expect.closeTo(8.8), max: 10 },
      sizes: [
        { width: 8, height: 8, images: 2 },
        { width: 9, height: 8, images: 1 },
      ],
      warnings: [],
    });
    expect(
      summary.cellTypes.map(({ cellType: type, cells, cellArea }) => [type, cells, cellArea?.max]),
    ).toEqual([
      ['x', 5, 10],
      ['y', 0, undefined],
    ]);
  });

  test('warns if the limit is below the densest image', () => {
    expect(dataset.summary({ detectionsPerImage: 4 }).warnings).toEqual([]);
    expect(dataset.summary({ detectionsPerImage: 3 }).warnings).toEqual([
      expect.stringMatching(/detectionsPerImage is 3, but 1 of 3 images .* a, has 4/),
    ]);
    expect(() => dataset.summary({ detectionsPerImage: 0 })).toThrow('detectionsPerImage');
  });

  test('of nothing', () => {
    const empty = dataset.filter({ where: () => false }).summary({ detectionsPerImage: 1 });
    expect(empty).toMatchObject({
      images: 0,
      cells: 0,
      densest: null,
      cellArea: null,
      cellTypes: [],
      sizes: [],
    });
  });

  test('of items without areas', () => {
    expect(new Dataset([item('a')]).summary().cellArea).toBeNull();
  });
});

describe('a fingerprint', () => {
  const size = { width: 4, height: 2 };
  const own = {
    ...{ id: 'a', cellType: 'x', masks: Masks.fromKaggle(['1 2', '8 1'], size) },
    image: { data: new Uint8Array(8), ...size, channels: 1 as const },
  };
  const of = async (...images: Parameters<typeof datasetFrom>[0][]) =>
    Promise.all(
      images.map(async (one) => (await datasetFrom(one, { classNames: ['k', 'l'] })).fingerprint()),
    );

  test('is equal for equal data, and changes with everything that training uses', async () => {
    const [first, again, ...others] = await of(
      [own],
      [{ ...own, image: { ...own.image, data: new Uint8Array(8) } }],
      [{ ...own, id: 'b' }],
      [{ ...own, cellType: 'y' }],
      [{ ...own, labels: [1, 2] }],
      [{ ...own, masks: Masks.fromKaggle(['1 2', '7 1'], size) }],
      [{ ...own, masks: Masks.fromKaggle(['8 1', '1 2'], size) }],
      [{ ...own, image: { ...own.image, data: Uint8Array.of(0, 0, 0, 0, 0, 0, 0, 1) } }],
      [{ ...own, image: { ...own.image, data: new Uint16Array(8) } }],
      [own, { ...own, id: 'b' }],
    );
    expect(first).toMatch(/^[0-9a-f]{64}$/);
    expect(again).toBe(first);
    expect(new Set([first, ...others]).size).toBe(1 + others.length);
  });

  test('must never be computed differently, because checkpoints contain it', async () => {
    const [first] = await of([own]);
    const hash = createHash('sha256');
    const bytes = (...numbers: number[]) => Buffer.from(Uint32Array.from(numbers).buffer);
    // Down the columns: pixels 0 and 2 (the second of row 0), then pixel 7.
    const [counts, offsets] = [bytes(0, 1, 1, 1, 5, 7, 1), bytes(0, 5, 7)];
    const parts = [
      ...['cellroute data set 1', 'k', 'l', 'a', 'type x', '4', '2', bytes(1, 1), offsets, counts],
      ...['raw 1', '4', '2', '1', Buffer.alloc(8)],
    ];
    for (const part of parts) hash.update(`${part.length} `).update(part);
    expect(first).toBe(hash.digest('hex'));
  });

  test('does not depend on the order or on the copy', async () => {
    const other = { ...own, id: 'b' };
    const [one, two] = await of([own, other], [other, own]);
    expect(one).toBe(two);
  });

  test('stops when it is aborted', async () => {
    const dataset = await datasetFrom([own]);
    await expect(dataset.fingerprint({ signal: AbortSignal.abort(new Error('enough')) })).rejects.toThrow(
      'enough',
    );
  });
});
