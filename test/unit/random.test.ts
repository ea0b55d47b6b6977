import { createHash } from 'node:crypto';
import { random } from '../../lib/data/random.js';

/** xoroshiro128+ (24, 16, 37) by its definition, with 64-bit integers. */
function* xoroshiro(path: readonly (number | string)[]): Generator<number> {
  const words = createHash('sha256').update(JSON.stringify(path)).digest();
  const word = (at: number) => BigInt(words.readUInt32LE(at));
  const all = (1n << 64n) - 1n;
  const rotate = (x: bigint, by: bigint) => ((x << by) | (x >> (64n - by))) & all;
  let s0 = (word(0) << 32n) | word(4);
  let s1 = (word(8) << 32n) | word(12);
  for (;;) {
    yield Number((s0 + s1) & 0xffffffffn);
    s1 ^= s0;
    s0 = rotate(s0, 24n) ^ s1 ^ ((s1 << 16n) & all);
    s1 = rotate(s1, 37n);
  }
}

test('numbers equal those of xoroshiro128+ seeded by the path', () => {
  for (const path of [[1], [0, 'order', 3], [2 ** 53 - 1, 'transforms', 17, 4]] as const) {
    const expected = xoroshiro(path);
    const draw = random(path[0], ...path.slice(1));
    for (let i = 0; i < 50; i++) {
      const high = expected.next().value & 0x3ffffff;
      const low = expected.next().value & 0x7ffffff;
      expect(draw.uniform()).toBe((high * 2 ** 27 + low) / 2 ** 53);
    }
  }
});

test('equal paths give equal numbers, different paths different ones', () => {
  const row = (...path: [number, ...(number | string)[]]) => {
    const draw = random(...path);
    return Array.from({ length: 5 }, () => draw.uniform()).join();
  };
  expect(row(7, 'a', 1)).toBe(row(7, 'a', 1));
  const rows = [
    row(7),
    row(8),
    row(7, 'a'),
    row(7, 'b'),
    row(7, 'a', 1),
    row(7, 'a', '1'),
    row(7, 1, 'a'),
    row(7, 'a,1'),
    row(71),
  ];
  expect(new Set(rows).size).toBe(rows.length);
});

test('neighbouring paths are uncorrelated', () => {
  const firsts = Array.from({ length: 4000 }, (_, i) => random(1, 'transforms', 0, i).uniform());
  const mean = firsts.reduce((a, b) => a + b) / firsts.length;
  expect(Math.abs(mean - 0.5)).toBeLessThan(0.02);
  const product = firsts.slice(1).reduce((sum, value, i) => sum + (value - 0.5) * (firsts[i]! - 0.5), 0);
  expect(Math.abs(product / firsts.length) * 12).toBeLessThan(0.06);
});

test('numbers stay in their range and reach its ends', () => {
  const draw = random(3);
  const integers = Array.from({ length: 600 }, () => draw.integer(-1, 2));
  expect(new Set(integers)).toEqual(new Set([-1, 0, 1, 2]));
  expect(draw.integer(5, 5)).toBe(5);
  const uniform = Array.from({ length: 1000 }, () => draw.uniform(2, 6));
  expect(Math.min(...uniform)).toBeGreaterThanOrEqual(2);
  expect(Math.max(...uniform)).toBeLessThan(6);
  expect(Array.from({ length: 50 }, () => draw.chance(1))).not.toContain(false);
  expect(Array.from({ length: 50 }, () => draw.chance(0))).not.toContain(true);
  expect(Number.isSafeInteger(draw.seed())).toBe(true);
});

test('normal numbers have the given mean and deviation', () => {
  const draw = random(4);
  const values = Array.from({ length: 20_000 }, () => draw.normal(3, 2));
  const mean = values.reduce((a, b) => a + b) / values.length;
  const variance = values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / values.length;
  expect(Math.abs(mean - 3)).toBeLessThan(0.06);
  expect(Math.abs(variance - 4)).toBeLessThan(0.2);
  const within = values.filter((value) => Math.abs(value - 3) < 2).length / values.length;
  expect(Math.abs(within - 0.6827)).toBeLessThan(0.015);
});

test('a shuffle keeps all items, does not change its input, and is uniform', () => {
  const items = [1, 2, 3];
  const counts = new Map<string, number>();
  for (let i = 0; i < 3000; i++) {
    const order = random(5, i).shuffle(items).join('');
    counts.set(order, (counts.get(order) ?? 0) + 1);
  }
  expect(items).toEqual([1, 2, 3]);
  expect([...counts.keys()].sort()).toEqual(['123', '132', '213', '231', '312', '321']);
  for (const count of counts.values()) expect(Math.abs(count - 500)).toBeLessThan(100);
});
