import { closeSync, ftruncateSync, openSync, writeSync } from 'node:fs';
import { openWeights } from '../../../lib/weights/open.js';
import { refusalOf, safetensors, save, temporaryFolder } from '../../support/weights.js';

const path = temporaryFolder();
const write = (header: unknown, data = Buffer.alloc(0)) =>
  save(path('x.safetensors'), safetensors(header, data));
const one = (fields: object) => ({ a: { dtype: 'F32', shape: [2], data_offsets: [0, 8], ...fields } });

test('a header is read with its metadata, with any whitespace and order of fields', async () => {
  const header =
    '{ "b" : { "data_offsets" : [ 8 , 10 ] , "shape":[] ,"dtype":"F16"},\n"a":{"dtype":"F32","shape":[1,2],"data_offsets":[0,8]},"__metadata__":{"k\\u00e9":"\\"v\\""}}   ';
  const weights = await openWeights(write(header, Buffer.alloc(10)));
  const start = 8 + Buffer.byteLength(header);
  expect(weights).toMatchObject({
    format: 'safetensors',
    metadata: { ké: '"v"' },
    tensors: [
      { name: 'b', dtype: 'F16', shape: [], strides: [], offset: start + 8, storageEnd: start + 10 },
      { name: 'a', dtype: 'F32', shape: [1, 2], strides: [2, 1], offset: start, storageEnd: start + 8 },
    ],
  });
});

test('a file without tensors and a tensor without elements are valid', async () => {
  expect((await openWeights(write({}))).tensors).toEqual([]);
  const empty = await openWeights(write(one({ shape: [0, 3], data_offsets: [0, 0] })));
  expect(empty.tensors).toMatchObject([{ shape: [0, 3] }]);
});

test.each<[string, unknown, number, string]>([
  ['a hole before the first tensor', one({ data_offsets: [4, 12] }), 12, 'WEIGHTS_DAMAGED'],
  [
    'a hole between tensors',
    { ...one({}), b: { dtype: 'U8', shape: [1], data_offsets: [9, 10] } },
    10,
    'WEIGHTS_DAMAGED',
  ],
  [
    'tensors that overlap',
    { ...one({}), b: { dtype: 'U8', shape: [2], data_offsets: [7, 9] } },
    9,
    'WEIGHTS_DAMAGED',
  ],
  ['two tensors over the same bytes', { ...one({}), b: one({}).a }, 8, 'WEIGHTS_DAMAGED'],
  ['data past the last tensor', one({}), 9, 'WEIGHTS_DAMAGED'],
  ['data that end early', one({}), 7, 'WEIGHTS_DAMAGED'],
  ['a shape that does not fit its data', one({ shape: [3] }), 8, 'WEIGHTS_DAMAGED'],
  ['swapped offsets', one({ shape: [0], data_offsets: [8, 0] }), 8, 'WEIGHTS_DAMAGED'],
  ['a shape past 64 bits', one({ shape: [2 ** 40, 2 ** 40] }), 8, 'WEIGHTS_DAMAGED'],
  ['a shape past 64 bits beside a 0', one({ shape: [0, 2 ** 40, 2 ** 40] }), 8, 'WEIGHTS_DAMAGED'],
  ['a dimension that is not an integer', one({ shape: [1.5] }), 8, 'WEIGHTS_DAMAGED'],
  ['a negative dimension', one({ shape: [-2] }), 8, 'WEIGHTS_DAMAGED'],
  [
    'a dimension past 53 bits',
    '{"a":{"dtype":"U8","shape":[9007199254740993],"data_offsets":[0,8]}}',
    8,
    'WEIGHTS_DAMAGED',
  ],
  [
    'a dimension of many digits',
    `{"a":{"dtype":"U8","shape":[${'9'.repeat(400)}],"data_offsets":[0,8]}}`,
    8,
    'WEIGHTS_DAMAGED',
  ],
  [
    'a dimension with a leading 0',
    '{"a":{"dtype":"U8","shape":[08],"data_offsets":[0,8]}}',
    8,
    'WEIGHTS_DAMAGED',
  ],
  [
    'a dimension with an exponent',
    '{"a":{"dtype":"U8","shape":[8e0],"data_offsets":[0,8]}}',
    8,
    'WEIGHTS_DAMAGED',
  ],
  ['an unknown type', one({ dtype: 'F31' }), 8, 'WEIGHTS_REFUSED'],
  ['a type that is a property of every object', one({ dtype: 'constructor' }), 8, 'WEIGHTS_REFUSED'],
  ['an unknown field', one({ scale: 2 }), 8, 'WEIGHTS_DAMAGED'],
  ['a tensor without offsets', '{"a":{"dtype":"F32","shape":[2]}}', 8, 'WEIGHTS_DAMAGED'],
  ['three offsets', one({ data_offsets: [0, 8, 8] }), 8, 'WEIGHTS_DAMAGED'],
  ['metadata that are not strings', { __metadata__: { a: 1 } }, 0, 'WEIGHTS_DAMAGED'],
  [
    'a duplicate name',
    '{"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},"a":{"dtype":"U8","shape":[1],"data_offsets":[1,2]}}',
    2,
    'WEIGHTS_DAMAGED',
  ],
  [
    'one name twice, escaped',
    '{"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},"\\u0061":{"dtype":"U8","shape":[1],"data_offsets":[1,2]}}',
    2,
    'WEIGHTS_DAMAGED',
  ],
  [
    'a duplicate field',
    '{"a":{"dtype":"U8","dtype":"U8","shape":[1],"data_offsets":[0,1]}}',
    1,
    'WEIGHTS_DAMAGED',
  ],
  ['a duplicate metadata key', '{"__metadata__":{"a":"1","a":"2"}}', 0, 'WEIGHTS_DAMAGED'],
  ['metadata twice', '{"__metadata__":{},"__metadata__":{}}', 0, 'WEIGHTS_DAMAGED'],
  ['a header with trailing data', '{}{}', 0, 'WEIGHTS_DAMAGED'],
  ['a trailing comma', '{"__metadata__":{},}', 0, 'WEIGHTS_DAMAGED'],
  ['an unterminated string', '{"a', 0, 'WEIGHTS_DAMAGED'],
  ['a string that ends with a backslash', '{"a\\', 0, 'WEIGHTS_DAMAGED'],
  ['a control character in a string', '{"__metadata__":{"a":"\n"}}', 0, 'WEIGHTS_DAMAGED'],
  ['deep nesting', `{"a":${'['.repeat(100_000)}`, 0, 'WEIGHTS_DAMAGED'],
  [
    'a rank of 65',
    one({ dtype: 'U8', shape: new Array(65).fill(1), data_offsets: [0, 1] }),
    1,
    'WEIGHTS_DAMAGED',
  ],
  ['an array for a header', '[1]', 0, 'WEIGHTS_DAMAGED'],
])('%s is refused', async (_, header, bytes, code) => {
  const file = write(header, Buffer.alloc(bytes));
  const error = await refusalOf(file);
  expect(error.code).toBe(code);
  expect(error.details.file).toBe(file);
  expect(error.details.position).toBeGreaterThanOrEqual(0);
});

