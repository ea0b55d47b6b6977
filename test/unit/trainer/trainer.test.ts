import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Dataset } from '../../../lib/data/dataset.js';
import { openDataset } from '../../../lib/data/open.js';
import { createEnsemble } from '../../../lib/ensembles/create.js';
import { FolderLock, LOCK_FILE } from '../../../lib/folder-lock.js';
import { RoutedEnsemble } from '../../../lib/inference/ensemble.js';
import { CellSegmenter } from '../../../lib/inference/segmenter.js';
import { ClassifierTrainer } from '../../../lib/trainer/classifier-trainer.js';
import { EnsembleTrainer } from '../../../lib/trainer/ensemble-trainer.js';
import type { SegmenterTrainEvent } from '../../../lib/trainer/events.js';
import { SegmenterTrainer } from '../../../lib/trainer/segmenter-trainer.js';
import { badValues } from '../../support/bad-values.js';
import { rejection, testEnsemble, thrown } from '../../support/sdk.js';
import { syntheticData, tinyClassifier, tinySegmenter } from '../../support/synthetic.js';
import { logOf, runFolders } from '../../support/training.js';

const folder = runFolders();
let data: Dataset;
beforeAll(async () => {
  data = await openDataset(await syntheticData(folder('data'), 6));
});

const tiny = { network: tinySegmenter, epochs: 2, logs: { tensorboard: false } };

async function collect(
  trainer: SegmenterTrainer,
  until: (event: SegmenterTrainEvent) => boolean = () => false,
): Promise<SegmenterTrainEvent[]> {
  const events: SegmenterTrainEvent[] = [];
  for await (const event of trainer.run()) {
    events.push(event);
    if (until(event)) break;
  }
  return events;
}

test('leaving the loop writes a checkpoint from which another process can resume', async () => {
  const path = folder('left');
  const first = await collect(
    new SegmenterTrainer({ data, folder: path, config: tiny, source: { of: 'a test' } }),
    (event) => event.kind === 'step' && event.step === 2,
  );
  expect(first.at(-1)).toMatchObject({ kind: 'step', batch: 2, batches: 3, steps: 6 });
  const rest = await collect(await SegmenterTrainer.resume(path, { data }));
  expect(rest[0]).toMatchObject({ kind: 'start', resumed: true, step: 3, epoch: 1 });
  expect(rest.at(-1)).toMatchObject({ kind: 'stop', reason: 'finished', step: 6 });

  const whole = folder('not-left');
  await collect(new SegmenterTrainer({ data, folder: whole, config: tiny }));
  const weights = (run: string) => readFileSync(join(run, 'segmenter.safetensors'));
  expect(weights(path).equals(weights(whole))).toBe(true);
  expect(logOf(join(path, 'log.jsonl'))).toEqual(logOf(join(whole, 'log.jsonl')));
  expect(JSON.parse(readFileSync(join(path, 'data.json'), 'utf8'))).toMatchObject({
    source: { of: 'a test' },
    fingerprint: { train: await data.fingerprint(), validation: null },
  });
});

test('weights of one run initialize another, heads of another shape stay random', async () => {
  const path = folder('start');
  await collect(new SegmenterTrainer({ data, folder: path, config: { ...tiny, epochs: null, steps: 1 } }));
  const checkpoint = join(path, 'segmenter.safetensors');
  const next = new SegmenterTrainer({
    data,
    folder: folder('next'),
    config: {
      start: { kind: 'checkpoint', path: checkpoint },
      network: { numClasses: 3, classNames: ['cell', 'other'] },
      steps: 1,
    },
  });
  const [start] = await collect(next);
  const { report } = start as Extract<SegmenterTrainEvent, { kind: 'start' }>;
  expect(report!.loaded).toContain('backbone.body.conv1.weight');
  expect(report!.initialized).toContain('roi_heads.box_predictor.cls_score.weight');
  // The network configuration of the checkpoint is kept.
  await using segmenter = await CellSegmenter.load(join(folder('next'), 'segmenter.safetensors'));
  expect(segmenter.config).toMatchObject({ numClasses: 3, backbone: { width: 8 }, resize: null });
});

