import { runInNewContext } from 'node:vm';
import { CellrouteError, decodeImage, Masks, maskRCNNConfig, RoutedEnsemble } from '../../lib/index.js';
import { evaluate } from '../../lib/metrics.js';
import { rejection, testEnsemble, thrown } from '../support/sdk.js';

test('is() recognises errors of cellroute, optionally by code', async () => {
  const error = await rejection(decodeImage('/does/not/exist.png'));
  expect(CellrouteError.is(error)).toBe(true);
  expect(CellrouteError.is(error, 'FILE_UNREADABLE')).toBe(true);
  expect(CellrouteError.is(error, 'DISPOSED')).toBe(false);
  if (CellrouteError.is(error, 'FILE_UNREADABLE')) {
    const { file }: { file: string } = error.details;
    expect(file).toBe('/does/not/exist.png');
  }
});

test.each([
  null,
  undefined,
  'CellrouteError',
  new Error('text'),
  Object.assign(new Error('text'), { code: 'FILE_UNREADABLE' }),
])('is() returns false for %p', (value) => {
  expect(CellrouteError.is(value)).toBe(false);
});

test('is() recognises errors of another copy of the package', () => {
  const other = runInNewContext(
    `class CellrouteError extends Error {
      name = 'CellrouteError'; code = 'DISPOSED'; details = {};
    }
    new CellrouteError('text')`,
  );
  expect(other).not.toBeInstanceOf(CellrouteError);
  expect(CellrouteError.is(other, 'DISPOSED')).toBe(true);
});

/** An array that was transferred to another thread. */
function detached<T extends ArrayBufferView>(view: T): T {
  structuredClone(view.buffer, { transfer: [view.buffer as ArrayBuffer] });
  return view;
}

const size = { width: 4, height: 4 };
const masks = () => Masks.encode(new Uint8Array(16).fill(1), size);
test.each<[string, () => unknown]>([
  ['null options of segment', () => ensemble.segment('a.png', null as never)],
  ['a string for options', () => ensemble.segment('a.png', 'options' as never)],
  ['an empty object for a signal', () => ensemble.segment('a.png', { signal: {} as never })],
  ['a number for onProgress', () => ensemble.segment('a.png', { onProgress: 5 as never })],
  ['null options of classify', () => ensemble.classifier.classify('a.png', null as never)],
  ['null options of load', () => RoutedEnsemble.load('a', null as never)],
  ['null options of decodeImage', () => decodeImage('a.png', null as never)],
  ['null options of evaluate', () => evaluate([], null as never)],
  ['null for a configuration', () => maskRCNNConfig(null as never)],
  ['detached bytes of an image', () => decodeImage(detached(new Uint8Array(8)))],
  ['detached raw pixels', () => decodeImage({ data: detached(new Uint8Array(16)), ...size, channels: 1 })],
  ['detached pixels of masks', () => Masks.encode(detached(new Uint8Array(16)), size)],
  [
    'a detached batch',
    () => Masks.fromBatch({ ...masks().toBatch(), counts: detached(Uint32Array.of(0, 16)) }),
  ],
  ['detached labels', () => Masks.fromLabels(detached(new Uint8Array(16)), size)],
])('%s: refused with a code', async (_, action) => {
  const error = await (async () => action())().then(
    () => undefined,
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(CellrouteError);
  expect((error as CellrouteError).code).toMatch(/^INVALID_(ARGUMENT|CONFIG)$/);
  expect((error as CellrouteError).details.option).toBeDefined();
});

let ensemble: RoutedEnsemble;
beforeAll(async () => {
  ensemble = await RoutedEnsemble.load(testEnsemble);
});
afterAll(() => ensemble.dispose());

test('a detached array is described as detached', () => {
  expect(thrown(() => Masks.encode(detached(new Uint8Array(16)), size)).message).toMatch(
    /Uint8Array whose ArrayBuffer is detached/,
  );
});

test('restated keeps code and details, and the error as the cause', () => {
  const error = new CellrouteError('IMAGE_UNREADABLE', 'torn', { got: 'half', file: 'a.png' });
  const restated = error.restated('Image a: torn', { images: ['a'] });
  expect(restated).toMatchObject({
    code: 'IMAGE_UNREADABLE',
    message: 'Image a: torn',
    details: { got: 'half', file: 'a.png', images: ['a'] },
    cause: error,
  });
});
