import { createHash } from 'node:crypto';
import { decodeTiles, encodeTiles } from '../../../lib/inference/slide-tiles.js';
import { refusal } from '../../support/refusal.js';

const decode = async (bytes: Uint8Array) => decodeTiles(bytes, 'plan', 'tiles');

/** Bytes with a correct hash. */
const sealed = (...parts: (string | Uint8Array)[]) => {
  const body = Buffer.concat(parts.map((part) => Buffer.from(part)));
  return Buffer.concat([body, createHash('sha256').update(body).digest()]);
};

function withTable(table: unknown): Buffer {
  const text = Buffer.from(typeof table === 'string' ? table : JSON.stringify(table));
  const length = Buffer.alloc(4);
  length.writeUInt32LE(text.length);
  return sealed('cellroute-tiles-1\n', length, text);
}

test('skipped tiles are read back', async () => {
  const tiles = [3, 4].map((index) => ({ index, tile: undefined }));
  expect(await decode(encodeTiles('plan', tiles))).toEqual(tiles);
});

test.each<[string, Buffer]>([
  ['no table', sealed('cellroute-tiles-1\n')],
  ['a table that is cut off', withTable('{"plan":"plan","ti')],
  ['null as the table', withTable(null)],
  ['no tiles', withTable({ plan: 'plan' })],
  ['null as a tile', withTable({ plan: 'plan', tiles: [null] })],
  ['a negative index', withTable({ plan: 'plan', tiles: [{ index: -1 }] })],
  ['too few arrays', withTable({ plan: 'plan', tiles: [{ index: 0, lengths: [1] }] })],
  ['arrays of no length', withTable({ plan: 'plan', tiles: [{ index: 0, lengths: Array(8).fill('x') }] })],
  [
    'arrays longer than the bytes',
    withTable({ plan: 'plan', tiles: [{ index: 0, lengths: Array(8).fill(1e9) }] }),
  ],
])('bytes with a correct hash and %s are refused', async (_, bytes) => {
  expect((await refusal(decode(bytes))).code).toBe('DATA_INVALID');
});
