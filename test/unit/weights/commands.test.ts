import { writeFileSync } from 'node:fs';
import { Command } from 'commander';
import { registerConvert } from '../../../lib/cli/convert.js';
import { registerInspect } from '../../../lib/cli/inspect.js';
import { FASTAI_KEY } from '../../../lib/config/stored.js';
import { openWeights } from '../../../lib/weights/open.js';
import { describeGolden, goldenJson, goldenPath } from '../../support/golden.js';
import { halfValue, numbers, readAll, safetensors, save, temporaryFolder } from '../../support/weights.js';

const path = temporaryFolder();

/** Runs a command and returns its output. */
async function cellroute(...line: string[]): Promise<string> {
  const program = new Command().exitOverride();
  registerInspect(program);
  registerConvert(program);
  const print = jest.spyOn(console, 'log').mockImplementation(() => {});
  try {
    await program.parseAsync(line, { from: 'user' });
    return print.mock.calls.map((words) => words.join(' ')).join('\n');
  } finally {
    print.mockRestore();
  }
}

function input(): string {
  const values = Float32Array.of(1 / 3, -2, 1e-9, 70000);
  const header = {
    __metadata__: { made: 'by hand' },
    'module.count': { dtype: 'I64', shape: [], data_offsets: [0, 8] },
    'module.w': { dtype: 'F32', shape: [2, 2], data_offsets: [8, 24] },
  };
  const count = Buffer.alloc(8);
  count.writeBigInt64LE(7n);
  return save(
    path('in.safetensors'),
    safetensors(header, Buffer.concat([count, Buffer.from(values.buffer)])),
  );
}

describe('convert', () => {
  test.each(['pth', 'safetensors'])(
    'to .%s: types, names, metadata and the configuration',
    async (ending) => {
      const config = path('config.json');
      writeFileSync(config, '{\n "numClasses": 2 }\n');
      const output = path(`out.${ending}`);
      await cellroute(
        'convert',
        input(),
        output,
        '--dtype',
        'float16',
        '--config',
        config,
        '--strip-prefix',
        'module.',
      );
      const weights = await openWeights(output);
      const data = await readAll(weights);
      expect(weights.metadata).toEqual({ made: 'by hand', 'cellroute.config': '{"numClasses":2}' });
      expect(weights.tensors).toMatchObject([
        { name: 'count', dtype: 'I64', shape: [] },
        { name: 'w', dtype: 'F16', shape: [2, 2] },
      ]);
      expect(numbers(data.get('count')!, 'I64')).toEqual([7]);
      // 1e-9 is below the smallest float16, 70000 above the largest.
      expect(numbers(data.get('w')!, 'F16')).toEqual([halfValue(0x3555), -2, 0, Number.POSITIVE_INFINITY]);
    },
  );

  test('without options nothing changes', async () => {
    await cellroute('convert', input(), path('same.pth'));
    await cellroute('convert', path('same.pth'), path('same.safetensors'));
    const [before, after] = [await openWeights(input()), await openWeights(path('same.safetensors'))];
    expect(after.metadata).toEqual(before.metadata);
    expect(await readAll(after)).toEqual(await readAll(before));
  });

  test('a file is converted onto itself only by force, as it is not ours', async () => {
    const file = input();
    const itself = ['convert', file, file, '--dtype', 'bfloat16'];
    await expect(cellroute(...itself)).rejects.toMatchObject({ code: 'FILE_UNWRITABLE' });
    expect((await openWeights(file)).tensors.map((entry) => entry.dtype)).toEqual(['I64', 'F32']);
    await cellroute(...itself, '--force');
    expect((await openWeights(file)).tensors.map((entry) => entry.dtype)).toEqual(['I64', 'BF16']);
  });

  test('names that would become equal are refused', async () => {
    const header = {
      'module.a': { dtype: 'U8', shape: [], data_offsets: [0, 1] },
      a: { dtype: 'U8', shape: [], data_offsets: [1, 2] },
    };
    const file = save(path('meet.safetensors'), safetensors(header, Buffer.alloc(2)));
    const line = cellroute('convert', file, path('meet.pth'), '--strip-prefix', 'module.');
    await expect(line).rejects.toMatchObject({ code: 'FILE_UNWRITABLE' });
  });

  test.each([
    ['an unknown type', ['--dtype', 'float8'], 'INVALID_ARGUMENT'],
    ['a missing configuration', ['--config', path('none.json')], 'FILE_UNREADABLE'],
    [
      'a configuration that is not JSON',
      ['--config', save(path('bad.json'), Buffer.from('{'))],
      'INVALID_CONFIG',
    ],
  ])('%s is refused', async (_, flags, code) => {
    await expect(cellroute('convert', input(), path('x.pth'), ...flags)).rejects.toMatchObject({ code });
  });
});

