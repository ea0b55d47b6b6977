import { spawn, spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { cellroute, cellrouteIn } from '../support/cli.js';
import { image, root, testEnsemble } from '../support/sdk.js';

const main = join(root, 'dist/cli/main.js');
const folder = mkdtempSync(join(tmpdir(), 'cellroute-queue-cli-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const images = join(folder, 'images');
const names = Array.from({ length: 6 }, (_, i) => `image-${i}.png`);
beforeAll(() => {
  mkdirSync(images);
  // Each with other bytes: a PNG may have anything behind its end.
  for (const [i, name] of names.entries()) {
    writeFileSync(join(images, name), Buffer.concat([readFileSync(image.small), Buffer.from([i])]));
  }
});

// Of this process and of those that the tests start.
process.env.CELLROUTE_REDIS_URL = '';
const type = ['--cell-type', 'fluorescence'];

/** Files with the ending below a folder. */
const filesIn = (place: string, ending: string) =>
  (readdirSync(place, { recursive: true }) as string[]).filter((name) => name.endsWith(ending));

test('images that are submitted to a journal are done by a worker, also after it was killed', async () => {
  const journal = join(folder, 'jobs');
  const results = join(folder, 'results');
  const submitted = await cellroute('submit', images, '--journal', journal, ...type);
  expect(submitted).toMatchObject({ status: 0, stderr: '' });
  expect(submitted.stdout).toContain('6 jobs, 6 of them new');
  expect((await cellroute('submit', images, '--journal', journal, ...type)).stdout).toContain(
    '6 jobs, 0 of them new',
  );

  const args = ['worker', '--journal', journal, '--results', results, '--model', testEnsemble];
  const child = spawn(process.execPath, [main, ...args], { stdio: ['ignore', 'pipe', 'inherit'] });
  const exited = new Promise((resolve) => child.once('exit', (_, signal) => resolve(signal)));
  const before: string[] = [];
  for await (const line of createInterface(child.stdout)) {
    if (!line.includes('cells')) continue;
    before.push(line);
    if (before.length === 2) child.kill('SIGKILL');
  }
  expect(await exited).toBe('SIGKILL');

  const { status, stdout, stderr } = spawnSync(process.execPath, [main, ...args, '--until-empty'], {
    encoding: 'utf8',
  });
  expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
  const lines = [...before, ...stdout.split('\n').filter((line) => line.includes('cells'))];
  expect([...new Set(lines.map((line) => line.split(':')[0]))].sort()).toEqual(names);
  expect(
    filesIn(results, '.json')
      .map((name) => name.split('/').at(-1))
      .sort(),
  ).toEqual(names.map((name) => name.replace('.png', '.json')));
  expect(filesIn(results, 'record')).toHaveLength(6);

  const waited = await cellroute('submit', images, '--journal', journal, '--wait', ...type);
  expect(waited.status).toBe(0);
  expect(waited.stdout).toMatch(
    /image-0\.png: fluorescence, \d+ cells: [\da-f]{2}\/[\da-f]{64}\/image-0\.json\n/,
  );
});

test('one file is one job by any path, and a URL needs no valid escapes', async () => {
  const journal = ['--journal', join(folder, 'paths')];
  const first = await cellroute('submit', join(images, names[0]!), ...journal, '--wait');
  // Nothing runs the job while the command has the journal open.
  expect(first).toMatchObject({ status: 1, stdout: '1 job, 1 of them new\n' });
  expect(first.stderr).toMatch(/1 of 1 job in the journal did not run yet.*: run cellroute worker --journal/);
  const again = await cellrouteIn(folder, 'submit', join('images', names[0]!), ...journal);
  expect(again.stdout).toContain('1 job, 0 of them new');
  const percent = await cellroute('submit', 'http://127.0.0.1/100%.png', ...journal);
  expect(percent).toMatchObject({ status: 0, stdout: expect.stringMatching(/^100%\.png: /) });
  const wrong = await cellroute('submit', 'http://', ...journal);
  expect(wrong).toMatchObject({ status: 1, stderr: expect.stringContaining('[INVALID_ARGUMENT]') });
});

test('a job that failed is reported, and runs again with --retry', async () => {
  const journal = join(folder, 'failing');
  const own = join(folder, 'own');
  mkdirSync(own);
  const file = join(own, 'a.png');
  writeFileSync(file, 'no image');
  const worker = [
    'worker',
    '--journal',
    journal,
    '--results',
    join(folder, 'r2'),
    '--model',
    testEnsemble,
    '--until-empty',
  ];
  expect((await cellroute('submit', file, '--journal', journal)).status).toBe(0);
  const first = await cellroute(...worker);
  expect(first.status).toBe(0);
  expect(first.stderr.match(/a\.png: .*\[IMAGE_UN\w+\]/g)).toHaveLength(1);
  const waited = await cellroute('submit', file, '--journal', journal, '--wait');
  expect(waited.status).toBe(1);
  expect(waited.stderr).toMatch(/a\.png: failed: .*\[IMAGE_UN\w+\]\n1 of 1 jobs did not end with a result\n/);
  expect((await cellroute('submit', file, '--journal', journal, '--retry')).stdout).toContain('(waiting)');
  // The file is another one now: it is another job.
  cpSync(image.small, file);
  expect((await cellroute('submit', file, '--journal', journal)).stdout).toContain('1 job, 1 of them new');
});

test('SIGTERM ends a worker with status 0, and its probes say so', async () => {
  const args = ['--journal', join(folder, 'idle'), '--results', join(folder, 'r3'), '--model', testEnsemble];
  const child = spawn(process.execPath, [main, 'worker', ...args, '--probes', '0'], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const exited = new Promise((resolve) => child.once('exit', resolve));
  const lines: string[] = [];
  for await (const line of createInterface(child.stdout)) {
    lines.push(line);
    if (line !== 'Ready') continue;
    const port = lines.join('\n').match(/Probes on port (\d+)/)![1];
    expect((await fetch(`http://127.0.0.1:${port}/readyz`)).status).toBe(200);
    child.kill('SIGTERM');
  }
  expect(await exited).toBe(0);
  expect(lines.at(-1)).toBe('Stopping: running jobs are finished');
});

describe('refuses', () => {
  test('to start without a queue', async () => {
    const { status, stderr } = await cellroute('submit', images);
    expect(status).toBe(1);
    expect(stderr).toContain(
      'Pass --redis URL or --journal FOLDER, or set the environment variable CELLROUTE_REDIS_URL',
    );
    expect(stderr).toContain('[INVALID_ARGUMENT]');
  });

  test('a Redis that cannot be reached, without the password of its URL', async () => {
    const { status, stderr } = await cellroute(
      'submit',
      images,
      '--redis',
      'redis://user:secret@127.0.0.1:1',
    );
    expect(status).toBe(1);
    expect(stderr).toMatch(
      /Redis at 127\.0\.0\.1:1 cannot be reached: .*ECONNREFUSED.*\[QUEUE_UNAVAILABLE\]/,
    );
    expect(stderr).not.toContain('secret');
  });

  /** What a statement prints where optional packages are not installed; `queue` is cellroute/queue. */
  const withoutPackages = (statement: string) => {
    const program = `const Module = require('node:module');
      const resolve = Module._resolveFilename;
      Module._resolveFilename = (name, ...rest) => {
        if (/^(bullmq|ioredis|@aws-sdk)/.test(name)) throw new Error('hidden');
        return resolve(name, ...rest);
      };
      const queue = require(${JSON.stringify(join(root, 'dist', 'queue.js'))});
      (async () => { ${statement} })().catch((error) => console.log(error.code, error.message));`;
    return spawnSync(process.execPath, ['-e', program], { encoding: 'utf8' }).stdout;
  };

  test('a bucket without its packages, with the command that installs them', () => {
    expect(withoutPackages("new queue.S3Objects('s3://lab/results')")).toBe(
      'PACKAGE_MISSING An S3 object store needs the packages @aws-sdk/client-s3, @aws-sdk/lib-storage, which are not installed: npm install @aws-sdk/client-s3@3 @aws-sdk/lib-storage@3\n',
    );
  });

  test('Redis without its packages, with the command that installs them', () => {
    expect(withoutPackages("await queue.createQueue({ redis: 'redis://127.0.0.1' })")).toBe(
      'PACKAGE_MISSING A job queue over Redis needs the packages bullmq, ioredis, which are not installed: npm install bullmq@6 ioredis@5; or use a journal on this machine (journal, --journal)\n',
    );
  });
});
