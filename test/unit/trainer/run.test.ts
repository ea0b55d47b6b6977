import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { random } from '../../../lib/data/random.js';
import { CellrouteError } from '../../../lib/errors.js';
import { segmenterTraining } from '../../../lib/trainer/config.js';
import { beginning, rebased } from '../../../lib/trainer/progress.js';
import { ratesAt } from '../../../lib/trainer/schedule.js';
import { rejection } from '../../support/sdk.js';
import {
  collect,
  type Event,
  letters,
  logOf,
  runFolders,
  storedWeight,
  ToyNetwork,
  type ToyOptions,
  toyRun,
} from '../../support/training.js';

const folder = runFolders();
const kinds = (events: Event[]) => events.map(({ kind }) => kind);
const ofKind = <K extends Event['kind']>(events: Event[], kind: K) =>
  events.filter((event): event is Extract<Event, { kind: K }> => event.kind === kind);

afterEach(() => expect(letters.open).toBe(0));

describe('a whole run', () => {
  test('yields all events in order', async () => {
    const toy = await toyRun(folder('order'), { config: { epochs: 2 }, scores: [0.5, 0.25] });
    const events = await collect(toy);
    const epoch = ['step', 'step', 'step', 'step', 'epoch', 'validation'];
    expect(kinds(events)).toEqual([
      'start',
      'checkpoint',
      ...epoch,
      'best',
      'checkpoint',
      ...epoch,
      'checkpoint',
      'stop',
    ]);
    expect(events.at(-1)).toMatchObject({
      reason: 'finished',
      step: 8,
      epoch: 2,
      best: { score: 0.5, step: 4, epoch: 1 },
    });
    const [first] = ofKind(events, 'step');
    expect(first).toMatchObject({
      epoch: 1,
      step: 1,
      batch: 1,
      batches: 4,
      steps: 8,
      epochs: 2,
      images: ['a', 'd'],
      total: first!.losses.loss_mask! + 0.25,
    });
    const [ended] = ofKind(events, 'epoch');
    const totals = ofKind(events, 'step')
      .slice(0, 4)
      .map(({ total }) => total);
    expect(ended!.total).toBeCloseTo(totals.reduce((a, b) => a + b) / 4, 12);
  });

  test('passes rates and a different seed to each step', async () => {
    const toy = await toyRun(folder('rates'));
    const events = await collect(toy);
    const { schedule, optimizer, seed } = segmenterTraining();
    expect(toy.network.steps).toEqual(
      Array.from({ length: 12 }, (_, step) => ({
        ...ratesAt(schedule, optimizer, step, 12),
        maxGradNorm: null,
        seed: random(seed, 'step', step).seed(),
      })),
    );
    expect(new Set(toy.network.steps.map((step) => step.seed)).size).toBe(12);
    expect(ofKind(events, 'step').map(({ lr }) => lr)).toEqual(toy.network.steps.map(({ lr }) => lr));
  });

  test('keeps the best network, and writes it as the final weights', async () => {
    const toy = await toyRun(folder('best'), { scores: [0.1, 0.3, 0.2] });
    const events = await collect(toy);
    const validations = ofKind(events, 'validation');
    expect(validations.map(({ best }) => best)).toEqual([true, true, false]);
    expect(readdirSync(toy.folder.checkpoints).sort()).toEqual(['best-8.safetensors', 'last.safetensors']);
    expect(await storedWeight(toy.folder.weights('segmenter'))).toBe(validations[1]!.evaluation);
    expect(JSON.parse(readFileSync(toy.folder.results, 'utf8'))).toMatchObject({
      reason: 'finished',
      step: 12,
      best: { score: 0.3, step: 8, epoch: 2 },
      lastValidation: { score: 0.2 },
    });
    expect(existsSync(toy.folder.plot('loss'))).toBe(true);
    expect(existsSync(toy.folder.plot('validation'))).toBe(true);
  });

  test('without validation images keeps the last weights', async () => {
    const toy = await toyRun(folder('last'));
    const events = await collect(toy);
    expect(kinds(events)).not.toContain('validation');
    expect(await storedWeight(toy.folder.weights('segmenter'))).toBe(toy.network.weight);
  });

  test('with a number of steps ends in the middle of an epoch, with a validation', async () => {
    const toy = await toyRun(folder('steps'), { config: { epochs: null, steps: 6 }, scores: [0.1, 0.2] });
    const events = await collect(toy);
    expect(ofKind(events, 'step')).toHaveLength(6);
    expect(ofKind(events, 'epoch').map(({ step }) => step)).toEqual([4, 6]);
    expect(ofKind(events, 'validation').map(({ step }) => step)).toEqual([4, 6]);
    expect(ofKind(events, 'start')[0]).toMatchObject({ steps: 6, epochs: 2, stepsPerEpoch: 4 });
  });

  test('validates every few steps, and only once if a step also ends an epoch', async () => {
    const toy = await toyRun(folder('every'), {
      config: { epochs: 2, validation: { everySteps: 2, everyEpochs: 2 } },
      scores: [0.1],
    });
    const events = await collect(toy);
    expect(ofKind(events, 'validation').map(({ step }) => step)).toEqual([2, 4, 6, 8]);
  });

  test('stops early after `patience` validations without improvement', async () => {
    const toy = await toyRun(folder('early'), {
      config: { epochs: 9, validation: { patience: 2 } },
      scores: [0.5, 0.4, 0.5, 0.9],
    });
    const events = await collect(toy);
    expect(events.at(-1)).toMatchObject({ reason: 'early-stopping', step: 12, best: { epoch: 1 } });
    expect(logOf(toy.folder.log).at(-1)).toMatchObject({ kind: 'stop', reason: 'early-stopping' });
  });

  test('of equal scores the first is best, unless the tie-breaker differs', async () => {
    const first = await toyRun(folder('equal'), { scores: [0.5, 0.5, 0.5] });
    expect(ofKind(await collect(first), 'best').map(({ step }) => step)).toEqual([4]);
    const decided = await toyRun(folder('decided'), { scores: [0.5, 0.5, 0.4], ties: [-3, -2, -1] });
    expect(ofKind(await collect(decided), 'best').map(({ step }) => step)).toEqual([4, 8]);
  });

  test('a NaN score is never the best', async () => {
    const toy = await toyRun(folder('nan'), { config: { epochs: 2 }, scores: [Number.NaN, 0.1] });
    const events = await collect(toy);
    expect(ofKind(events, 'validation').map(({ best }) => best)).toEqual([false, true]);
  });
});

