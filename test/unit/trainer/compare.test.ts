import { checkSame, configDifferences } from '../../../lib/trainer/compare.js';
import { segmenterTraining } from '../../../lib/trainer/config.js';
import { thrown } from '../../support/sdk.js';

const data = { train: 'a'.repeat(64), validation: null };

test('a run resumes with its original settings', () => {
  const config = segmenterTraining({ optimizer: { lr: 0.1 } });
  const stored = JSON.parse(JSON.stringify(config)) as object;
  expect(() => checkSame('runs/a', { config: stored, data }, { config, data })).not.toThrow();
});

test('settings that do not affect the result may change', () => {
  const config = segmenterTraining();
  const other = segmenterTraining({
    loader: { threads: 1 },
    checkpoint: { everyMinutes: 1 },
    logs: { tensorboard: false },
    validation: { samples: 0 },
  });
  expect(configDifferences(config, other)).toEqual([]);
});

test('all other differences are reported with both values', () => {
  const config = segmenterTraining();
  const other = segmenterTraining({
    batchSize: 3,
    optimizer: { kind: 'adamw' },
    transforms: [],
    average: { decay: 0.5 },
  });
  expect(configDifferences(config, other)).toEqual([
    'batchSize was 2, now 3',
    'optimizer.kind was "sgd", now "adamw"',
    'optimizer.weightDecay was 0.0005, now 0.01',
    'optimizer.nesterov was false, now not set',
    'average was null, now not set',
    'transforms was [{"kind":"flip-horizontal","p":0.5},{"kind":"flip-vertical","p":0.5}], now []',
    'optimizer.beta2 was not set, now 0.999',
    'optimizer.eps was not set, now 1e-8',
    'average.decay was not set, now 0.5',
  ]);
});

test('other images are refused', () => {
  const config = segmenterTraining();
  const now = { train: 'b'.repeat(64), validation: 'c'.repeat(64) };
  const error = thrown(() => checkSame('runs/a', { config, data }, { config, data: now }));
  expect(error).toMatchObject({ code: 'RESUME_REFUSED' });
  expect(error.message).toMatch(
    /training images have changed \(fingerprint a{12}, now fingerprint b{12}\)\n.*validation images have changed \(none, now fingerprint c{12}\)/,
  );
});
