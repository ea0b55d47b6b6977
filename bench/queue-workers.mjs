// A job queue over Redis: images per second of 1, 2 and 4 worker processes on this machine beside a loop over the SDK, and the
// time that a job costs besides its image. Options: --images N per turn (default 48), --rounds N (default 3), --jobs N for the
// cost of a job (default 500), --workers LIST (default 1,2,4). Needs redis-server. Each turn starts when the workers are ready. The
// threads of the machine are shared out among the workers.
import { spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { availableParallelism, loadavg, tmpdir } from 'node:os';
import { join } from 'node:path';
import { performance } from 'node:perf_hooks';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import sharp from 'sharp';
import { RoutedEnsemble } from '../dist/index.mjs';
import { createQueue, createWorker } from '../dist/queue.mjs';
import { freePort } from '../scripts/free-port.mjs';

const root = fileURLToPath(new URL('..', import.meta.url));
const model = join(root, 'test', 'ensemble');
const { values: options } = parseArgs({
  options: {
    images: { type: 'string', default: '48' },
    rounds: { type: 'string', default: '3' },
    jobs: { type: 'string', default: '500' },
    workers: { type: 'string', default: '1,2,4' },
  },
});
const [amount, rounds, jobs] = ['images', 'rounds', 'jobs'].map((name) => Number(options[name]));
const workers = options.workers.split(',').map(Number);
const TASK = { options: { cellType: 'fluorescence' } };
const threads = availableParallelism();

const folder = mkdtempSync(join(tmpdir(), 'cellroute-bench-queue-'));
const images = join(folder, 'images');
mkdirSync(images);
const large = join(
  root,
  'test/data/nuclei/images/8c3ef7aa7ed29b62a65b1c394d2b4a24aa3da25aebfdf3d29dbfc8ad1b08e95a.png',
);
// 256 × 256 pixels, each image with others.
const files = [];
for (let i = 0; i < amount; i++) {
  const place = { left: (i * 37) % 440, top: (i * 53) % 264, width: 256, height: 256 };
  files.push(join(images, `${i}.png`));
  await sharp(large).extract(place).toFile(files[i]);
}

const port = await freePort();
const redis = `redis://127.0.0.1:${port}`;
const server = spawn(
  'redis-server',
  [
    '--port',
    String(port),
    '--bind',
    '127.0.0.1',
    '--appendonly',
    'yes',
    '--maxmemory-policy',
    'noeviction',
    '--dir',
    folder,
  ],
  { stdio: ['ignore', 'pipe', 'inherit'] },
);
for await (const line of createInterface(server.stdout)) if (line.includes('Ready to accept')) break;
server.stdout.resume();

const median = (list) => [...list].sort((a, b) => a - b)[list.length >> 1];
let made = 0;

/** Starts a worker in a separate process and waits until it is ready. */
async function start(queue, results, share) {
  const args = ['worker', '--redis', redis, '--queue', queue, '--results', results, '--model', model];
  const child = spawn(process.execPath, [join(root, 'dist', 'cli', 'main.js'), ...args], {
    stdio: ['ignore', 'pipe', 'inherit'],
    env: { ...process.env, CELLROUTE_THREADS: String(share) },
  });
  for await (const line of createInterface(child.stdout)) if (line === 'Ready') break;
  child.stdout.resume();
  return child;
}

async function drain(queue) {
  for (;;) {
    const { waiting, running } = await queue.counts();
    if (waiting + running === 0) return;
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

/** Images per second of `count` workers. The first images of each worker are not counted. */
async function throughput(count) {
  const name = `bench-${made++}`;
  const results = join(folder, name);
  const queue = await createQueue({ redis, name });
  const share = Math.max(1, Math.floor(threads / count));
  const children = await Promise.all(Array.from({ length: count }, () => start(name, results, share)));
  await Promise.all(
    Array.from({ length: 4 * count }, (_, i) =>
      queue.submit({ ...TASK, image: files[i % amount], name: `warm-${i}.png` }),
    ),
  );
  await drain(queue);
  const started = performance.now();
  await Promise.all(files.map((image) => queue.submit({ ...TASK, image })));
  await drain(queue);
  const rate = amount / ((performance.now() - started) / 1000);
  const { failed } = await queue.counts();
  if (failed > 0) throw new Error(`${failed} jobs failed`);
  for (const child of children) {
    const ended = new Promise((resolve) => child.once('exit', resolve));
    child.kill('SIGTERM');
    await ended;
  }
  await queue.close();
  return rate;
}

const ensemble = await RoutedEnsemble.load(model);

/** Images per second of the SDK in one process, two calls at once. */
async function loop() {
  await ensemble.segment(files[0], TASK.options);
  const started = performance.now();
  for await (const { error } of ensemble.segmentAll(files, { ...TASK.options, concurrency: 2 })) {
    if (error) throw error;
  }
  return amount / ((performance.now() - started) / 1000);
}

/** Milliseconds per job with an existing result, from submission to its end, one after the other and many at once. */
async function cost(open) {
  const queue = await open();
  const results = join(folder, `cost-${made++}`);
  const worker = await createWorker(queue, { ensemble, results });
  const tiny = join(images, 'tiny.png');
  writeFileSync(
    tiny,
    await sharp({ create: { width: 64, height: 64, channels: 3, background: '#777' } })
      .png()
      .toBuffer(),
  );
  const task = { ...TASK, image: tiny };
  const once = async () => {
    const { job } = await queue.submit(task);
    for await (const { state } of queue.events(job.id))
      if (state === 'failed') throw new Error('a job failed');
  };
  for (let i = 0; i < 20; i++) await once();
  let started = performance.now();
  for (let i = 0; i < jobs / 5; i++) await once();
  const alone = (performance.now() - started) / (jobs / 5);
  started = performance.now();
  await Promise.all(Array.from({ length: jobs }, () => queue.submit(task)));
  await drain(queue);
  const together = (performance.now() - started) / jobs;
  await worker.close();
  await queue.close();
  return { alone, together };
}

const rates = new Map(['loop', ...workers].map((side) => [side, []]));
for (let round = 0; round < rounds; round++) {
  rates.get('loop').push(await loop());
  for (const count of workers) rates.get(count).push(await throughput(count));
}
const base = median(rates.get('loop'));
console.log(
  `${threads} threads, load ${loadavg()[0].toFixed(1)}, ${amount} images of 256 × 256 pixels, ${rounds} rounds\n`,
);
console.log('| side | images per second | of the loop |\n| --- | --- | --- |');
for (const [side, list] of rates) {
  const name = side === 'loop' ? 'a loop over the SDK' : `${side} ${side === 1 ? 'worker' : 'workers'}`;
  console.log(`| ${name} | ${median(list).toFixed(1)} | ${(median(list) / base).toFixed(2)} |`);
}
console.log(
  '\n| a job whose result is there | ms, one after the other | ms, many at once |\n| --- | --- | --- |',
);
for (const [name, open] of [
  ['Redis', () => createQueue({ redis, name: 'cost' })],
  ['journal', () => createQueue({ journal: join(folder, 'journal') })],
]) {
  const { alone, together } = await cost(open);
  console.log(`| ${name} | ${alone.toFixed(2)} | ${together.toFixed(2)} |`);
}
await ensemble.dispose();
// Redis writes its data when it ends.
const ended = new Promise((done) => server.once('exit', done));
server.kill('SIGTERM');
await ended;
rmSync(folder, { recursive: true, force: true });
