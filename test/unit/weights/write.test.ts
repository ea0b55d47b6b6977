import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { CellrouteError } from '../../../lib/errors.js';
import { openWeights } from '../../../lib/weights/open.js';
import type { TensorSource } from '../../../lib/weights/source.js';
import type { DType } from '../../../lib/weights/table.js';
import { writeWeights } from '../../../lib/weights/write.js';
import {
  ITEM_BYTES,
  load,
  readAll,
  runReference,
  temporaryFolder,
  testReference,
} from '../../support/weights.js';

const path = temporaryFolder();

/** Bytes that depend only on the name: 0 and 1 for BOOL, anything except NaN for floats. */
function source(name: string, dtype: DType, shape: number[]): TensorSource {
  const count = shape.reduce((product, length) => product * length, 1);
  const bytes = new Uint8Array(count * ITEM_BYTES[dtype]);
  let state = name.length;
  for (const [i] of bytes.entries()) {
    state = (state * 75 + 74) % 65537;
    bytes[i] = dtype === 'BOOL' ? state & 1 : state & 0x3f;
  }
  return { name, dtype, shape, read: () => bytes };
}

const sources = [
  source('backbone.conv.weight', 'F32', [4, 3, 2, 2]),
  source('backbone.bn.weight', 'F16', [5]),
  source('backbone.bn.bias', 'BF16', [7]),
  source('backbone.bn.num_batches_tracked', 'I64', []),
  source('é.double', 'F64', [3]),
  source('int', 'I32', [2, 2]),
  source('short', 'I16', [3]),
  source('char', 'I8', [3]),
  source('byte', 'U8', [300]),
  source('flag', 'BOOL', [9]),
  source('empty', 'F32', [0, 3]),
];
const metadata = { 'cellroute.config': '{"numClasses":2}' };
const endings = ['safetensors', 'pth'];
const golden = (name: string) => join(__dirname, '../../golden', name);

async function write(name: string, tensors: readonly TensorSource[] = sources): Promise<string> {
  const file = path(name);
  await writeWeights(file, { tensors, metadata });
  return file;
}

const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString('hex');

