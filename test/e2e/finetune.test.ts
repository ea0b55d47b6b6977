import { spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import sharp from 'sharp';
import type { Evaluation } from '../../lib/metrics/index.js';
import { cellrouteIn } from '../support/cli.js';
import { root } from '../support/sdk.js';
import { syntheticData, tinySampling, tinySegmenter } from '../support/synthetic.js';

const folder = mkdtempSync(join(tmpdir(), 'cellroute-finetune-'));
const path = (...names: string[]) => join(folder, ...names);
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const main = join(root, 'dist/cli/main.js');
const cellroute = (...args: string[]) => cellrouteIn(folder, ...args);

beforeAll(async () => {
  await syntheticData(path('my-images'), 8);
  // A start that takes milliseconds, at a path relative to the configuration.
  mkdirSync(path('configs'));
  const config = { network: tinySegmenter, steps: 3, sampling: tinySampling, logs: { tensorboard: false } };
  writeFileSync(path('configs', 'first.json'), JSON.stringify(config));
  const made = await cellroute(
    'train',
    'segmenter',
    '--data',
    'my-images',
    '--config',
    'configs/first.json',
    '--out',
    'start',
  );
  expect(made).toMatchObject({ status: 0 });
  // Batches of two and batch norms from random weights: what the command says about it.
  expect(made.stderr).toMatch(
    /note: batch norms that start from random weights learn little from batches of 2/,
  );
});
const quick = ['--start', 'start/segmenter.safetensors', '--device', 'cpu'];

test('one command ends with a model that segment, evaluate and report accept', async () => {
  const { status, stdout } = await cellroute(
    'finetune',
    'my-images',
    '--out',
    'my-model',
    '--steps',
    '3',
    ...quick,
  );
  expect(status).toBe(0);
  expect(stdout).toMatch(
    /^6 images to train on with \d+ cells of \d+\.\d pixels diameter \(\d+ to \d+\), 2 held out\n/,
  );
  expect(stdout).toMatch(
    /tried start\/segmenter\.safetensors at scale [\d.]+: AP50 0\.\d+, Kaggle 0\.\d+ on \d training images/,
  );
  expect(stdout).toMatch(/Start: start\/segmenter\.safetensors, with resize\.scale [\d.]+/);
  expect(stdout).toMatch(
    /Held-out images, start as it is: kaggle 0\.\d+\nHeld-out images, start at this scale: kaggle 0\.\d+\n3 steps of 4 crops, in float32 on cpu/,
  );
  expect(stdout).toMatch(/step 3 of 3: loss \d+\.\d+/);
  expect(stdout).toMatch(/Use it with: cellroute segment IMAGES --model my-model --out RESULTS/);

  const segmented = await cellroute(
    'segment',
    'my-images/images',
    '--model',
    'my-model',
    '--formats',
    'json',
    '--out',
    'results',
  );
  expect(segmented.status).toBe(0);
  expect(segmented.stdout).toMatch(/^round-00\.png: \d+ cells/);
  expect(JSON.parse(readFileSync(path('results', 'round-00.json'), 'utf8'))).toMatchObject({
    cellType: 'cells',
    scale: 1,
  });
  const evaluated = await cellroute(
    'evaluate',
    '--ground-truth',
    'my-images',
    '--model',
    'my-model',
    '--json',
    '--diameter',
    '10',
  );
  expect(evaluated.status).toBe(0);
  expect(JSON.parse(evaluated.stdout)).toMatchObject({ images: 8, kaggle: { mean: expect.any(Number) } });
  const predictions = async (minScore: string) => {
    const { stdout } = await cellroute(
      ...[
        'evaluate',
        '--ground-truth',
        'my-images',
        '--model',
        'my-model',
        '--json',
        '--min-score',
        minScore,
      ],
    );
    return (JSON.parse(stdout) as Evaluation).predictions;
  };
  expect(await predictions('0')).toBeGreaterThan(await predictions('0.5'));
  const report = await cellroute('report', 'my-images/images', '--model', 'my-model', '--out', 'report.html');
  expect(report.status).toBe(0);
});

test('evaluate takes either predictions or a model', async () => {
  for (const args of [[], ['--model', 'my-model', '--pred', 'results']]) {
    const { status, stderr } = await cellroute('evaluate', '--ground-truth', 'my-images', ...args);
    expect(status).toBe(1);
    expect(stderr).toContain(
      'Expected either predictions (--pred) or a model (--model, which may be starter) [INVALID_ARGUMENT]',
    );
  }
});

test.each([
  ['--pred', 'results', '--cell-type', 'cells'],
  ['--pred', 'results', '--diameter', '10'],
  ['--pred', 'results', '--page', '1'],
  ['--pred', 'results', '--device', 'cpu'],
  ['--pred', 'results', '--precision', 'bfloat16'],
  ['--model', 'my-model', '--only-predicted'],
])('evaluate refuses %s %s with %s, which would have no effect', async (...args) => {
  const { status, stderr } = await cellroute('evaluate', '--ground-truth', 'my-images', ...args);
  expect(status).toBe(1);
  const other = args[0] === '--pred' ? '--model' : '--pred';
  expect(stderr).toBe(`cellroute: Expected ${other} with ${args[2]} [INVALID_ARGUMENT]\n`);
});

test('the starter ensemble has a name, unless there is a file of that name', async () => {
  const image = join(root, 'test/golden/images/grey8.png');
  const segment = (out: string) =>
    cellroute('segment', image, '--model', 'starter', '--formats', 'json', '--out', out);
  const { status, stdout } = await segment('by-starter');
  expect(status).toBe(0);
  expect(stdout).toMatch(/^grey8\.png: (fluorescence|histology|phase-contrast) \(/);
  writeFileSync(path('starter'), 'mine');
  const { stderr } = await segment('by-file');
  expect(stderr).toMatch(/^cellroute: starter, byte 0: /);
});

test('a stopped command is resumed from another folder', async () => {
  const args = ['finetune', 'my-images', '--out', 'stopped', '--steps', '16', ...quick];
  const child = spawn(process.execPath, [main, ...args], {
    cwd: folder,
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  let stderr = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr += text;
  });
  const ended = new Promise<number | null>((done) => child.once('close', done));
  const log = path('stopped', 'run', 'log.jsonl');
  while (child.exitCode === null && !(existsSync(log) && readFileSync(log, 'utf8').includes('"step":3'))) {
    await new Promise((next) => setTimeout(next, 5));
  }
  child.kill('SIGINT');
  expect(await ended).toBe(130);
  expect(stderr).toContain('Stopped. Resume with: cellroute finetune --resume stopped');
  expect((await cellroute(...args)).stderr).toMatch(
    /stopped has an interrupted fine-tuning: resume it, or choose/,
  );
  const resumed = spawnSync(process.execPath, [main, 'finetune', '--resume', path('stopped'), '--json'], {
    cwd: tmpdir(),
    encoding: 'utf8',
  });
  expect(resumed.status).toBe(0);
  expect(JSON.parse(resumed.stdout)).toMatchObject({
    training: { steps: 16 },
    images: { train: 6, heldOut: 2 },
  });
  const again = await cellroute('finetune', '--resume', path('stopped'));
  expect(again).toMatchObject({ status: 0, stderr: '' });
  expect(again.stdout).toMatch(
    /^The fine-tuning in .*stopped was already finished: there is nothing to resume\n$/,
  );
  expect((await cellroute(...args)).stderr).toMatch(
    /stopped already has a fine-tuned model: choose another folder/,
  );
});

test('options for reading images apply to the data', async () => {
  const { status, stderr } = await cellroute(
    'finetune',
    'my-images',
    '--out',
    'unread',
    '--channels',
    '7',
    '--steps',
    '1',
  );
  expect(status).toBe(1);
  expect(stderr).toMatch(/channels/);
});

test('paths in a configuration are relative to it, and a start may be a starter segmenter', async () => {
  const config = {
    start: { kind: 'checkpoint', path: '../start/segmenter.safetensors' },
    steps: 1,
    logs: { tensorboard: false },
  };
  writeFileSync(path('configs', 'second.json'), JSON.stringify({ $schema: 'anything', ...config }));
  const second = await cellroute(
    'train',
    'segmenter',
    '--data',
    'my-images',
    '--config',
    'configs/second.json',
    '--out',
    'second',
  );
  expect(second).toMatchObject({ status: 0 });
  expect(second.stdout).toMatch(/\d+ tensors loaded, 0 initialized/);
  const refused = async (content: object) => {
    writeFileSync(path('configs', 'bad.json'), JSON.stringify(content));
    const { stderr } = await cellroute(
      'train',
      'segmenter',
      '--data',
      'my-images',
      '--config',
      'configs/bad.json',
      '--out',
      'x',
    );
    return stderr;
  };
  expect(await refused({ start: { kind: 'starter', type: 'brightfield' } })).toMatch(
    /Expected one of 'fluorescence', 'histology', 'phase-contrast' for start\.type/,
  );
  // The kind was forgotten: the message names it.
  expect(await refused({ start: { path: 'a.pth' } })).toMatch(
    /Unknown option start\.path: kind 'nothing' \(the default\) has kind; path belongs to kind 'checkpoint' or 'classifier'/,
  );
});

test('where nothing is found the command says what to try', async () => {
  await sharp({ create: { width: 64, height: 64, channels: 3, background: '#202020' } })
    .png()
    .toFile(path('empty.png'));
  const { status, stderr } = await cellroute('segment', 'empty.png', '--out', 'nothing', '--scale', '2');
  expect(status).toBe(0);
  expect(stderr).toMatch(
    /1 of 1 images have fewer than 3 cells at scale 2\.00\. If they should have more, try:/,
  );
  for (const hint of ['--diameter', '--scale', 'cellroute finetune']) expect(stderr).toContain(hint);
});