test('a header that is not UTF-8 is refused', async () => {
  const file = safetensors('{"__metadata__":{"a":"?"}}');
  file[file.indexOf('?')] = 0xff;
  expect((await refusalOf(save(path('utf8.safetensors'), file))).code).toBe('WEIGHTS_DAMAGED');
});

test('names of object properties are ordinary tensor names', async () => {
  const header =
    '{"__proto__":{"dtype":"U8","shape":[],"data_offsets":[0,1]},"7":{"dtype":"U8","shape":[],"data_offsets":[1,2]},"__metadata__":{"__proto__":"x"}}';
  const { tensors, metadata } = await openWeights(write(header, Buffer.alloc(2)));
  expect(tensors.map((entry) => entry.name)).toEqual(['__proto__', '7']);
  expect(Object.entries(metadata)).toEqual([['__proto__', 'x']]);
});

describe('a header length beyond the file', () => {
  const claim = (bytes: bigint, name = 'claim.safetensors') => {
    const file = Buffer.from('\0\0\0\0\0\0\0\0{}', 'latin1');
    file.writeBigUInt64LE(bytes);
    return save(path(name), file);
  };

  test.each([
    ['100 GB', 100_000_000_000n, 'WEIGHTS_REFUSED'],
    ['all of 64 bits', 0xffffffffffffffffn, 'WEIGHTS_REFUSED'],
    ['90 MB', 90_000_000n, 'WEIGHTS_DAMAGED'],
    ['one byte', 3n, 'WEIGHTS_DAMAGED'],
  ])('%s are refused without being allocated', async (_, bytes, code) => {
    const file = claim(bytes);
    const before = process.memoryUsage();
    expect((await refusalOf(file)).code).toBe(code);
    const after = process.memoryUsage();
    expect(after.arrayBuffers - before.arrayBuffers).toBeLessThan(1 << 20);
    expect(after.external - before.external).toBeLessThan(1 << 20);
  });

  test('a sparse file of 200 GB with a header of 100 GB is refused without being read', async () => {
    const file = path('sparse.safetensors');
    const handle = openSync(file, 'w');
    const start = Buffer.from('\0\0\0\0\0\0\0\0{', 'latin1');
    start.writeBigUInt64LE(100_000_000_000n);
    writeSync(handle, start);
    ftruncateSync(handle, 200_000_000_000);
    closeSync(handle);
    const before = process.memoryUsage().arrayBuffers;
    expect((await refusalOf(file)).code).toBe('WEIGHTS_REFUSED');
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(1 << 20);
  });
});
