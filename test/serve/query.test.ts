import { READ_KEYS } from '../../lib/image/select.js';
import { SCALE_KEYS } from '../../lib/inference/scale.js';
import { THRESHOLD_KEYS, THRESHOLD_NAMES } from '../../lib/inference/thresholds.js';
import { queriesOf } from '../../lib/serve/query.js';
import { tokenCheck } from '../../lib/serve/token.js';
import { thrown } from '../support/sdk.js';

const { segment, none } = queriesOf(['json', 'csv']);

test('values have the forms that the SDK takes', () => {
  expect(
    segment.parse({
      minScore: '5e-1',
      'rpn.preNmsTopN': '100',
      removeOverlaps: 'true',
      tiles: 'off',
      channels: '0,DAPI,2',
      page: '3',
      format: 'csv',
    }),
  ).toEqual({
    minScore: 0.5,
    rpn: { preNmsTopN: 100 },
    removeOverlaps: true,
    tiles: false,
    channels: [0, 'DAPI', 2],
    page: 3,
    format: 'csv',
  });
  expect(segment.parse({ removeOverlaps: '0.25' })).toEqual({ removeOverlaps: { maxLost: 0.25 } });
  expect(segment.parse({ scale: '2' })).toEqual({ scale: 2 });
  expect(segment.parse({ scale: 'auto' })).toEqual({ scale: 'auto' });
  expect(segment.parse({ pixelSize: 'file' })).toEqual({ pixelSize: 'file' });
  expect(segment.parse({ pixelSize: '0.5' })).toEqual({ pixelSize: 0.5 });
  expect(none.parse({})).toEqual({});
});

test('every option of the SDK that a request may set has a name', () => {
  const properties = Object.keys(segment.schema.properties as object);
  const own = ['format', 'name', 'cellType', 'tiles', ...READ_KEYS.filter((key) => key !== 'limits')];
  const rpn = THRESHOLD_NAMES.filter((name) => name.startsWith('rpn.'));
  const plain = THRESHOLD_KEYS.filter((key) => key !== 'rpn');
  expect(properties.sort()).toEqual([...own, ...plain, ...rpn, ...SCALE_KEYS].sort());
});

test.each(['0x10', '1_000', ' 1', '1 ', 'Infinity', '-', '.', '1e', '1,5'])('%p is not a number', (text) => {
  expect(thrown(() => segment.parse({ minScore: text }))).toMatchObject({
    code: 'INVALID_ARGUMENT',
    details: { option: 'minScore', expected: 'a number' },
  });
});

test.each(['toString', 'constructor', 'limits', 'signal', 'whenBusy', 'onProgress', 'rpn'])(
  '%p is no name of a query',
  (name) => {
    expect(thrown(() => segment.parse({ [name]: '1' }))).toMatchObject({ code: 'INVALID_ARGUMENT' });
  },
);

test('a token is taken with spaces around it, and nothing else', () => {
  const check = tokenCheck('abcdefghijklmnop');
  for (const right of ['Bearer abcdefghijklmnop', 'bearer   abcdefghijklmnop '])
    expect(check(right)).toBeUndefined();
  for (const wrong of [undefined, '', 'Bearer', 'Bearer abcdefghijklmno', 'Bearer abcdefghijklmnop x']) {
    expect(thrown(() => check(wrong))).toMatchObject({ code: 'UNAUTHORIZED' });
  }
});