describe('a run that diverges', () => {
  test.each([
    ['a NaN loss', { losses: { loss_mask: Number.NaN }, applied: false }, /loss_mask is NaN/],
    ['infinite gradients', { gradNorm: Number.POSITIVE_INFINITY, applied: false }, /norm is Infinity/],
    ['a step that was not applied', { applied: false }, /not finite/],
  ])('%s stops it, naming the step and its images', async (name, result, message) => {
    const network = new ToyNetwork({ result: (step) => (step === 6 ? result : {}) });
    const toy = await toyRun(folder(name), { network });
    const error = await rejection(collect(toy));
    expect(error).toMatchObject({
      code: 'TRAINING_DIVERGED',
      details: { step: 6, images: ['a', 'd'].map((_, i) => network.fed[5]![i]), file: toy.folder.last },
    });
    expect(error.message).toMatch(message);
    expect(logOf(toy.folder.log).filter((line) => (line as Event).kind === 'step')).toHaveLength(5);
    const again = await toyRun(folder(name));
    const events = await collect(again);
    expect(ofKind(events, 'start')[0]).toMatchObject({ resumed: true, step: 5 });
  });

  test('a loss far above its median stops it, and the previous checkpoint is kept', async () => {
    const result = (step: number) => ({ losses: { loss_mask: step === 11 ? 60 : 1 } });
    const config = { checkpoint: { everyMinutes: 0 }, divergence: { multiple: 50 } };
    const toy = await toyRun(folder('explode'), { config, network: new ToyNetwork({ result }) });
    const error = await rejection(collect(toy));
    expect(error).toMatchObject({ code: 'TRAINING_DIVERGED', details: { step: 11 } });
    expect(error.message).toMatch(/the loss is 60\.00, more than 50 times the median of the last 10 steps/);
    const again = await toyRun(folder('explode'), { config });
    expect((await collect(again, { until: ({ kind }) => kind === 'start' }))[0]).toMatchObject({ step: 11 });
  });

  test('jumps of a loss near zero are not a divergence', async () => {
    const result = (step: number) => ({ losses: { loss_classifier: step === 11 ? 4.9 : 1e-3 } });
    const toy = await toyRun(folder('near-zero'), {
      config: { divergence: { multiple: 50 } },
      network: new ToyNetwork({ result }),
    });
    expect((await collect(toy)).at(-1)).toMatchObject({ reason: 'finished' });
  });

  test('may be ignored', async () => {
    const result = (step: number) => ({ losses: { loss_mask: step === 11 ? 1e9 : 1 } });
    const toy = await toyRun(folder('go-on'), {
      config: { divergence: { multiple: null } },
      network: new ToyNetwork({ result }),
    });
    expect((await collect(toy)).at(-1)).toMatchObject({ reason: 'finished' });
  });
});

describe('checkpoints between epochs', () => {
  test.each([
    [1, [0, 4, 8, 12]],
    [2, [0, 8, 12]],
    [null, [0, 12]],
  ])('every %s epochs, at the start and at the end', async (everyEpochs, steps) => {
    const config = { checkpoint: { everyMinutes: 1000, everyEpochs } };
    const events = await collect(await toyRun(folder(`every-${everyEpochs}`), { config }));
    expect(ofKind(events, 'checkpoint').map(({ step }) => step)).toEqual(steps);
  });
});