describeGolden('convert and inspect', { goldens: ['checkpoint_nested.pth', 'checkpoint.json'] }, () => {
  const expected = () => goldenJson<Record<string, { values: number[] }>>('checkpoint.json');

  test.each(['pth', 'safetensors'])('a checkpoint keeps its values in .%s', async (ending) => {
    const said = await cellroute('convert', goldenPath('checkpoint_nested.pth'), path(`golden.${ending}`));
    expect(said).toContain('not converted');
    const weights = await openWeights(path(`golden.${ending}`));
    const data = await readAll(weights);
    expect(weights.tensors).toHaveLength(Object.keys(expected()).length);
    for (const { name, dtype } of weights.tensors) {
      expect({ name, values: numbers(data.get(name)!, dtype) }).toEqual({
        name,
        values: expected()[name]!.values,
      });
    }
  });

  test('inspect lists the tensors and all other entries', async () => {
    const said = await cellroute('inspect', goldenPath('checkpoint_nested.pth'));
    for (const name of Object.keys(expected())) expect(said).toContain(name);
    expect(said).toMatch(/under 'model\.'/);
    expect(said).toMatch(/epoch +\d+/);
    const json = JSON.parse(await cellroute('inspect', goldenPath('checkpoint_nested.pth'), '--json'));
    expect(json.tensors.map(({ name }: { name: string }) => name)).toEqual(Object.keys(expected()));
  });
});

describeGolden('inspect of a malicious file', { goldens: ['hostile_system.pth'] }, () => {
  test('lists its contents and its calls', async () => {
    const said = await cellroute('inspect', goldenPath('hostile_system.pth'));
    expect(said).toMatch(/\n {2}w +F32/);
    expect(said).toMatch(/Refused[^\n]*\n {2}(posix|nt)\.system +at byte \d+/);
  });
});

test('inspect removes control characters from its output', async () => {
  const header = { '\u001b[2Ja\nb': { dtype: 'U8', shape: [], data_offsets: [0, 1] } };
  const said = await cellroute(
    'inspect',
    save(path('escape.safetensors'), safetensors(header, Buffer.alloc(1))),
  );
  expect(said).toContain('�[2Ja�b');
  expect(said).not.toContain('\u001b');
});

describeGolden(
  'convert of a fastai export',
  { goldens: ['fastai_resnet18.pkl', 'fastai_resnet18.json'] },
  () => {
    test('keeps its tensors, its vocabulary and its normalisation', async () => {
      const output = path('fastai.safetensors');
      await cellroute('convert', goldenPath('fastai_resnet18.pkl'), output);
      const [before, after] = [
        await openWeights(goldenPath('fastai_resnet18.pkl')),
        await openWeights(output),
      ];
      expect(JSON.parse(after.metadata[FASTAI_KEY]!)).toEqual(before.fastai);
      const [old, converted] = [await readAll(before), await readAll(after)];
      expect([...converted.keys()].sort()).toEqual([...old.keys()].sort());
      const differing = [...old].filter(([name, bytes]) => !Buffer.from(bytes).equals(converted.get(name)!));
      expect(differing.map(([name]) => name)).toEqual([]);
    });
  },
);
