import { openWeights } from '../../lib/weights/open.js';
import { describeGolden, goldenJson, goldenPath } from '../support/golden.js';
import { type CheckpointGolden, numbers, readAll, torchTypes } from '../support/weights.js';

describe.each(['weights_protocol2', 'weights_protocol4', 'weights_legacy', 'weights_training'])(
  '%s.pth',
  (kind) => {
    describeGolden(
      'contains the tensors that the reference saved',
      { goldens: [`${kind}.pth`, 'weights_values.json'] },
      () => {
        test('name, type, shape and values of each tensor', async () => {
          const expected = goldenJson<CheckpointGolden>('weights_values.json');
          const weights = await openWeights(goldenPath(`${kind}.pth`));
          const data = await readAll(weights);
          expect(weights.tensors.map((entry) => entry.name)).toEqual(Object.keys(expected));
          for (const { name: key, dtype, shape } of weights.tensors) {
            const wanted = expected[key]!;
            expect({ key, dtype, shape, values: numbers(data.get(key)!, dtype) }).toEqual({
              key,
              dtype: torchTypes[wanted.dtype],
              shape: wanted.shape,
              values: wanted.values,
            });
          }
        });
      },
    );
  },
);

describeGolden('weights_training.pth', { goldens: ['weights_training.pth'] }, () => {
  test('entries beside the state dict are listed', async () => {
    const { prefix, others } = await openWeights(goldenPath('weights_training.pth'));
    expect(prefix).toBe('state_dict.');
    expect(others).toEqual([
      { name: 'epoch', value: '4' },
      { name: 'args.lr', value: '0.01' },
      { name: 'args.name', value: '"x"' },
      { name: 'best', value: '0.25' },
      { name: 'scheduler.steps', value: 'list of 3' },
      { name: 'scheduler.betas', value: 'tuple of 2' },
    ]);
  });
});
