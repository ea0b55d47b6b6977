import { truncateSync } from 'node:fs';
import { CellrouteError } from '../../../lib/errors.js';
import { inspectWeights } from '../../../lib/weights/open.js';
import { describeGolden, goldenPath } from '../../support/golden.js';
import { liesInside, load, random, safetensors, save, temporaryFolder } from '../../support/weights.js';

const CODES = ['WEIGHTS_FORMAT', 'WEIGHTS_DAMAGED', 'WEIGHTS_REFUSED'];
const path = temporaryFolder();
/** Damaged files per test. `npm run fuzz` tries many more. */
const ROUNDS = 300;

/** Result of reading a damaged file: an error code, or 'table' if every range is inside the file. */
async function outcomeOf(file: string, length: number): Promise<string> {
  try {
    const { tensors } = await inspectWeights(file);
    return tensors.every((entry) => liesInside(entry, length)) ? 'table' : 'a range outside the file';
  } catch (error) {
    return error instanceof CellrouteError ? error.code : String(error);
  }
}

const outcome = (bytes: Buffer) => outcomeOf(save(path('damaged'), bytes), bytes.length);

const small = safetensors(
  {
    __metadata__: { a: 'b' },
    w: { dtype: 'F32', shape: [2, 3], data_offsets: [0, 24] },
    n: { dtype: 'I64', shape: [], data_offsets: [24, 32] },
  },
  Buffer.alloc(32),
);

const kinds: [string, () => Buffer][] = [
  ['checkpoint_zip.pth', () => load(goldenPath('checkpoint_zip.pth'))],
  ['checkpoint_nested.pth', () => load(goldenPath('checkpoint_nested.pth'))],
  ['checkpoint_legacy.pth', () => load(goldenPath('checkpoint_legacy.pth'))],
  ['safetensors', () => small],
];

describe.each(kinds)('%s', (name, read) => {
  describeGolden('damaged', { goldens: name === 'safetensors' ? [] : [name] }, () => {
    test('truncated at any length is refused with a code', async () => {
      const whole = read();
      const odd: [number, string][] = [];
      const file = save(path('cut'), whole);
      // Every length near the ends, where the tables are; between them a step that meets every alignment.
      const near = (length: number) => length < 300 || length > whole.length - 300;
      for (let length = whole.length - 1; length >= 0; length--) {
        if (!near(length) && length % 7 !== 0) continue;
        truncateSync(file, length);
        const result = await outcomeOf(file, length);
        if (!CODES.includes(result)) odd.push([length, result]);
      }
      expect(odd).toEqual([]);
    });

    test('with random changes is refused with a code, or has ranges inside the file', async () => {
      const whole = read();
      const next = random(whole.length);
      const seen = new Map<string, number>();
      for (let round = 0; round < ROUNDS; round++) {
        const bytes = Buffer.from(whole);
        for (let flips = 1 + Math.floor(next() * 4); flips > 0; flips--) {
          bytes[Math.floor(next() * bytes.length)] = Math.floor(next() * 256);
        }
        const result = await outcome(bytes);
        seen.set(result, (seen.get(result) ?? 0) + 1);
      }
      expect([...CODES, 'table']).toEqual(expect.arrayContaining([...seen.keys()]));
      // Both outcomes must occur, otherwise the test proves nothing.
      expect(seen.get('table')).toBeGreaterThan(0);
      expect(seen.get('WEIGHTS_DAMAGED')).toBeGreaterThan(0);
    });
  });
});

describeGolden('a pickle', { goldens: ['checkpoint_zip.pth'] }, () => {
  test('with random changes and a correct checksum is refused with a code, or has ranges inside the file', async () => {
    const whole = load(goldenPath('checkpoint_zip.pth'));
    const start = whole.indexOf('\x80\x02ccollections', 0, 'latin1');
    const end = whole.indexOf('PK\x07\x08', start, 'latin1');
    const next = random(7);
    const seen = new Set<string>();
    for (let round = 0; round < ROUNDS; round++) {
      const bytes = Buffer.from(whole);
      for (let flips = 1 + Math.floor(next() * 3); flips > 0; flips--) {
        bytes[start + Math.floor(next() * (end - start))] = Math.floor(next() * 256);
      }
      const checksum = crc(bytes.subarray(start, end));
      for (const at of crcPlaces(whole, start, end)) bytes.writeUInt32LE(checksum, at);
      seen.add(await outcome(bytes));
    }
    expect([...CODES, 'table']).toEqual(expect.arrayContaining([...seen]));
    expect(seen.size).toBeGreaterThan(2);
  });
});

/** CRC-32 by its definition, bit by bit. */
function crc(bytes: Uint8Array): number {
  let value = 0xffffffff;
  for (const byte of bytes) {
    value ^= byte;
    for (let bit = 0; bit < 8; bit++) value = value & 1 ? (value >>> 1) ^ 0xedb88320 : value >>> 1;
  }
  return ~value >>> 0;
}

/** Positions in the file of the checksum of its bytes from `start` to `end`. */
function crcPlaces(file: Buffer, start: number, end: number): number[] {
  const pattern = Buffer.alloc(4);
  pattern.writeUInt32LE(crc(file.subarray(start, end)));
  const places: number[] = [];
  for (let at = file.indexOf(pattern); at >= 0; at = file.indexOf(pattern, at + 1)) places.push(at);
  return places;
}
