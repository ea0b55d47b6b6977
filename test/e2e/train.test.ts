import { type ChildProcess, spawn } from 'node:child_process';
import { cpSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { CellClassifier, CellSegmenter, type RawImage, RoutedEnsemble } from '../../lib/index.js';
import { addToEnsemble } from '../../lib/train.js';
import { openWeights } from '../../lib/weights/open.js';
import { cellroute } from '../support/cli.js';
import { root } from '../support/sdk.js';
import { syntheticData, tinyClassifier, tinySampling, tinySegmenter } from '../support/synthetic.js';
import { logOf } from '../support/training.js';
import { readAll } from '../support/weights.js';

const main = join(root, 'dist/cli/main.js');
const folder = mkdtempSync(join(tmpdir(), 'cellroute-train-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const path = (name: string) => join(folder, name);

let data: string;
beforeAll(async () => {
  data = await syntheticData(path('data'), 16);
});

function configFile(name: string, config: object): string {
  writeFileSync(path(name), JSON.stringify(config));
  return path(name);
}

const segmenterConfig = {
  network: tinySegmenter,
  sampling: tinySampling,
  batchSize: 2,
  epochs: 2,
  average: { decay: 0.9 },
  schedule: { kind: 'one-cycle', maxLr: 0.02 },
  transforms: [
    { kind: 'flip-horizontal' },
    { kind: 'quarter-turns' },
    { kind: 'random-crop', width: 56, height: 56 },
  ],
  validation: { everySteps: 4, samples: 1 },
  // A checkpoint after every step, so that a kill can interrupt its writing.
  checkpoint: { everyMinutes: 0 },
};

// Waiting threads do not spin, because several training processes may share the processors.
const env = { ...process.env, OMP_WAIT_POLICY: 'PASSIVE' };
const train = (...args: string[]) => cellroute('train', ...args);

/** Starts training in a separate process. */
function start(...args: string[]): {
  child: ChildProcess;
  ended: Promise<{ code: number | null; stderr: string; stdout: string }>;
} {
  const child = spawn(process.execPath, [main, 'train', ...args], { stdio: ['ignore', 'pipe', 'pipe'], env });
  let stderr = '';
  let stdout = '';
  child.stderr.on('data', (text) => (stderr += text));
  child.stdout.on('data', (text) => (stdout += text));
  const ended = new Promise<{ code: number | null; stderr: string; stdout: string }>((done) =>
    child.on('close', (code) => done({ code, stderr, stdout })),
  );
  return { child, ended };
}

const stepsIn = (run: string): number => {
  const log = join(run, 'log.jsonl');
  return existsSync(log) ? readFileSync(log, 'utf8').split('"kind":"step"').length - 1 : 0;
};

/** Kills a training process as soon as `when` returns true; returns false if it had ended before. */
async function killWhen(when: () => boolean, ...args: string[]): Promise<boolean> {
  const { child, ended } = start(...args);
  let over = false;
  const watched = ended.then((result) => {
    over = true;
    return result;
  });
  while (!over && !when()) await wait(1);
  child.kill('SIGKILL');
  const { code, stderr } = await watched;
  if (code !== null && code !== 0) throw new Error(stderr);
  return code === null;
}

/** Runs a training process that is killed while it writes a checkpoint, counted from 1; returns the signal that ended it. */
async function killWhileWriting(checkpoint: number, ...args: string[]): Promise<string | null> {
  const program = join(__dirname, 'programs/signal-while-writing.cjs');
  const given = ['last.safetensors.', String(checkpoint), 'SIGKILL', main, 'train', ...args];
  const child = spawn(process.execPath, [program, ...given], { stdio: 'ignore', env });
  return new Promise((done) => child.on('exit', (_, signal) => done(signal)));
}

/** Everything of a finished run that must not depend on its interruptions. */
async function outcome(run: string, network: 'segmenter' | 'classifier') {
  const tensors = await readAll(await openWeights(join(run, 'checkpoints/last.safetensors')));
  const { best } = JSON.parse(readFileSync(join(run, 'results.json'), 'utf8')) as { best: object };
  return {
    weights: readFileSync(join(run, `${network}.safetensors`)),
    state: Object.fromEntries([...tensors].map(([name, bytes]) => [name, Buffer.from(bytes)])),
    log: logOf(join(run, 'log.jsonl')),
    best,
  };
}

describe('a segmenter', () => {
  let whole: Awaited<ReturnType<typeof outcome>>;
  let config: string;
  const run = path('whole');

  beforeAll(async () => {
    config = configFile('segmenter.json', segmenterConfig);
    const { status, stdout, stderr } = await train(
      ...['segmenter', '--data', data, '--validation-fraction', '0.25', '--config', config, '--out', run],
    );
    if (status !== 0) throw new Error(stderr);
    expect(stdout).toMatch(/^12 steps in 2 epochs, in .*whole\nStarting epoch 1 of 2\n/);
    expect(stdout).toMatch(
      /\[Epoch {2}1 \/ {2}2\] Train mask-only loss: {3}\d\.\d{3}\n\[Epoch {2}1 \/ {2}2\] Train loss: +\d+\.\d{3}\. \[\d+ secs\]\n/,
    );
    expect(stdout).toMatch(
      /Finished after 12 steps\. Weights: .*segmenter\.safetensors \(step \d+, best score /,
    );
    whole = await outcome(run, 'segmenter');
  });

  test('writes a complete run folder', async () => {
    expect(readdirSync(run).sort()).toEqual([
      'checkpoints',
      'config.json',
      'data.json',
      'environment.json',
      'log.jsonl',
      'loss.png',
      'results.json',
      'samples',
      'segmenter.safetensors',
      'tensorboard',
      'validation.png',
    ]);
    expect(readdirSync(join(run, 'checkpoints')).sort()).toEqual([
      expect.stringMatching(/^best-\d+\.safetensors$/),
      'last.safetensors',
    ]);
    expect(readdirSync(join(run, 'samples'))).toEqual(
      expect.arrayContaining(['epoch-001.png', 'epoch-002.png', 'step-000004.png']),
    );
    expect(readdirSync(join(run, 'tensorboard'))).toHaveLength(1);
    expect(whole.log.filter((line) => (line as { kind: string }).kind === 'step')).toHaveLength(12);
    expect(JSON.parse(readFileSync(join(run, 'config.json'), 'utf8'))).toMatchObject({
      network: { kind: 'mask-rcnn', backbone: { width: 8, norm: { kind: 'batch' } }, classNames: ['cell'] },
      seed: 3011,
    });
    await using segmenter = await CellSegmenter.load(join(run, 'segmenter.safetensors'));
    const image = readFileSync(join(data, 'images', readdirSync(join(data, 'images'))[0]!));
    expect((await segmenter.segment(image)).width).toBe(64);
  });

  test('killed with kill -9 at several points, also while writing a checkpoint, ends bit-identically', async () => {
    const killed = path('killed');
    const begin = [
      'segmenter',
      '--data',
      data,
      '--validation-fraction',
      '0.25',
      '--config',
      config,
      '--out',
      killed,
    ];
    const resume = ['segmenter', '--resume', killed];
    // Before the first step.
    expect(await killWhen(() => existsSync(join(killed, 'config.json')), ...begin)).toBe(true);
    expect(await killWhen(() => stepsIn(killed) >= 2, ...resume)).toBe(true);
    for (const checkpoint of [2, 3]) {
      expect(await killWhileWriting(checkpoint, ...resume)).toBe('SIGKILL');
      expect(readdirSync(join(killed, 'checkpoints'))).toContainEqual(
        expect.stringMatching(/^last\.safetensors\..*\.part$/),
      );
    }
    const { code, stderr } = await start(...resume).ended;
    expect([code, stderr]).toEqual([0, expect.not.stringContaining('Error')]);
    expect(await outcome(killed, 'segmenter')).toEqual(whole);
    const { sessions } = JSON.parse(readFileSync(join(killed, 'environment.json'), 'utf8')) as {
      sessions: { fromStep: number }[];
    };
    expect(sessions.length).toBeGreaterThanOrEqual(4);
  });

  test('stopped with Ctrl-C writes a checkpoint, prints how to resume, and ends with the same result', async () => {
    const stopped = path('stopped');
    const { child, ended } = start(
      ...['segmenter', '--data', data, '--validation-fraction', '0.25', '--config', config, '--out', stopped],
    );
    while (child.exitCode === null && stepsIn(stopped) < 5) await wait(2);
    child.kill('SIGINT');
    const { code, stderr } = await ended;
    expect(code).toBe(130);
    expect(stderr).toMatch(/Stopped\. Resume with: cellroute train segmenter --resume .*stopped/);
    expect(existsSync(join(stopped, 'results.json'))).toBe(false);
    expect((await start('segmenter', '--resume', stopped).ended).code).toBe(0);
    expect(await outcome(stopped, 'segmenter')).toEqual(whole);
  });

  test('other images and another configuration are refused without --force', async () => {
    const other = path('other');
    cpSync(run, other, { recursive: true });
    const more = await syntheticData(path('more'), 18, 2);
    const otherData = await train(
      'segmenter',
      '--data',
      more,
      '--validation-fraction',
      '0.25',
      '--resume',
      other,
    );
    expect(otherData.status).toBe(1);
    expect(otherData.stderr).toMatch(/training images have changed.*\[RESUME_REFUSED\]/s);
    const slower = configFile('slower.json', { ...segmenterConfig, optimizer: { weightDecay: 0.1 } });
    const otherConfig = await train('segmenter', '--config', slower, '--resume', other);
    expect(otherConfig.status).toBe(1);
    expect(otherConfig.stderr).toMatch(/optimizer\.weightDecay was 0\.0005, now 0\.1\n/);
    const longer = configFile('longer.json', { ...segmenterConfig, epochs: 3 });
    const forced = await train('segmenter', '--config', longer, '--resume', other, '--force');
    expect([forced.status, forced.stderr]).toEqual([0, expect.anything()]);
    expect(logOf(join(other, 'log.jsonl')).at(-1)).toMatchObject({ kind: 'stop', step: 18 });
    const again = await train('segmenter', '--data', data, '--out', run);
    expect(again.stderr).toMatch(/already contains a run.*\[RESUME_REFUSED\]/s);
  });
});

test('a classifier of round and square cells ends with the same weights, interrupted or not', async () => {
  const config = configFile('classifier.json', {
    network: tinyClassifier,
    epochs: 3,
    batchSize: 4,
    optimizer: { kind: 'adamw' },
    schedule: { maxLr: 0.01 },
    checkpoint: { everyMinutes: 0 },
  });
  const args = ['--data', data, '--validation-fraction', '0.25', '--config', config];
  const { status, stdout, stderr } = await train('classifier', ...args, '--out', path('router'));
  expect([status, stderr]).toEqual([0, expect.not.stringContaining('Error')]);
  expect(stdout).toMatch(
    /\[Epoch {2}1 \/ {2}3\] Train loss: +\d\.\d{3}\. \[\d+ secs\]\n\[Epoch {2}1\] Validation accuracy/,
  );
  const results = JSON.parse(readFileSync(join(path('router'), 'results.json'), 'utf8')) as {
    best: { score: number };
    lastValidation: { confusion: number[][] };
  };
  expect(results.lastValidation.confusion.flat().reduce((a, b) => a + b)).toBe(4);
  await using classifier = await CellClassifier.load(join(path('router'), 'classifier.safetensors'));
  expect(classifier.config.classNames).toEqual(['round', 'square']);

  expect(
    await killWhen(() => stepsIn(path('router-2')) >= 5, 'classifier', ...args, '--out', path('router-2')),
  ).toBe(true);
  expect((await train('classifier', '--resume', path('router-2'))).status).toBe(0);
  expect(await outcome(path('router-2'), 'classifier')).toEqual(await outcome(path('router'), 'classifier'));
});

/** An image that gets brighter from left to right, as no image of the data set does. */
const gradient = (slope: number): RawImage => ({
  data: Uint8Array.from({ length: 64 * 64 }, (_, i) => 40 + slope + 3 * (i % 64)),
  width: 64,
  height: 64,
  channels: 1,
});

test('an ensemble is trained part by part, resumes after a kill, and can be loaded', async () => {
  const config = configFile('ensemble.json', {
    classifier: { network: tinyClassifier, epochs: 2 },
    segmenter: { network: tinySegmenter, sampling: tinySampling, steps: 6 },
    segmenters: { square: { steps: 4 } },
  });
  const run = path('ensemble');
  const args = [
    'ensemble',
    '--data',
    data,
    '--validation-fraction',
    '0.25',
    '--config',
    config,
    '--out',
    run,
  ];
  expect(await killWhen(() => stepsIn(join(run, 'segmenter-round')) >= 3, ...args)).toBe(true);
  const { status, stdout, stderr } = await train('ensemble', '--resume', run);
  expect([status, stderr]).toEqual([0, expect.not.stringContaining('Error')]);
  expect(stdout).toMatch(
    /== classifier \(1 of 3\), already finished\n== segmenter of round \(2 of 3\), resumed\n/,
  );
  expect(stdout).toMatch(/== segmenter of square \(3 of 3\)\n4 steps in 2 epochs/);
  const refused = await train('ensemble', '--data', data, '--resume', run);
  expect(refused.stderr).toMatch(/training images have changed.*\[RESUME_REFUSED\]/s);
  await using ensemble = await RoutedEnsemble.load(join(run, 'ensemble'));
  expect(ensemble.cellTypes).toEqual(['round', 'square']);
  expect(ensemble.thresholds.round).toMatchObject({ minScore: 0.5, removeOverlaps: { maxLost: 0.2 } });
  expect(ensemble.statistics?.types.get('square')?.images).toBe(
    ensemble.statistics?.types.get('round')?.images,
  );

  // Another type, without an image of those that it has.
  const images = [1, 2, 3].map((seed) => gradient(seed));
  await addToEnsemble(run, { type: 'gradient', images, segmenter: null, out: path('extended') });
  await using extended = await CellClassifier.load(path('extended'));
  expect(extended.config.classNames).toEqual(['round', 'square', 'gradient']);
  expect((await extended.classify(gradient(9))).cellType).toBe('gradient');
  expect((await train('ensemble', '--resume', run)).stdout).toMatch(
    /square \(3 of 3\), already finished\nEnsemble written to/,
  );
});

test.each([
  ['no data', ['segmenter', '--out', path('x')], /Expected a data set \(--data\).*\[INVALID_ARGUMENT\]/],
  ['no folder', ['segmenter', '--data', 'x'], /Expected a folder for the run.*\(--out\)/],
  ['a folder without a run', ['segmenter', '--resume', path('none')], /contains no run.*\[FILE_UNREADABLE\]/],
  [
    'two sources of validation images',
    ['segmenter', '--data', 'x', '--out', 'y', '--validation', 'z', '--validation-fraction', '0.1'],
    /one of --validation/,
  ],
  [
    'missing data',
    ['segmenter', '--data', path('nowhere'), '--out', path('x')],
    /nowhere.*\[FILE_UNREADABLE\]/,
  ],
])('%s is refused with a message', async (_, args, message) => {
  const { status, stderr } = await train(...args);
  expect(status).toBe(1);
  expect(stderr).toMatch(message);
  expect(stderr).not.toMatch(/\n\s+at /);
});

test('an error in a configuration file is reported with its position', async () => {
  const config = configFile('bad.json', {});
  writeFileSync(config, '{\n  "schedule": { "kind": "one-cycle", "maxLR": 1 }\n}\n');
  const { status, stderr } = await train('segmenter', '--data', data, '--out', path('x'), '--config', config);
  expect(status).toBe(1);
  expect(stderr).toMatch(
    /bad\.json, line 2, column \d+: Unknown option schedule\.maxLR; did you mean maxLr\? \[INVALID_CONFIG\]/,
  );
});

test('a second process in the folder of a run is refused, whatever the command', async () => {
  const run = path('contended');
  const config = configFile('contended.json', {
    ...segmenterConfig,
    epochs: 1,
    validation: { everyEpochs: null },
  });
  const args = ['segmenter', '--data', data, '--config', config];
  const { child, ended } = start(...args, '--out', run);
  while (child.exitCode === null && stepsIn(run) < 1) await wait(1);
  // Stopped, it cannot finish before the others are refused.
  child.kill('SIGSTOP');
  const holder = `process ${child.pid} on `;
  const refusals: [number | null, string][] = [];
  for (const more of [
    // Refused before the data set is opened.
    ['train', 'segmenter', '--data', path('no-such-data'), '--out', run],
    ['train', 'segmenter', '--resume', run],
    ['segment', join(data, 'images'), '--out', run],
    ['tune', data, '--out', run],
  ]) {
    const { status, stderr } = await cellroute(...more);
    refusals.push([status, stderr]);
  }
  child.kill('SIGCONT');
  const { code } = await ended;
  expect(refusals).toEqual(
    refusals.map(() => [
      1,
      expect.stringMatching(`^cellroute: .*is in use by ${holder}.* \\[RUN_LOCKED\\]\n$`),
    ]),
  );
  expect(code).toBe(0);
  const steps = logOf(join(run, 'log.jsonl')).filter((line) => (line as { kind: string }).kind === 'step');
  expect(steps.map((line) => (line as { step: number }).step)).toEqual(
    Array.from({ length: 8 }, (_, i) => i + 1),
  );
  expect(existsSync(join(run, '.cellroute.lock'))).toBe(false);
});
