import { TensorReader } from '../../../lib/weights/read-tensor.js';
import type { TensorEntry } from '../../../lib/weights/table.js';
import { random, save, temporaryFolder } from '../../support/weights.js';

const path = temporaryFolder();
const TYPES = { 1: 'U8', 2: 'F16', 4: 'F32', 8: 'F64' } as const;

/** Slow reference, element by element, by the definition of strides. */
function slow(file: Buffer, { shape, strides, offset }: TensorEntry, size: number): Buffer {
  const parts: Buffer[] = [];
  const walk = (axis: number, at: number) => {
    if (axis === shape.length) parts.push(file.subarray(at, at + size));
    else for (let i = 0; i < shape[axis]!; i++) walk(axis + 1, at + i * strides[axis]! * size);
  };
  walk(0, offset);
  return Buffer.concat(parts);
}

async function read(file: string, entry: TensorEntry): Promise<Buffer> {
  const reader = await TensorReader.open(file);
  try {
    return Buffer.from(await reader.read(entry));
  } finally {
    await reader.close();
  }
}

const entryOf = (
  fields: Partial<TensorEntry> & Pick<TensorEntry, 'shape' | 'strides' | 'dtype'>,
): TensorEntry => ({
  name: 'x',
  offset: 0,
  storageEnd: Number.MAX_SAFE_INTEGER,
  ...fields,
});

test('any shape, strides and offset equal the slow reference', async () => {
  const next = random(3);
  const pick = (below: number) => Math.floor(next() * below);
  const bytes = Buffer.from(Uint8Array.from({ length: 1 << 16 }, () => pick(256)));
  const file = save(path('random'), bytes);
  for (let round = 0; round < 300; round++) {
    const size = ([1, 2, 4, 8] as const)[pick(4)]!;
    const rank = pick(5);
    const shape = Array.from({ length: rank }, () => pick(6));
    const strides = Array.from({ length: rank }, () => pick(100));
    const entry = entryOf({ dtype: TYPES[size], shape, strides, offset: pick(1000) });
    expect({ entry, hex: (await read(file, entry)).toString('hex') }).toEqual({
      entry,
      hex: slow(bytes, entry, size).toString('hex'),
    });
  }
});

describe('a file larger than one block', () => {
  const bytes = Buffer.alloc(6 << 20);
  for (let i = 0; i < bytes.length; i += 4) bytes.writeUInt32LE(Math.imul(i, 2654435761) >>> 0, i);
  const file = () => save(path('large'), bytes);

  test.each<[string, number[], number[], number]>([
    ['transposed', [1200, 1300], [1, 1200], 0],
    ['a few columns', [1200, 3], [1300, 1], 40],
    ['one column', [1200], [1300], 4],
    ['rows far apart', [3, 2, 5], [500_000, 7, 1], 0],
    ['three axes turned', [100, 120, 130], [1, 13_000, 100], 0],
    ['repeated', [2, 1_000_000], [0, 1], 0],
  ])('%s', async (_, shape, strides, offset) => {
    const entry = entryOf({ dtype: 'F32', shape, strides, offset });
    expect((await read(file(), entry)).equals(slow(bytes, entry, 4))).toBe(true);
  });
});

test('a range outside the file is refused', async () => {
  const file = save(path('short'), Buffer.alloc(16));
  await expect(read(file, entryOf({ dtype: 'F32', shape: [5], strides: [1] }))).rejects.toMatchObject({
    code: 'WEIGHTS_DAMAGED',
    details: { file },
  });
  await expect(read(file, entryOf({ dtype: 'F32', shape: [2, 2], strides: [1, 3] }))).rejects.toMatchObject({
    code: 'WEIGHTS_DAMAGED',
  });
});
