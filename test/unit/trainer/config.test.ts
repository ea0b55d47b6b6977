import { writeFileSync } from 'node:fs';
import { classifierTraining, segmenterTraining } from '../../../lib/trainer/config.js';
import { readConfigFile } from '../../../lib/trainer/config-file.js';
import { rejection, thrown } from '../../support/sdk.js';
import { temporaryFolder } from '../../support/weights.js';

const path = temporaryFolder();

test('the defaults equal those of the original notebook', () => {
  const config = segmenterTraining();
  expect(config).toMatchObject({
    start: { kind: 'nothing' },
    seed: 3011,
    batchSize: 2,
    epochs: 10,
    steps: null,
    optimizer: { kind: 'sgd', lr: 0.001, momentum: 0.9, weightDecay: 0.0005 },
    schedule: { kind: 'one-cycle', maxLr: 0.01, pctStart: 0.3, divFactor: 25, finalDivFactor: 1e4 },
    trainableLayers: 5,
    clipNorm: null,
    average: null,
    transforms: [
      { kind: 'flip-horizontal', p: 0.5 },
      { kind: 'flip-vertical', p: 0.5 },
    ],
    sampling: { rpnFgIou: 0.7, rpnBgIou: 0.3, boxBatchSize: 512 },
  });
});

test('a configuration can be written and read again', () => {
  for (const given of [{}, { steps: 20 }, { optimizer: { kind: 'adamw' as const }, average: {} }]) {
    const config = segmenterTraining(given);
    expect(segmenterTraining(JSON.parse(JSON.stringify(config)))).toEqual(config);
  }
  const config = classifierTraining({ classWeights: [1, 2], validation: { metric: 'balanced-accuracy' } });
  expect(classifierTraining(JSON.parse(JSON.stringify(config)))).toEqual(config);
});

test.each([
  [{ optimizer: { lr: Number.NaN } }, 'optimizer.lr'],
  [{ optimizer: { lr: -1 } }, 'optimizer.lr'],
  [{ optimizer: { kind: 'rmsprop' } }, 'optimizer.kind'],
  [{ optimizer: { kind: 'adamw', nesterov: true } }, 'optimizer.nesterov'],
  [{ schedule: { maxlr: 1 } }, 'schedule.maxlr'],
  [{ schedule: { kind: 'constant', maxLr: 1 } }, 'schedule.maxLr'],
  [
    { transforms: [{ kind: 'flip-horizontal' }, { kind: 'random-crop', width: 'wide' }] },
    'transforms[1].width',
  ],
  [
    { validation: { thresholds: { removeOverlaps: { maxLost: 2 } } } },
    'validation.thresholds.removeOverlaps.maxLost',
  ],
  [{ start: { kind: 'checkpoint' } }, 'start.path'],
  [{ logs: { wandb: {} } }, 'logs.wandb.project'],
  [{ epochs: 3, steps: 5 }, 'steps'],
  [{ network: 5 }, 'network'],
  [{ batchSize: 0 }, 'batchSize'],
  [null, 'config'],
])('%j is refused with the path %s', (given, option) => {
  const error = thrown(() => segmenterTraining(given as object));
  expect(error).toMatchObject({ code: 'INVALID_CONFIG', details: { option } });
});

describe('a configuration file', () => {
  const file = path('config.json');

  test('reports line and column of what is not JSON', async () => {
    writeFileSync(file, '{\n  "batchSize": 2,\n  "epochs": 3,,\n}\n');
    const error = await rejection(readConfigFile(file));
    expect(error).toMatchObject({ code: 'INVALID_CONFIG', details: { file } });
    expect(error.message).toMatch(/config\.json, line 3, column 15: not JSON, property name expected/);
    writeFileSync(file, '{ "a": 1 // why\n}');
    expect((await rejection(readConfigFile(file))).message).toMatch(/line 1, column 10: not JSON/);
    writeFileSync(file, '');
    expect((await rejection(readConfigFile(file))).message).toMatch(/line 1, column 1: not JSON/);
  });

  test('reports line and column of an invalid value', async () => {
    writeFileSync(file, '{\n  "optimizer": {\n    "kind": "sgd",\n    "lr": "fast"\n  },\n  "steps": 4\n}\n');
    const config = await readConfigFile(file);
    const error = thrown(() => config.read((value) => segmenterTraining(value as object)));
    expect(error).toMatchObject({ code: 'INVALID_CONFIG', details: { option: 'optimizer.lr', file } });
    expect(error.message).toMatch(/config\.json, line 4, column 11: Expected a number.* for optimizer\.lr/);
    expect(error.message).not.toMatch(/batchSize/);
  });

  test('that does not exist is named', async () => {
    expect(await rejection(readConfigFile(path('nowhere.json')))).toMatchObject({ code: 'FILE_UNREADABLE' });
  });
});
