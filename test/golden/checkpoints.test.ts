import { statSync } from 'node:fs';
import { openWeights } from '../../lib/weights/open.js';
import { uniform } from '../support/formula.js';
import { describeGolden, goldenJson, goldenPath } from '../support/golden.js';
import { type CheckpointGolden, load, numbers, readAll, refusalOf, torchTypes } from '../support/weights.js';

describe.each(['zip', 'legacy', 'nested'])('checkpoint_%s.pth', (kind) => {
  const name = `checkpoint_${kind}.pth`;
  describeGolden(
    'contains the tensors that the reference saved',
    { goldens: [name, 'checkpoint.json'] },
    () => {
      test('name, type, shape and values of each tensor', async () => {
        const expected = goldenJson<CheckpointGolden>('checkpoint.json');
        const weights = await openWeights(goldenPath(name));
        const data = await readAll(weights);
        expect(weights.tensors.map((entry) => entry.name)).toEqual(Object.keys(expected));
        for (const { name: key, dtype, shape } of weights.tensors) {
          const wanted = expected[key]!;
          expect({ key, dtype, shape }).toEqual({
            key,
            dtype: torchTypes[wanted.dtype],
            shape: wanted.shape,
          });
          expect({ key, values: numbers(data.get(key)!, dtype) }).toEqual({ key, values: wanted.values });
        }
      });

      test('all other entries are listed', async () => {
        const { prefix, others, refused } = await openWeights(goldenPath(name));
        expect(prefix).toBe(kind === 'nested' ? 'model.' : '');
        expect(others.map((entry) => entry.name)).toEqual(
          kind === 'nested' ? ['epoch', 'args.lr', 'args.name'] : [],
        );
        expect(refused).toEqual([]);
      });
    },
  );
});

/** All strings of a pickle in the file: 'X', four bytes of length, and that many bytes. */
function texts(file: Buffer): string[] {
  const found: string[] = [];
  for (let at = file.indexOf('X'); at >= 0 && at + 5 < file.length; at = file.indexOf('X', at + 1)) {
    const length = file.readUInt32LE(at + 1);
    if (length < 1000) found.push(file.toString('latin1', at + 5, at + 5 + length));
  }
  return found;
}

describe.each(['hostile_eval.pth', 'hostile_system.pth'])('%s', (name) => {
  describeGolden('is refused', { goldens: [name] }, () => {
    /** The file that the shell command in the pickle would create if Python loaded it. */
    const marker = texts(load(goldenPath(name)))
      .map((command) => /touch ([^\s'")]+)/.exec(command)?.[1])
      .find((found) => found !== undefined);
    const seen = () => statSync(marker!, { throwIfNoEntry: false })?.mtimeMs;

    test('with the called global and its position, and without calling it', async () => {
      expect(marker).toBeDefined();
      const before = seen();
      const { code, message, details } = await refusalOf(goldenPath(name));
      expect(code).toBe('WEIGHTS_REFUSED');
      expect(message).toMatch(/builtins\.eval|posix\.system|nt\.system/);
      expect(details.file).toBe(goldenPath(name));
      // The byte is the REDUCE opcode.
      expect(load(goldenPath(name))[details.position!]).toBe('R'.charCodeAt(0));
      expect(seen()).toBe(before);
    });
  });
});

describeGolden('damaged files', { goldens: ['truncated.pth', 'not_a_checkpoint.pth'] }, () => {
  test.each([
    ['truncated.pth', 'WEIGHTS_DAMAGED'],
    ['not_a_checkpoint.pth', 'WEIGHTS_FORMAT'],
  ])('%s is refused with %s', async (name, code) => {
    expect(await refusalOf(goldenPath(name))).toMatchObject({ code, details: { file: goldenPath(name) } });
  });
});

describeGolden('nuclei_small.pth', { goldens: ['nuclei_small.pth', 'nuclei_small_detections.json'] }, () => {
  test('has the tensor names of torchvision’s Mask R-CNN', async () => {
    const { tensors, format } = await openWeights(goldenPath('nuclei_small.pth'));
    const names = tensors.map((entry) => entry.name);
    expect(format).toBe('torch-zip');
    expect(names).toEqual(
      expect.arrayContaining([
        'backbone.body.conv1.weight',
        'rpn.head.cls_logits.weight',
        'roi_heads.box_predictor.cls_score.weight',
        'roi_heads.mask_predictor.mask_fcn_logits.weight',
      ]),
    );
  });
});

interface FastaiGolden {
  vocab: string[];
  keys: number;
  after_item: string;
  after_batch: string;
}

describeGolden('fastai_resnet18.pkl', { goldens: ['fastai_resnet18.pkl', 'fastai_resnet18.json'] }, () => {
  const golden = () => goldenJson<FastaiGolden>('fastai_resnet18.json');
  const read = () => openWeights(goldenPath('fastai_resnet18.pkl'));

  test('vocabulary and number of tensors', async () => {
    const { format, tensors, fastai } = await read();
    expect(format).toBe('fastai');
    expect(fastai?.vocab).toEqual(golden().vocab);
    expect(tensors).toHaveLength(golden().keys);
    expect(tensors.map((entry) => entry.name)).toEqual(
      expect.arrayContaining([
        '0.0.weight',
        '0.4.0.conv1.weight',
        '0.7.1.bn2.num_batches_tracked',
        '1.2.weight',
      ]),
    );
  });

  test('the last layer has one row per class', async () => {
    const { tensors } = await read();
    const [classes] = tensors.findLast((entry) => entry.shape.length === 2)!.shape;
    expect(classes).toBe(golden().vocab.length);
  });

  test('resize and normalisation equal those printed by its pipelines', async () => {
    const { fastai } = await read();
    const resize =
      /Resize -- \{'size': \((\d+), (\d+)\), 'method': '(\w+)', 'pad_mode': '(\w+)'.*?<Resampling\.\w+: (\d)>/.exec(
        golden().after_item,
      )!;
    expect(fastai?.resize).toEqual({
      width: Number(resize[1]),
      height: Number(resize[2]),
      method: resize[3],
      padMode: resize[4],
      resample: Number(resize[5]),
    });
    expect(fastai?.divisor).toBe(Number(/'div': ([\d.]+)/.exec(golden().after_batch)![1]));
    const printed = (name: string) =>
      [
        ...new RegExp(`'${name}': tensor\\((\\[[^)]*)\\)`)
          .exec(golden().after_batch)![1]!
          .matchAll(/\d\.\d+/g),
      ].map(Number);
    for (const name of ['mean', 'std'] as const) {
      const stored = fastai!.normalize![name];
      expect(stored.map((value) => Number(value.toFixed(4)))).toEqual(printed(name));
    }
  });

  test('classes and functions are skipped and listed', async () => {
    const { refused } = await read();
    expect(refused.map(({ what }) => what)).toEqual(
      expect.arrayContaining(['fastai.learner.Learner', 'torch.nn.modules.conv.Conv2d']),
    );
  });
});

describeGolden('the weight formula', { goldens: ['formula_check.json'] }, () => {
  test('computes the first numbers of the checked keys', () => {
    for (const [key, first] of Object.entries(goldenJson<Record<string, number[]>>('formula_check.json'))) {
      expect({ key, values: Array.from(uniform(key, first.length)) }).toEqual({ key, values: first });
    }
  });
});
