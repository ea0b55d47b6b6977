import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { decodeImage } from '../../../lib/image/decode.js';
import type { ImageReadOptions } from '../../../lib/image/types.js';
import { workFolder } from '../../support/data-folder.js';
import { refusal } from '../../support/refusal.js';
import { type TestPage, writeTiff } from '../../support/tiff.js';

// The commands of refusals, run: the file that they write is read with the values of the file that was refused.

const python = process.env.CELLROUTE_REFERENCE_PYTHON ?? 'python3';
const { status } = spawnSync(python, ['-c', 'import tifffile, imagecodecs']);
const run = status === 0 ? test : test.skip;
if (status !== 0)
  console.warn(`Skipped: ${python} has no tifffile and imagecodecs (CELLROUTE_REFERENCE_PYTHON)`);

const folder = workFolder();
const [width, height] = [24, 20];
const length = width * height;
const values = Array.from({ length }, (_, i) => (7 * i) % 128);
const page = { width, height };
/** 12 bits per value, packed. */
const packed = Uint8Array.from({ length: (3 * length) / 2 }, (_, i) => {
  const [first, second] = [values[2 * Math.floor(i / 3)]!, values[2 * Math.floor(i / 3) + 1]!];
  return [first >> 4, ((first & 15) << 4) | (second >> 8), second & 255][i % 3]!;
});
const twice = (own: number[]) => own.flatMap((value) => [value, 0]);

run.each<[string, TestPage[], ImageReadOptions, number[]]>([
  ['12 packed bits', [{ ...page, values: packed, bits: 12 }], {}, values],
  ['signed 16 bits', [{ ...page, values: Int16Array.from(values), format: 2 }], {}, values],
  [
    'the third of three planes',
    [0, 1, 2].map((k) => ({ ...page, values: Uint32Array.from(values, (v) => v + k) })),
    { page: 2 },
    values.map((v) => v + 2),
  ],
  [
    'the first of two channels',
    [{ ...page, values: Int16Array.from(twice(values)), format: 2, samples: 2 }],
    { channels: 0 },
    values,
  ],
  ['64-bit floats', [{ ...page, values: Float64Array.from(values), format: 3 }], {}, values],
  [
    'inverted floats',
    [{ ...page, values: Float32Array.from(values), format: 3, photometric: 0 }],
    {},
    values.map((v) => -v),
  ],
  [
    '2 bits of three samples',
    [
      {
        ...page,
        values: new Uint8Array((3 * length) / 4).fill(0b01101100),
        samples: 3,
        bits: 2,
        photometric: 2,
      },
    ],
    { channels: 0 },
    [],
  ],
])('%s', async (name, pages, read, expected) => {
  const file = folder.write(`${name}/in.tif`, writeTiff(pages));
  const error = await refusal(decodeImage(readFileSync(file), read));
  const [, code] = /python -c "(.*)"$/s.exec(error.message) ?? [];
  const { status: ended, stderr } = spawnSync(python, ['-c', code!], {
    cwd: folder.path(name),
    encoding: 'utf8',
  });
  expect([ended, stderr]).toEqual([0, '']);
  const { data } = await decodeImage(readFileSync(folder.path(name, 'out.tif')), read);
  if (expected.length > 0)
    expect(Array.from(data, (value) => value + 0)).toEqual(expected.map((value) => value + 0));
  // 1, 2, 3 and 0 in turn: two bits over 0..255.
  else expect(Array.from(data.subarray(0, 4))).toEqual([85, 0, 255, 170]);
});
