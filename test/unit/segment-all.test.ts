import { CellrouteError, CellSegmenter, RoutedEnsemble } from '../../lib/index.js';
import { image, imageBytes, rejection, testEnsemble, thrown } from '../support/sdk.js';

let ensemble: RoutedEnsemble;
beforeAll(async () => {
  ensemble = await RoutedEnsemble.load(testEnsemble);
});
afterAll(() => ensemble.dispose());

const small = { cellType: 'fluorescence', minScore: 0.6 };

test('yields the result of segment for each image, and an error for an invalid one', async () => {
  const alone = await ensemble.segment(image.small, small);
  const found = [];
  async function* images() {
    yield image.small;
    yield { id: 'bytes', image: imageBytes('small') };
    yield { id: 'fetched', image: async () => imageBytes('small') };
    yield { id: 'none', image: '/does/not/exist.png' };
    yield Buffer.from('text');
  }
  for await (const one of ensemble.segmentAll(images(), small)) found.push(one);
  const file = image.small.split('/').at(-1);
  expect(found.map(({ id }) => id)).toEqual([file, 'bytes', 'fetched', 'none', '4']);
  for (const { id, result } of found.slice(0, 3)) {
    expect(result).toMatchObject({ name: id, cellType: 'fluorescence' });
    expect(JSON.stringify(result!.cells)).toBe(JSON.stringify(alone.cells));
  }
  expect(found[3]!.error).toMatchObject({ code: 'FILE_UNREADABLE' });
  expect(found[4]!.error).toMatchObject({ code: 'IMAGE_UNREADABLE' });
});

test('works with a segmenter too', async () => {
  await using segmenter = await CellSegmenter.load(`${testEnsemble}/fluorescence.safetensors`);
  const found = [];
  for await (const one of segmenter.segmentAll([image.small], { ordered: false })) found.push(one);
  expect(found[0]!.result!.cells.length).toBeGreaterThan(10);
});

test('an abort throws the reason', async () => {
  const stop = new AbortController();
  const run = ensemble.segmentAll([image.small, image.small], { ...small, signal: stop.signal });
  const reading = rejection(run.next());
  stop.abort('enough');
  expect(await reading).toBe('enough');
});

test.each<[string, object, string]>([
  ['no iterable', { images: 5 }, 'images'],
  ['a path alone', { images: 'cells.png' }, 'images'],
  ['a concurrency of 0', { concurrency: 0 }, 'concurrency'],
  ['a word for ordered', { ordered: 'yes' }, 'ordered'],
  ['onProgress', { onProgress: () => {} }, 'onProgress'],
  ['a misspelt threshold', { minscore: 0.5 }, 'minscore'],
  ['an empty signal', { signal: {} }, 'signal'],
])('%s is refused immediately', (_, { images = [], ...options }: { images?: unknown }, option) => {
  const error = thrown(() => ensemble.segmentAll(images as never, options));
  expect(error).toBeInstanceOf(CellrouteError);
  expect(error).toMatchObject({ code: 'INVALID_ARGUMENT', details: { option } });
});
