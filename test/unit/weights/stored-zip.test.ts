import { crc32 } from '../../../lib/weights/crc32.js';
import { storedZip, type ZipContent } from '../../../lib/weights/stored-zip.js';

async function* contents(list: readonly ZipContent[]) {
  yield* list;
}

async function written(list: readonly ZipContent[], options?: { alignment?: number }) {
  const parts: Uint8Array[] = [];
  for await (const part of storedZip(contents(list), options)) parts.push(part);
  return parts;
}

test('sizes and checksums come before the data', async () => {
  const bytes = Buffer.from('some bytes');
  const file = Buffer.concat(await written([{ name: 'ä.txt', bytes }]));
  expect(file.readUInt32LE(0)).toBe(0x04034b50);
  // No data descriptor: only the bit for UTF-8 is set.
  expect(file.readUInt16LE(6)).toBe(0x0800);
  expect(file.readUInt32LE(14)).toBe(crc32(bytes));
  expect([file.readUInt32LE(18), file.readUInt32LE(22)]).toEqual([bytes.length, bytes.length]);
  expect(file.subarray(30 + 6, 30 + 6 + bytes.length)).toEqual(bytes);
});

test('data start at multiples of the alignment', async () => {
  const list = ['a', 'bc', 'def'].map((name) => ({ name, bytes: Buffer.from(name) }));
  let position = 0;
  const starts: number[] = [];
  for (const [i, part] of (await written(list, { alignment: 64 })).entries()) {
    if (i % 2 === 1 && i < 6) starts.push(position);
    position += part.length;
  }
  expect(starts.every((start) => start % 64 === 0)).toBe(true);
});

test('an archive above 4 GiB has 64-bit offsets', async () => {
  const half = 2 ** 31;
  // What is never read needs no memory.
  const bytes = { byteLength: half, length: 0 } as Uint8Array;
  const parts = await written(['a', 'b', 'c'].map((name) => ({ name, bytes })));
  const [directory, end] = parts.slice(-2).map((part) => Buffer.from(part)) as [Buffer, Buffer];
  const offsetOfThird = 2 * (31 + half);
  const third = 2 * 47;
  expect(directory.readUInt32LE(third + 42)).toBe(0xffffffff);
  expect(directory.readUInt16LE(third + 30)).toBe(12);
  expect(directory.readUInt16LE(third + 47)).toBe(1);
  expect(directory.readBigUInt64LE(third + 51)).toBe(BigInt(offsetOfThird));
  const offset = BigInt(offsetOfThird + 31 + half);
  expect(end.readUInt32LE(0)).toBe(0x06064b50);
  expect(end.readBigUInt64LE(32)).toBe(3n);
  expect(end.readBigUInt64LE(40)).toBe(BigInt(directory.length));
  expect(end.readBigUInt64LE(48)).toBe(offset);
  // The locator, and the record that old readers look for.
  expect(end.readUInt32LE(56)).toBe(0x07064b50);
  expect(end.readBigUInt64LE(64)).toBe(offset + BigInt(directory.length));
  expect(end.readUInt32LE(76)).toBe(0x06054b50);
  expect(end.readUInt32LE(92)).toBe(0xffffffff);
});
