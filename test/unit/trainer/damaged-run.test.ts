import { cpSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Dataset } from '../../../lib/data/dataset.js';
import { openDataset } from '../../../lib/data/open.js';
import { CellrouteError } from '../../../lib/errors.js';
import { EnsembleTrainer } from '../../../lib/trainer/ensemble-trainer.js';
import { readLog } from '../../../lib/trainer/log.js';
import { SegmenterTrainer } from '../../../lib/trainer/segmenter-trainer.js';
import { syncWandb } from '../../../lib/trainer/wandb.js';
import { rejection } from '../../support/sdk.js';
import { syntheticData, tinySegmenter } from '../../support/synthetic.js';
import { runFolders } from '../../support/training.js';

const folder = runFolders();
const run = folder('run');
let data: Dataset;
beforeAll(async () => {
  data = await openDataset(await syntheticData(folder('data'), 6));
  const config = { network: tinySegmenter, epochs: 1, logs: { tensorboard: false } };
  for await (const event of new SegmenterTrainer({ data, folder: run, config }).run()) {
    if (event.kind === 'step' && event.step === 1) break;
  }
});

/** Invalid contents of a JSON file. */
const contents: [string, string][] = [
  ['nothing', ''],
  ['null', 'null'],
  ['a number', '5'],
  ['an array', '[1, 2]'],
  ['a text', '"text"'],
  ['an empty object', '{}'],
  [
    'an object of numbers',
    '{"sessions": 5, "source": 5, "fingerprint": 5, "id": 5, "network": 5, "step": 5}',
  ],
  [
    'an object of arrays',
    '{"sessions": [], "source": [], "fingerprint": [], "id": [], "network": [], "kind": []}',
  ],
  ['an object of objects', '{"sessions": {}, "source": {}, "fingerprint": {}, "id": {}, "network": {}}'],
];

describe.each(['config.json', 'data.json', 'environment.json', 'log.jsonl', 'wandb.json'])('%s', (name) => {
  test.each(contents)('with %s is read or refused with a message', async (_, content) => {
    const copy = folder('copy');
    rmSync(copy, { recursive: true, force: true });
    cpSync(run, copy, { recursive: true });
    writeFileSync(join(copy, name), content);
    const failures: unknown[] = [];
    const attempt = async (action: () => Promise<unknown>) => {
      await action().catch((error: unknown) => failures.push(error));
    };
    await attempt(async () => {
      const trainer = await SegmenterTrainer.resume(copy, { data, force: true });
      for await (const event of trainer.run()) if (event.kind === 'start') break;
    });
    await attempt(async () => {
      const trainer = await EnsembleTrainer.resume(copy, { data });
      for await (const _ of trainer.run()) break;
    });
    await attempt(() => syncWandb(copy));
    expect(failures.filter((error) => !(error instanceof CellrouteError))).toEqual([]);
    // Only the run's own files are changed, and all of them are JSON afterwards.
    for (const file of readdirSync(copy).filter((file) => file.endsWith('.json'))) {
      if (file !== name) JSON.parse(readFileSync(join(copy, file), 'utf8'));
    }
  });
});

test('a file in place of a folder, and a folder in place of a file, are refused with a message', async () => {
  const file = join(run, 'config.json');
  const trainer = () => new SegmenterTrainer({ data, folder: join(file, 'run'), config: {} }).run().next();
  expect(await rejection(trainer())).toMatchObject({
    code: 'FILE_UNWRITABLE',
    details: { file: join(file, 'run') },
  });
  expect(statSync(file).isFile()).toBe(true);
  const read = async () => {
    for await (const _ of readLog(run));
  };
  expect(await rejection(read())).toMatchObject({ code: 'FILE_UNREADABLE', details: { file: run } });
});

test('options that are not an object are refused with a message', async () => {
  for (const options of [null, 5, 'x', [], undefined]) {
    const bad = options as never;
    for (const action of [
      () => SegmenterTrainer.resume(run, bad),
      () => EnsembleTrainer.resume(run, bad),
      async () => new SegmenterTrainer(bad),
      async () => new EnsembleTrainer(bad),
    ]) {
      expect(await rejection(action())).toMatchObject({ code: 'INVALID_ARGUMENT' });
    }
  }
});