describe.each(endings)('.%s', (ending) => {
  test('written files can be read, with their metadata', async () => {
    const weights = await openWeights(await write(`a.${ending}`));
    const data = await readAll(weights);
    expect(weights.metadata).toEqual(metadata);
    expect(new Set(weights.tensors.map((entry) => entry.name))).toEqual(
      new Set(sources.map(({ name }) => name)),
    );
    for (const { name, dtype, shape, read } of sources) {
      expect(weights.tensors.find((entry) => entry.name === name)).toMatchObject({ dtype, shape });
      expect({ name, bytes: hex(data.get(name)!) }).toEqual({ name, bytes: hex(await read()) });
    }
  });

  test('the bytes equal the fixtures that the reference can read (test/golden/make/weights_fixtures.py)', async () => {
    expect(hex(load(await write(`b.${ending}`)))).toBe(hex(load(golden(`written_tensors.${ending}`))));
  });

  test('an abort while a tensor is read ends the writing with its reason, and keeps the previous file', async () => {
    const file = await write(`d.${ending}`);
    const before = hex(load(file));
    const abort = new AbortController();
    const reason = new Error('enough');
    const aborting = {
      ...source('x', 'F32', [4]),
      read: () => {
        abort.abort(reason);
        return new Uint8Array(16);
      },
    };
    const writing = writeWeights(file, { tensors: [aborting, ...sources], signal: abort.signal });
    await expect(writing).rejects.toBe(reason);
    expect(hex(load(file))).toBe(before);
    expect(readdirSync(path('.')).filter((name) => name.startsWith(`d.${ending}`))).toEqual([`d.${ending}`]);
  });

  test('no file remains if a tensor has the wrong size', async () => {
    const short = { ...source('x', 'F32', [4]), read: () => new Uint8Array(15) };
    await expect(write(`c.${ending}`, [sources[0]!, short])).rejects.toMatchObject({
      code: 'FILE_UNWRITABLE',
    });
    expect(readdirSync(path('.')).filter((name) => name.startsWith('c.'))).toEqual([]);
  });

  test('an existing file is unchanged if writing fails', async () => {
    const file = await write(`d.${ending}`);
    const before = readFileSync(file);
    const failing = {
      ...source('x', 'F32', [4]),
      read: () => {
        throw new Error('gone');
      },
    };
    await expect(write(`d.${ending}`, [failing])).rejects.toThrow('gone');
    expect(readFileSync(file).equals(before)).toBe(true);
  });

  test('a CellrouteError is passed on', async () => {
    const disposed = new CellrouteError('DISPOSED', 'gone');
    const failing = { ...source('x', 'F32', [4]), read: () => Promise.reject(disposed) };
    await expect(write(`e.${ending}`, [failing])).rejects.toBe(disposed);
    expect(existsSync(path(`e.${ending}`))).toBe(false);
  });

  test('a duplicate name is refused', async () => {
    await expect(write(`f.${ending}`, [sources[0]!, sources[0]!])).rejects.toMatchObject({
      code: 'FILE_UNWRITABLE',
    });
  });

  testReference('the reference reads every bit', async () => {
    const script = `
import json, sys, torch
path = sys.argv[1]
if path.endswith('.pth'):
    state = torch.load(path, weights_only=True)
    mapped = torch.load(path, weights_only=True, mmap=True)
    assert type(state).__name__ == 'OrderedDict' and list(state) == list(mapped)
    assert all(torch.equal(state[k], mapped[k]) and state[k].dtype == mapped[k].dtype for k in state)
    assert all(v.data_ptr() % 64 == 0 for v in mapped.values() if v.numel())
    notes = None
else:
    from safetensors import safe_open
    with safe_open(path, 'pt') as file:
        state = {k: file.get_tensor(k) for k in file.keys()}
        notes = file.metadata()
print(json.dumps({'notes': notes, 'tensors': {k: [str(v.dtype), list(v.shape), bytes(v.contiguous().reshape(-1).view(torch.uint8).tolist()).hex() if v.numel() else ''] for k, v in state.items()}}))
`;
    const read = runReference<{ notes: unknown; tensors: Record<string, [string, number[], string]> }>(
      script,
      await write(`g.${ending}`),
    );
    if (ending === 'safetensors') expect(read.notes).toEqual(metadata);
    const names: Record<DType, string> = {
      F64: 'torch.float64',
      F32: 'torch.float32',
      F16: 'torch.float16',
      BF16: 'torch.bfloat16',
      I64: 'torch.int64',
      I32: 'torch.int32',
      I16: 'torch.int16',
      I8: 'torch.int8',
      U8: 'torch.uint8',
      BOOL: 'torch.bool',
    };
    expect(Object.keys(read.tensors).sort()).toEqual(sources.map(({ name }) => name).sort());
    for (const { name, dtype, shape, read: bytes } of sources) {
      expect({ name, read: read.tensors[name] }).toEqual({
        name,
        read: [names[dtype], shape, hex(await bytes())],
      });
    }
  });
});

testReference('a safetensors file equals that of the reference byte for byte', async () => {
  const script = `
import sys
from safetensors import safe_open
from safetensors.torch import save_file
source, target = sys.argv[1:]
with safe_open(source, 'pt') as file:
    save_file({k: file.get_tensor(k) for k in file.keys()}, target, metadata=file.metadata())
print('true')
`;
  const ours = await write('h.safetensors');
  runReference(script, ours, path('theirs.safetensors'));
  expect(hex(load(ours))).toBe(hex(load(path('theirs.safetensors'))));
});

test('without metadata neither format has any', async () => {
  for (const ending of endings) {
    const file = path(`bare.${ending}`);
    await writeWeights(file, { tensors: sources });
    expect((await openWeights(file)).metadata).toEqual({});
    expect(load(file).includes('metadata')).toBe(false);
  }
});

test('another extension is refused, and an invalid path cannot be written', async () => {
  await expect(writeWeights(path('x.onnx'), { tensors: [] })).rejects.toMatchObject({
    code: 'INVALID_ARGUMENT',
  });
  await expect(writeWeights(path('no/such/x.pth'), { tensors: [] })).rejects.toMatchObject({
    code: 'FILE_UNWRITABLE',
    details: { file: path('no/such/x.pth') },
  });
});