test('a start is a model path: a run or an ensemble gives the weights of its file', async () => {
  const run = folder('start run');
  await collect(new SegmenterTrainer({ data, folder: run, config: { ...tiny, epochs: null, steps: 1 } }));
  const router = folder('start router');
  const classifier = { network: tinyClassifier, steps: 1 };
  for await (const _ of new ClassifierTrainer({ data, folder: router, config: classifier }).run());
  const ensemble = folder('start ensemble');
  const types = { round: { segmenter: run }, square: { segmenter: null } };
  await createEnsemble(ensemble, { types, router });

  const weights = async (kind: 'checkpoint' | 'classifier', path: string): Promise<Buffer> => {
    const target = folder(`${kind} of ${path.replaceAll(/\W/g, '-')}`);
    const { backbone: _, ...network } = tinySegmenter;
    const config = { ...tiny, epochs: null, steps: 1, network, start: { kind, path } };
    await collect(new SegmenterTrainer({ data, folder: target, config }));
    return readFileSync(join(target, 'segmenter.safetensors'));
  };
  const of = {
    checkpoint: await weights('checkpoint', join(run, 'segmenter.safetensors')),
    classifier: await weights('classifier', join(router, 'classifier.safetensors')),
  };
  expect(of.checkpoint.equals(of.classifier)).toBe(false);
  expect((await weights('checkpoint', run)).equals(of.checkpoint)).toBe(true);
  expect((await weights('checkpoint', ensemble)).equals(of.checkpoint)).toBe(true);
  expect((await weights('classifier', router)).equals(of.classifier)).toBe(true);
  expect((await weights('classifier', ensemble)).equals(of.classifier)).toBe(true);
  expect(await rejection(weights('checkpoint', router))).toMatchObject({ code: 'WEIGHTS_MISMATCH' });

  const next = async (path: string): Promise<Buffer> => {
    const target = folder(`router from ${path.replaceAll(/\W/g, '-')}`);
    const config = { steps: 1, start: { kind: 'checkpoint' as const, path } };
    for await (const _ of new ClassifierTrainer({ data, folder: target, config }).run());
    return readFileSync(join(target, 'classifier.safetensors'));
  };
  const expected = await next(join(router, 'classifier.safetensors'));
  expect((await next(router)).equals(expected)).toBe(true);
  expect((await next(ensemble)).equals(expected)).toBe(true);
});

test('a classifier’s backbone initializes a segmenter, which gets its depth and width', async () => {
  const router = new ClassifierTrainer({
    data,
    folder: folder('router'),
    config: { network: tinyClassifier, steps: 1, classWeights: 'balanced' },
  });
  for await (const _ of router.run());
  const { backbone: _, ...network } = tinySegmenter;
  const path = join(folder('router'), 'classifier.safetensors');
  const trainer = new SegmenterTrainer({
    data,
    folder: folder('routed'),
    config: { ...tiny, network, start: { kind: 'classifier', path } },
  });
  const [start] = await collect(trainer, ({ kind }) => kind === 'start');
  const { report } = start as Extract<SegmenterTrainEvent, { kind: 'start' }>;
  expect(report!.loaded).toContain('backbone.body.layer4.1.conv2.weight');
  const config = JSON.parse(readFileSync(join(folder('routed'), 'config.json'), 'utf8')) as object;
  expect(config).toMatchObject({
    network: { backbone: { depth: 18, width: 8, norm: { kind: 'frozen-batch' } } },
  });
});

test('a run that diverges is stopped, naming step and images', async () => {
  const path = folder('exploded');
  const trainer = new SegmenterTrainer({
    data,
    folder: path,
    config: {
      ...tiny,
      epochs: 20,
      optimizer: { kind: 'sgd', lr: 1000, momentum: 0 },
      schedule: { kind: 'constant' },
      checkpoint: { everyMinutes: 0 },
    },
  });
  const error = await rejection(collect(trainer));
  expect(error).toMatchObject({
    code: 'TRAINING_DIVERGED',
    details: {
      step: expect.any(Number),
      images: expect.arrayContaining([expect.stringMatching(/round|square/)]),
    },
  });
  expect(existsSync((error.details as { file: string }).file)).toBe(true);
});

test('an abort during preparation rejects with the reason', async () => {
  const stop = new AbortController();
  const running = new SegmenterTrainer({ data, folder: folder('aborted'), config: tiny }).run({
    signal: stop.signal,
  });
  const first = running.next();
  stop.abort(new Error('enough'));
  expect((await rejection(first)).message).toBe('enough');
});

test('invalid options are refused', async () => {
  const path = folder('refused');
  expect(thrown(() => new SegmenterTrainer({ data: 'train.csv' as never, folder: path }))).toMatchObject({
    code: 'INVALID_ARGUMENT',
    details: { option: 'data' },
  });
  expect(thrown(() => new SegmenterTrainer({ data, folder: '' }))).toMatchObject({
    code: 'INVALID_ARGUMENT',
  });
  expect(
    thrown(() => new SegmenterTrainer({ data, folder: path, config: { optimizer: { lr: -1 } } })),
  ).toMatchObject({ code: 'INVALID_CONFIG', details: { option: 'optimizer.lr' } });
  const bad = new SegmenterTrainer({ data, folder: path, config: { network: { box: { hidden: 0 } } } });
  expect(await rejection(collect(bad))).toMatchObject({
    code: 'INVALID_CONFIG',
    details: { option: 'network.box.hidden' },
  });
  expect(await rejection(SegmenterTrainer.resume(path, { data }))).toMatchObject({ code: 'FILE_UNREADABLE' });
  const twice = new SegmenterTrainer({ data, folder: folder('twice'), config: tiny });
  await collect(twice, ({ kind }) => kind === 'start');
  expect(await rejection(collect(twice))).toMatchObject({ code: 'INVALID_ARGUMENT' });
  const again = new SegmenterTrainer({ data, folder: folder('twice'), config: tiny });
  expect(await rejection(collect(again))).toMatchObject({ code: 'RESUME_REFUSED' });
  const classes = { network: { classNames: ['round'] } };
  const router = new ClassifierTrainer({ data, folder: path, config: classes });
  expect(await rejection(router.run().next())).toMatchObject({ code: 'INVALID_CONFIG' });
  const weights = { network: tinyClassifier, classWeights: [1, 2, 3] };
  expect(
    await rejection(new ClassifierTrainer({ data, folder: path, config: weights }).run().next()),
  ).toMatchObject({ code: 'INVALID_CONFIG', details: { option: 'classWeights' } });
  expect(
    thrown(() => new EnsembleTrainer({ data, folder: path, config: { segmenters: { rond: {} } } })),
  ).toMatchObject({ code: 'INVALID_CONFIG', details: { option: 'segmenters.rond' } });
  expect(
    thrown(() => new EnsembleTrainer({ data, folder: path, config: { segmenter: { batchSize: 0 } } })),
  ).toMatchObject({ code: 'INVALID_CONFIG', details: { option: 'segmenter.batchSize' } });
});