describe('an interrupted and resumed run equals an uninterrupted one', () => {
  const options: ToyOptions = {
    config: { validation: { everySteps: 3, patience: 3 } },
    scores: (weight) => Math.sin(weight * 5),
  };
  let whole: { weight: number; log: object[]; results: object };
  const outcome = async (path: string) => {
    const results = JSON.parse(readFileSync(join(path, 'results.json'), 'utf8')) as Record<string, unknown>;
    const { seconds, imagesPerSecond, weights, ...rest } = results;
    return {
      weight: await storedWeight(join(path, 'checkpoints/last.safetensors')),
      log: logOf(join(path, 'log.jsonl')),
      results: rest,
    };
  };

  beforeAll(async () => {
    await collect(await toyRun(folder('whole'), options));
    whole = await outcome(folder('whole'));
    expect(whole.log.length).toBeGreaterThan(12);
  });

  test('when the consumer leaves at any event', async () => {
    const events = await collect(await toyRun(folder('count'), options));
    for (const [i] of events.entries()) {
      const path = folder(`left-${i}`);
      let seen = 0;
      await collect(await toyRun(path, options), { until: () => seen++ === i });
      const again = await collect(await toyRun(path, options));
      expect(again[0]).toMatchObject({ kind: 'start', resumed: true });
      expect(await outcome(path)).toEqual(whole);
    }
  });

  test('when aborted in any step', async () => {
    for (let step = 1; step <= 12; step++) {
      const path = folder(`aborted-${step}`);
      const stop = new AbortController();
      const network = new ToyNetwork({
        result: (at) => {
          if (at === step) setImmediate(() => stop.abort());
          return {};
        },
        slow: 1,
      });
      const toy = await toyRun(path, { ...options, network });
      const events = await collect(toy, { signal: stop.signal });
      if (stop.signal.aborted && events.at(-1)!.kind === 'stop') {
        expect(kinds(events).slice(-2)).toEqual(['checkpoint', 'stop']);
      }
      await collect(await toyRun(path, options));
      expect(await outcome(path)).toEqual(whole);
    }
  });

  test('when killed repeatedly at any moment', async () => {
    // A kill leaves the folder unchanged, so a copy of the folder at every event is what a resumed run finds.
    const { cpSync } = await import('node:fs');
    const path = folder('killed');
    const toy = await toyRun(path, {
      ...options,
      config: { ...options.config, checkpoint: { everyMinutes: 0 } },
    });
    const copies: string[] = [];
    await collect(toy, {
      until: () => {
        copies.push(folder(`killed-${copies.length}`));
        cpSync(path, copies.at(-1)!, { recursive: true });
        return false;
      },
    });
    for (const copy of copies.slice(1)) {
      // State after a kill in the middle of a write.
      const { appendFileSync, writeFileSync } = await import('node:fs');
      appendFileSync(join(copy, 'log.jsonl'), '{"kind":"st');
      writeFileSync(join(copy, 'checkpoints/last.safetensors.0123456789ab.part'), 'half');
      writeFileSync(join(copy, 'checkpoints/thesis.part'), 'of the user');
      await collect(await toyRun(copy, options));
      expect(await outcome(copy)).toEqual(whole);
      expect(readdirSync(join(copy, 'checkpoints')).filter((name) => name.endsWith('.part'))).toEqual([
        'thesis.part',
      ]);
    }
  });

  test('when resumed at its end, it ends again', async () => {
    const again = await collect(await toyRun(folder('whole'), options));
    expect(kinds(again)).toEqual(['start', 'checkpoint', 'stop']);
    expect(await outcome(folder('whole'))).toEqual(whole);
  });
});

test('a position is converted to epochs of another length', () => {
  const at = (epoch: number, batch: number, step: number) => ({
    ...beginning,
    epoch,
    batch,
    step,
    summed: batch,
  });
  expect(rebased(at(2, 3, 11), 4)).toEqual(at(2, 3, 11));
  expect(rebased({ ...at(1, 4, 8), closed: true }, 4)).toEqual({ ...at(1, 4, 8), closed: true });
  expect(rebased(at(2, 3, 11), 5)).toMatchObject({ epoch: 2, batch: 1, step: 11, summed: 0 });
  expect(rebased({ ...at(1, 4, 8), closed: true }, 3)).toMatchObject({ epoch: 2, batch: 2, closed: false });
});

test('an abort before the first step leaves a checkpoint', async () => {
  const stop = new AbortController();
  stop.abort(new Error('no'));
  const events = await collect(await toyRun(folder('at once')), { signal: stop.signal });
  expect(kinds(events)).toEqual(['start', 'checkpoint', 'checkpoint', 'stop']);
  expect(events.at(-1)).toMatchObject({ reason: 'aborted', step: 0 });
});

test('a run whose folder was taken over writes no checkpoint', async () => {
  const path = folder('taken over');
  let held = true;
  const lost = new CellrouteError('RUN_LOCKED', 'lost', { file: path });
  const toy = await toyRun(path, {
    verify: async () => {
      if (!held) throw lost;
    },
  });
  const before: Buffer[] = [];
  const failure = collect(toy, {
    until: ({ kind, step }) => {
      if (kind === 'step' && step === 2) {
        held = false;
        before.push(readFileSync(toy.folder.last));
        return true;
      }
      return false;
    },
  });
  await expect(failure).rejects.toBe(lost);
  expect(readFileSync(toy.folder.last).equals(before[0]!)).toBe(true);
});
