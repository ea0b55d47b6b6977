import {
  copyFileSync,
  cpSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { random } from '../../../lib/data/random.js';
import { CellClassifier, type RawImage, RoutedEnsemble } from '../../../lib/index.js';
import { readEnsembleFile, starterFolder } from '../../../lib/inference/ensemble-file.js';
import {
  addToEnsemble,
  createEnsemble,
  describeEnsemble,
  removeFromEnsemble,
  renameInEnsemble,
} from '../../../lib/train.js';
import { refusal } from '../../support/refusal.js';
import { imageBytes, root, testEnsemble } from '../../support/sdk.js';

const temporary = mkdtempSync(join(tmpdir(), 'cellroute-ensembles-'));
afterAll(() => rmSync(temporary, { recursive: true, force: true }));
const at = (name: string) => join(temporary, name);

const SIDE = 128;
const patterns = new Map<string, RawImage>();
/** Noisy images of stripes or of a chessboard, as no type of the starter looks. */
function pattern(kind: 'stripes' | 'chess', seed: number): RawImage {
  const key = `${kind} ${seed}`;
  if (!patterns.has(key)) patterns.set(key, drawPattern(kind, seed));
  return patterns.get(key)!;
}

function drawPattern(kind: 'stripes' | 'chess', seed: number): RawImage {
  const draw = random(seed, kind);
  const [period, phase] = [draw.integer(10, 16), draw.integer(0, 9)];
  const data = new Uint8Array(SIDE * SIDE);
  for (let i = 0; i < data.length; i++) {
    const [x, y] = [(i % SIDE) + phase, Math.floor(i / SIDE)];
    const odd = Math.floor(x / period) + (kind === 'chess' ? Math.floor(y / period) : 0);
    data[i] = (odd % 2 === 0 ? 60 : 180) + draw.integer(0, 30);
  }
  return { data, width: SIDE, height: SIDE, channels: 1 };
}
const five = (kind: 'stripes' | 'chess') => [1, 2, 3, 4, 5].map((seed) => pattern(kind, seed));
const others = (kind: 'stripes' | 'chess') => [11, 12, 13, 14, 15, 16].map((seed) => pattern(kind, seed));

/** Images of the starter's types that are in the repository. */
const known = [
  ...readdirSync(join(root, 'examples/images'))
    .filter((name) => name.endsWith('.png'))
    .map((name) => [
      name.replace(/^(fluorescence|histology|phase-contrast).*$/, '$1'),
      join(root, 'examples/images', name),
    ]),
  ...readFileSync(join(root, 'test/data/nuclei/index.csv'), 'utf8')
    .trim()
    .split('\n')
    .slice(1)
    .map((row) => row.split(','))
    .map(([id, type]) => [type!, join(root, 'test/data/nuclei/images', `${id}.png`)]),
] as [type: string, path: string][];

const typesOf = async (model: string, images: readonly (RawImage | string)[]): Promise<string[]> => {
  await using router = await CellClassifier.load(model);
  const types: string[] = [];
  for (const image of images) types.push((await router.classify(image)).cellType);
  return types;
};
const bytes = (...names: string[]) => readFileSync(join(...names));
const segmenter = join(testEnsemble, 'fluorescence.safetensors');

describe('added one after the other from five images each', () => {
  const [first, second] = [at('first'), at('second')];
  beforeAll(async () => {
    const thresholds = { minScore: 0.7 };
    await addToEnsemble(undefined, {
      type: 'stripes',
      images: five('stripes'),
      segmenter,
      thresholds,
      out: first,
    });
    await addToEnsemble(first, { type: 'chess', images: five('chess'), segmenter: null, out: second });
  });

  test('the new types are named, and so are the old ones', async () => {
    for (const kind of ['stripes', 'chess'] as const) {
      expect(await typesOf(second, others(kind))).toEqual(others(kind).map(() => kind));
    }
    const paths = known.map(([, path]) => path);
    expect(await typesOf(starterFolder, paths)).toEqual(known.map(([type]) => type));
    expect(await typesOf(second, paths)).toEqual(known.map(([type]) => type));
  });

  test('the network of the router and the old segmenters do not change', async () => {
    for (const type of ['fluorescence', 'histology', 'phase-contrast']) {
      const file = `segmenter-${type}.safetensors`;
      expect(bytes(second, file).equals(bytes(starterFolder, file))).toBe(true);
    }
    await using before = await CellClassifier.load(starterFolder);
    await using after = await CellClassifier.load(second);
    expect(await after.bodyFingerprint()).toBe(await before.bodyFingerprint());
    expect(after.config).toEqual({
      ...before.config,
      classNames: [...before.config.classNames, 'stripes', 'chess'],
    });
  });

  test('the new type has its segmenter and thresholds', async () => {
    await using ensemble = await RoutedEnsemble.load(second);
    expect(ensemble.thresholds.stripes).toEqual({ minScore: 0.7 });
    expect(ensemble.segmenters.chess).toBeNull();
    expect((await ensemble.segment(imageBytes('small'), { cellType: 'stripes' })).segmenter).toBe('stripes');
    const { types, hasStatistics } = await describeEnsemble(second);
    expect(hasStatistics).toBe(true);
    expect(types.map(({ type, images, segmenter: own }) => [type, images, own !== null])).toEqual([
      ['fluorescence', 448, true],
      ['histology', 88, true],
      ['phase-contrast', 36, true],
      ['stripes', 5, true],
      ['chess', 5, false],
    ]);
  });

  test('a saved ensemble keeps the statistics', async () => {
    await using ensemble = await RoutedEnsemble.load(second);
    await ensemble.save(at('saved'));
    expect(bytes(at('saved'), 'router-statistics.safetensors')).toEqual(
      bytes(second, 'router-statistics.safetensors'),
    );
    await addToEnsemble(at('saved'), { type: 'more', images: five('chess'), segmenter: null });
    expect((await describeEnsemble(at('saved'))).types).toHaveLength(6);
  });

  test('removed in the other order, the old types have the answers of before', async () => {
    const folder = at('removed');
    cpSync(second, folder, { recursive: true });
    await removeFromEnsemble(folder, { type: 'chess' });
    await using one = await CellClassifier.load(first);
    await using two = await CellClassifier.load(second);
    await using removed = await CellClassifier.load(folder);
    expect(removed.config.classNames).toEqual(one.config.classNames);
    for (const [, path] of known.slice(0, 3)) {
      const { logits } = await two.classify(path);
      expect((await removed.classify(path)).logits).toEqual(logits.subarray(0, 4));
    }
    await removeFromEnsemble(folder, { type: 'stripes' });
    expect(existsSync(join(folder, 'segmenter-stripes.safetensors'))).toBe(false);
    expect(bytes(folder, 'segmenter-histology.safetensors')).toEqual(
      bytes(starterFolder, 'segmenter-histology.safetensors'),
    );
    await addToEnsemble(folder, { type: 'stripes', images: five('stripes'), segmenter: null });
    expect(await typesOf(folder, others('stripes'))).toEqual(others('stripes').map(() => 'stripes'));
  });

  test('renamed, an ensemble has the same answers', async () => {
    const folder = at('renamed');
    cpSync(first, folder, { recursive: true });
    await renameInEnsemble(folder, { from: 'stripes', to: 'lines' });
    await using before = await CellClassifier.load(first);
    await using after = await CellClassifier.load(folder);
    const image = pattern('stripes', 20);
    expect((await after.classify(image)).logits).toEqual((await before.classify(image)).logits);
    expect((await after.classify(image)).cellType).toBe('lines');
    expect(
      readdirSync(folder)
        .filter((name) => name.startsWith('segmenter-'))
        .sort(),
    ).toEqual(
      readdirSync(first)
        .filter((name) => name.startsWith('segmenter-'))
        .map((name) => name.replace('stripes', 'lines'))
        .sort(),
    );
    expect(bytes(folder, 'segmenter-lines.safetensors')).toEqual(
      bytes(first, 'segmenter-stripes.safetensors'),
    );
    await using ensemble = await RoutedEnsemble.load(folder);
    expect(ensemble.thresholds.lines).toEqual({ minScore: 0.7 });
    // The names are shorter by two letters, and a header is a multiple of eight bytes long.
    const sizes = [first, folder].map(async (path) => {
      return bytes(path, (await readEnsembleFile(path)).classifier).length;
    });
    const [one, two] = await Promise.all(sizes);
    expect(Math.abs(one! - two!)).toBeLessThanOrEqual(8);
  });
});

describe('created', () => {
  test('of one segmenter, without images', async () => {
    await createEnsemble(at('one'), { types: { nuclei: { segmenter } } });
    await using ensemble = await RoutedEnsemble.load(at('one'));
    const { cellType, cells } = await ensemble.segment(imageBytes('small'));
    expect(cellType).toBe('nuclei');
    expect(cells.length).toBeGreaterThan(0);
  });

  test("of images of each type, with the starter's network", async () => {
    const types = {
      chess: { segmenter, images: five('chess') },
      stripes: { segmenter: null, images: five('stripes') },
    };
    await createEnsemble(at('two'), { types, fallback: 'chess' });
    for (const kind of ['stripes', 'chess'] as const) {
      expect(await typesOf(at('two'), others(kind))).toEqual(others(kind).map(() => kind));
    }
    await using ensemble = await RoutedEnsemble.load(at('two'));
    expect((await ensemble.segment(pattern('stripes', 30))).segmenter).toBe('chess');
    await addToEnsemble(at('two'), {
      type: 'nuclei',
      images: [imageBytes('small'), imageBytes('medium')],
      segmenter,
    });
    expect(await typesOf(at('two'), [known.find(([type]) => type === 'fluorescence')![1]])).toEqual([
      'nuclei',
    ]);
  });

  test('with a router of its types', async () => {
    const types = {
      'phase-contrast': { segmenter: null },
      fluorescence: { segmenter },
      histology: { segmenter: null },
    };
    await createEnsemble(at('own router'), { types, router: testEnsemble });
    expect(bytes(at('own router'), 'classifier.safetensors').length).toBeGreaterThan(0);
    const [[, path]] = known as [[string, string]];
    await using given = await CellClassifier.load(testEnsemble);
    await using own = await CellClassifier.load(at('own router'));
    expect((await own.classify(path)).logits).toEqual((await given.classify(path)).logits);
  });
});

describe('refused:', () => {
  const add = (over: object, model?: string) =>
    addToEnsemble(model, { type: 'x', images: five('chess'), segmenter: null, out: at('refused'), ...over });
  const create = (types: object, over: object = {}) =>
    createEnsemble(at('refused'), { types, ...over } as never);

  test.each<[string, () => Promise<void>, string, RegExp]>([
    ['a type that there is', () => add({ type: 'histology' }), 'INVALID_ARGUMENT', /does not have.*for type/],
    ['no images', () => add({ images: [] }), 'INVALID_ARGUMENT', /at least one image for images/],
    [
      'images that are a path',
      () => add({ images: 'a.png' }),
      'INVALID_ARGUMENT',
      /iterable of images for images/,
    ],
    [
      'a segmenter that is not there',
      () => add({ segmenter: at('nowhere') }),
      'FILE_UNREADABLE',
      /no such file/,
    ],
    [
      'a router as a segmenter',
      () => add({ segmenter: join(testEnsemble, 'classifier.safetensors') }),
      'WEIGHTS_MISMATCH',
      /classifier/,
    ],
    [
      'a threshold out of range',
      () => add({ thresholds: { minScore: 2 } }),
      'INVALID_ARGUMENT',
      /thresholds\.minScore/,
    ],
    [
      'the starter itself',
      () => add({ out: undefined }),
      'INVALID_ARGUMENT',
      /another folder than that of the starter/,
    ],
    [
      'an ensemble without statistics',
      () => add({}, testEnsemble),
      'ENSEMBLE_INVALID',
      /no statistics.*ensemble create/,
    ],
    ['a segmenter as an ensemble', () => add({}, segmenter), 'WEIGHTS_MISMATCH', /Expected an ensemble at/],
    ['an unknown option', () => add({ kind: 'x' }), 'INVALID_ARGUMENT', /Unknown option kind/],
    [
      'removing a type that there is not',
      () => removeFromEnsemble(undefined, { type: 'x', out: at('refused') }),
      'INVALID_ARGUMENT',
      /one of fluorescence, histology/,
    ],
    [
      'renaming to a name that there is',
      () => renameInEnsemble(undefined, { from: 'histology', to: 'fluorescence', out: at('refused') }),
      'INVALID_ARGUMENT',
      /for to/,
    ],
    ['no types', () => create({}), 'INVALID_ARGUMENT', /at least one type for types/],
    [
      'types without images',
      () => create({ a: { segmenter }, b: { segmenter } }),
      'INVALID_ARGUMENT',
      /images of each type, or a router/,
    ],
    [
      'images of some types',
      () => create({ a: { segmenter, images: five('chess') }, b: { segmenter } }),
      'INVALID_ARGUMENT',
      /types\.b\.images/,
    ],
    [
      'no segmenter at all',
      () => create({ a: { segmenter: null } }),
      'INVALID_ARGUMENT',
      /a segmenter for at least one type/,
    ],
    [
      'a fallback without a segmenter',
      () => create({ a: { segmenter } }, { fallback: 'b' }),
      'INVALID_ARGUMENT',
      /one of a for fallback/,
    ],
    [
      'a router of other types',
      () => create({ a: { segmenter } }, { router: testEnsemble }),
      'ENSEMBLE_INVALID',
      /Expected a router of the types a/,
    ],
  ])('%s', async (_, attempt, code, message) => {
    const error = await refusal(attempt());
    expect(error.code).toBe(code);
    expect(error.message).toMatch(message);
    expect(existsSync(join(at('refused'), 'ensemble.json'))).toBe(false);
  });

  test('the only type of an ensemble', async () => {
    await createEnsemble(at('only'), { types: { a: { segmenter } } });
    expect((await refusal(removeFromEnsemble(at('only'), { type: 'a' }))).message).toMatch(
      /one of several types/,
    );
  });

  test('statistics of another router', async () => {
    const folder = at('mixed');
    cpSync(testEnsemble, folder, { recursive: true });
    copyFileSync(
      join(starterFolder, 'router-statistics.safetensors'),
      join(folder, 'router-statistics.safetensors'),
    );
    const file = join(folder, 'ensemble.json');
    const description = JSON.parse(readFileSync(file, 'utf8')) as object;
    writeFileSync(file, JSON.stringify({ ...description, statistics: 'router-statistics.safetensors' }));
    expect((await refusal(add({}, folder))).message).toMatch(/statistics of another router/);
  });

  test('statistics of other types, and a file of statistics outside the folder', async () => {
    const folder = at('outside');
    cpSync(testEnsemble, folder, { recursive: true });
    const file = join(folder, 'ensemble.json');
    const description = JSON.parse(readFileSync(file, 'utf8')) as object;
    writeFileSync(file, JSON.stringify({ ...description, statistics: '../statistics.safetensors' }));
    expect(await refusal(RoutedEnsemble.load(folder))).toMatchObject({
      code: 'ENSEMBLE_INVALID',
      details: { option: 'statistics' },
    });
    await using ensemble = await RoutedEnsemble.load(testEnsemble);
    const { classifier, segmenters } = ensemble;
    const statistics = { router: 'x', types: new Map() };
    expect(() => new RoutedEnsemble({ classifier, segmenters, statistics })).toThrow(
      /statistics of fluorescence/,
    );
  });

  test('files that cellroute did not write', async () => {
    writeFileSync(join(temporary, 'segmenter-x.safetensors'), 'mine');
    const attempt = () => add({ segmenter, out: temporary });
    expect((await refusal(attempt())).code).toBe('FILE_UNWRITABLE');
    expect(readFileSync(join(temporary, 'segmenter-x.safetensors'), 'utf8')).toBe('mine');
  });
});
