import { spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { root } from '../support/sdk.js';
import { syntheticData, tinyClassifier, tinySampling, tinySegmenter } from '../support/synthetic.js';

// Runs the whole experiment with a small configuration.

const program = join(root, 'experiments/routed-vs-single.mjs');
const folder = mkdtempSync(join(tmpdir(), 'cellroute-experiment-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const env = { ...process.env, OMP_WAIT_POLICY: 'PASSIVE' };

let given: string[];
beforeAll(async () => {
  const data = await syntheticData(join(folder, 'data'), 9);
  const config = join(folder, 'config.json');
  const logs = { tensorboard: false };
  writeFileSync(
    config,
    JSON.stringify({
      ...{ steps: 5, repeats: 2, minScore: 0.05, alsoAt: [0.5] },
      thresholds: { maskThreshold: 0.5, removeOverlaps: true },
      segmenter: { network: tinySegmenter, batchSize: 2, sampling: tinySampling, logs },
      router: { network: tinyClassifier, batchSize: 4, steps: 2, logs },
    }),
  );
  given = ['--data', data, '--config', config, '--folds', '2', '--seed', '5'];
});

const run = (...more: string[]) =>
  spawnSync(process.execPath, [program, ...given, ...more], { encoding: 'utf8', env });
const json = (...path: string[]) => JSON.parse(readFileSync(join(folder, ...path), 'utf8'));

test('evaluates every image once per side, and a killed run ends with the same result', async () => {
  const whole = run('--out', join(folder, 'whole'));
  expect(whole.stderr).toBe('');
  expect(whole.status).toBe(0);

  const out = join(folder, 'killed');
  const child = spawn(process.execPath, [program, ...given, '--out', out], { stdio: 'ignore', env });
  const ended = new Promise((done) => child.on('exit', done));
  const reached = join(out, 'fold-2', 'routed', 'classifier', 'config.json');
  while (!existsSync(reached) && child.exitCode === null) await wait(5);
  child.kill('SIGKILL');
  await ended;
  expect(existsSync(join(out, 'report.json'))).toBe(false);
  const resumed = run('--out', out);
  expect(resumed.stderr).toBe('');
  expect(resumed.stdout).not.toContain('fold-1:');
  expect(json('killed', 'report.json')).toEqual(json('whole', 'report.json'));

  const { images, comparisons } = json('whole', 'report.json');
  expect(images).toBe(9);
  expect(comparisons.map(({ minScore }: { minScore: number }) => minScore)).toEqual([0.05, 0.5]);
  for (const { routed, unerring, perImage } of comparisons) {
    for (const { perCellType } of [routed, unerring])
      expect(perCellType).toMatchObject({ round: { images: 5 }, square: { images: 4 } });
    expect(routed.first).toBe(unerring.first);
    expect(new Set(perImage.map(({ id }: { id: string }) => id)).size).toBe(9);
  }
  const steps = (...path: string[]) => json('whole', ...path, 'results.json').step;
  for (const fold of ['fold-1', 'fold-2']) {
    expect(steps(fold, 'single')).toBe(5);
    expect(steps(fold, 'routed', 'segmenter-round') + steps(fold, 'routed', 'segmenter-square')).toBe(5);
    // Only whole batches: both sides used 10 samples.
    const log = readFileSync(join(folder, 'whole', fold, 'single', 'log.jsonl'), 'utf8');
    expect(log.split('"kind":"step"').length - 1).toBe(5);
  }
  expect(readFileSync(join(folder, 'whole', 'report.md'), 'utf8')).toContain('| round | 5 |');
  expect(
    readFileSync(join(folder, 'whole', 'scores.png'))
      .subarray(1, 4)
      .toString(),
  ).toBe('PNG');
});

test('folds can be trained by separate processes in one folder', async () => {
  const out = join(folder, 'apart');
  const ended = ['1', '2'].map((fold) => {
    const child = spawn(process.execPath, [program, ...given, '--out', out, '--fold', fold], {
      stdio: 'ignore',
      env,
    });
    return new Promise((done) => child.on('exit', done));
  });
  expect(await Promise.all(ended)).toEqual([0, 0]);
  expect(existsSync(join(out, 'report.json'))).toBe(false);
  expect(run('--out', out).stdout).not.toMatch(/fold-\d:/);
  expect(json('apart', 'report.json')).toEqual(json('whole', 'report.json'));
  expect(run('--out', out, '--fold', '3').stderr).toContain('--fold must be one of 1 to 2');
});

test('does not resume with other settings', () => {
  const other = run('--out', join(folder, 'whole'), '--steps', '12');
  expect(other.status).not.toBe(0);
  expect(other.stderr).toContain('other settings');
});
