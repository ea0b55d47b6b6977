import { tiffHead } from '../../lib/export/tiff-directory.js';

const tags = [
  { tag: 256, type: 'long', values: [100] },
  { tag: 282, type: 'rational', values: [1 / 0.325] },
  { tag: 270, type: 'ascii', text: 'labels' },
] as const;
const places = { offsets: 324, sizes: 325 };

test('a small file has 32-bit offsets, and parts that follow the head', () => {
  const head = tiffHead(tags, places, [10, 20, 30]);
  expect(head.subarray(0, 4)).toEqual(Buffer.from([0x49, 0x49, 42, 0]));
  const start = head.readUInt32LE(4);
  const entries = Array.from({ length: head.readUInt16LE(start) }, (_, i) => start + 2 + 12 * i);
  expect(entries.map((at) => head.readUInt16LE(at))).toEqual([256, 270, 282, 324, 325]);
  const offsets = head.readUInt32LE(entries[3]! + 8);
  expect([0, 4, 8].map((at) => head.readUInt32LE(offsets + at))).toEqual([
    head.length,
    head.length + 10,
    head.length + 30,
  ]);
  const ratio = head.readUInt32LE(entries[2]! + 8);
  expect(head.readUInt32LE(ratio) / head.readUInt32LE(ratio + 4)).toBeCloseTo(1 / 0.325, 8);
});

test('a file of more than 4 GiB is a BigTIFF', () => {
  const part = 1.5 * 2 ** 30;
  const head = tiffHead(tags, places, [part, part, part, 7]);
  expect(head.subarray(0, 8)).toEqual(Buffer.from([0x49, 0x49, 43, 0, 8, 0, 0, 0]));
  const start = Number(head.readBigUInt64LE(8));
  const entries = Array.from({ length: Number(head.readBigUInt64LE(start)) }, (_, i) => start + 8 + 20 * i);
  expect(entries.map((at) => head.readUInt16LE(at))).toEqual([256, 270, 282, 324, 325]);
  const [width, text, , offsets, sizes] = entries as [number, number, number, number, number];
  // Values of up to 8 bytes are in the entry.
  expect(head.readUInt32LE(width + 12)).toBe(100);
  expect(head.toString('latin1', text + 12, text + 18)).toBe('labels');
  expect(head.readUInt16LE(offsets + 2)).toBe(16);
  const at = Number(head.readBigUInt64LE(offsets + 12));
  expect([0, 1, 2, 3].map((i) => Number(head.readBigUInt64LE(at + 8 * i)))).toEqual(
    [0, 1, 2, 3].map((i) => head.length + i * part),
  );
  expect(head.readUInt32LE(Number(head.readBigUInt64LE(sizes + 12)) + 12)).toBe(7);
});