describe('one writer per run', () => {
  test('of two trainers in one folder, the second is refused before it reads an image', async () => {
    const path = folder('two');
    let reads = 0;
    const counted = Object.assign(Object.create(data) as Dataset, {
      fingerprint: (signal?: AbortSignal) => {
        reads++;
        return data.fingerprint({ signal });
      },
    });
    const first = new SegmenterTrainer({ data, folder: path, config: tiny }).run();
    // Up to its first event the run has written nothing but its lock.
    const started = first.next();
    const second = new SegmenterTrainer({ data: counted, folder: path, config: tiny });
    expect(await rejection(collect(second))).toMatchObject({
      code: 'RUN_LOCKED',
      message: expect.stringContaining(`process ${process.pid} on `),
      details: { file: path, owner: { pid: process.pid } },
    });
    expect(reads).toBe(0);
    expect((await started).value).toMatchObject({ kind: 'start' });
    const ensemble = new EnsembleTrainer({ data, folder: path, config: {} }).run();
    expect(await rejection(ensemble.next())).toMatchObject({ code: 'RUN_LOCKED' });
    await first.return();
    expect(existsSync(join(path, LOCK_FILE))).toBe(false);
  });

  test('resuming is refused if another trainer has continued the run', async () => {
    const path = folder('moved');
    const untilStep = (step: number) => (event: SegmenterTrainEvent) =>
      event.kind === 'step' && event.step === step;
    await collect(new SegmenterTrainer({ data, folder: path, config: tiny }), untilStep(2));
    const late = await SegmenterTrainer.resume(path, { data });
    await collect(await SegmenterTrainer.resume(path, { data }), untilStep(4));
    expect(await rejection(collect(late))).toMatchObject({
      code: 'RESUME_REFUSED',
      message: expect.stringMatching(/another process has continued this run/),
    });
    const events = await collect(await SegmenterTrainer.resume(path, { data }));
    expect(events[0]).toMatchObject({ kind: 'start', step: 5 });
    expect(events.at(-1)).toMatchObject({ kind: 'stop', reason: 'finished' });
  });

  test('saving an ensemble to a locked folder is refused', async () => {
    await using ensemble = await RoutedEnsemble.load(testEnsemble);
    const path = folder('saved');
    const lock = await FolderLock.acquire(path);
    expect(await rejection(ensemble.save(path))).toMatchObject({ code: 'RUN_LOCKED' });
    await lock.release();
    await ensemble.save(path);
    expect(existsSync(join(path, LOCK_FILE))).toBe(false);
  });
});

describe('run refuses by its own errors, and can be called again', () => {
  const trainers = {
    SegmenterTrainer: (path: string) => new SegmenterTrainer({ data, folder: path, config: tiny }),
    ClassifierTrainer: (path: string) => new ClassifierTrainer({ data, folder: path }),
    EnsembleTrainer: (path: string) => new EnsembleTrainer({ data, folder: path }),
  };

  test.each(Object.entries(trainers))('%s', async (name, make) => {
    const path = folder(`refused-${name}`);
    const trainer = make(path);
    for (const [, value] of badValues) {
      expect(await rejection(trainer.run({ signal: value as never }).next())).toMatchObject({
        code: 'INVALID_ARGUMENT',
        details: { option: 'signal' },
      });
      const isEmpty = typeof value === 'object' && value !== null && Object.keys(value).length === 0;
      if (isEmpty && !ArrayBuffer.isView(value)) continue;
      expect(await rejection(trainer.run(value as never).next())).toMatchObject({ code: 'INVALID_ARGUMENT' });
    }
    const reason = new Error('not wanted');
    const run = trainer.run({ signal: AbortSignal.abort(reason) });
    expect(await rejection(run.next())).toBe(reason);
    expect(existsSync(path)).toBe(false);
  });

  test.each(badValues)('EnsembleTrainer refuses %s as data of validation', (_, value) => {
    expect(
      thrown(() => new EnsembleTrainer({ data, validation: value as never, folder: folder('bad') })),
    ).toMatchObject({ code: 'INVALID_ARGUMENT', details: { option: 'validation' } });
  });
});
