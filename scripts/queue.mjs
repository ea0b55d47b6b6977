// Tests a job queue over a real Redis server under failures: workers are killed and suspended, Redis is killed and restarted,
// disks are full, images crash their workers. No job may be lost, no result may be written twice, and all counts must be exact.
//   node scripts/queue.mjs [--long] [--only PART]     --long: 500 images; part of the name of a check
// Needs redis-server, which is installed from Debian where that is possible, and a built checkout. The checks of buckets need
// moto, a server with the protocol of S3, which is installed from PyPI.
import { spawn } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as delay } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import sharp from 'sharp';
import { freePort } from './free-port.mjs';
import { bucketChecks } from './queue/buckets.mjs';
import { schemaChecks, validatorPython } from './queue/deploy.mjs';
import { S3Server } from './queue/s3-server.mjs';
import { equal, MAIN, MODEL, OPTIONS, oneProcess } from './queue/support.mjs';
import { finish, noCounts } from './report.mjs';
import { childEnvironment, ensureBuilt, must, root } from './run.mjs';
import { ensureRedis } from './system.mjs';

const { values } = parseArgs({
  options: { long: { type: 'boolean', default: false }, only: { type: 'string' } },
});
const IMAGES = values.long ? 500 : 32;
const KILLS = values.long ? 12 : 2;
const REDIS_KILLS = values.long ? 3 : 1;
/** Seconds until the job of a killed worker is given to another one. */
const LOCK = 4;
/** Of every process: results are equal to the bit only with as many threads. */
process.env.CELLROUTE_THREADS = '1';

const folder = mkdtempSync(join(tmpdir(), 'cellroute-queue-'));
const images = join(folder, 'images');
mkdirSync(images);

/** A server that can be killed and restarted with its data. */
class RedisServer {
  async start(port) {
    this.port ??= port;
    const data = join(folder, 'redis');
    mkdirSync(data, { recursive: true });
    const args = `--port ${this.port} --bind 127.0.0.1 --appendonly yes --maxmemory-policy noeviction --dir ${data}`;
    this.child = spawn('redis-server', [...args.split(' '), '--save', ''], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    for await (const line of createInterface(this.child.stdout)) {
      if (line.includes('Ready to accept connections')) break;
    }
    this.child.stdout.resume();
  }

  get url() {
    return `redis://127.0.0.1:${this.port}`;
  }

  async kill() {
    const ended = new Promise((resolve) => this.child.once('exit', resolve));
    this.child.kill('SIGKILL');
    await ended;
  }
}

/** Processes that a failed check has not ended. */
const started = new Set();

/** A worker in a separate process, and its output. */
class Worker {
  lines = [];
  constructor(settings) {
    const program = join(root, 'test', 'queue', 'worker.mjs');
    this.child = spawn(process.execPath, [program, JSON.stringify(settings)], {
      stdio: ['ignore', 'pipe', 'inherit'],
      env: childEnvironment({ OMP_WAIT_POLICY: 'PASSIVE' }),
    });
    started.add(this.child);
    this.ended = new Promise((resolve) =>
      this.child.once('exit', (code, signal) => {
        started.delete(this.child);
        resolve(signal ?? code);
      }),
    );
    createInterface(this.child.stdout).on('line', (line) => this.lines.push(JSON.parse(line)));
  }

  get alive() {
    return this.child.exitCode === null && this.child.signalCode === null;
  }

  /** Resolves when it has printed such a line. */
  async prints(is) {
    while (!this.lines.some(is)) {
      if (!this.alive) throw new Error('the worker has ended');
      await delay(10);
    }
  }

  async end() {
    this.child.kill('SIGCONT');
    this.child.kill('SIGTERM');
    return this.ended;
  }
}

/** Small images with different pixels. */
async function makeImages(count) {
  const nuclei = join(root, 'test', 'data', 'nuclei', 'images');
  const large = join(nuclei, '8c3ef7aa7ed29b62a65b1c394d2b4a24aa3da25aebfdf3d29dbfc8ad1b08e95a.png');
  const { data, info } = await sharp(large).greyscale().raw().toBuffer({ resolveWithObject: true });
  const { width, height } = info;
  const side = 96;
  const names = Array.from({ length: count }, (_, i) => `image-${String(i).padStart(3, '0')}.png`);
  for (const [i, name] of names.entries()) {
    const left = (i * 37) % (width - side);
    const top = (i * 53) % (height - side);
    await sharp(data, { raw: { width, height, channels: 1 } })
      .extract({ left, top, width: side, height: side })
      .png()
      .toFile(join(images, name));
  }
  return names;
}

/** A slide of 720 × 720 pixels, made once. */
async function makeSlide() {
  const path = join(images, 'slide.tif');
  if (existsSync(path)) return path;
  const large = join(root, 'examples', 'images', 'fluorescence-large.png');
  await sharp(large)
    .resize(720, 720)
    .tiff({ tile: true, tileWidth: 128, tileHeight: 128, pyramid: true })
    .toFile(path);
  return path;
}

/** Watches the files of results: each must stay the file that was seen first. */
class Watched {
  files = new Map();
  replaced = new Set();
  constructor(place) {
    this.place = place;
    this.timer = setInterval(() => this.look(), 50);
  }

  look() {
    if (!existsSync(this.place)) return;
    for (const entry of readdirSync(this.place, { recursive: true, withFileTypes: true })) {
      if (!entry.isFile() || entry.name.endsWith('.part') || entry.parentPath.endsWith('/rows')) continue;
      const path = join(entry.parentPath, entry.name);
      const { ino, mtimeMs } = statSync(path);
      const version = `${ino} ${mtimeMs}`;
      const before = this.files.get(path);
      if (before !== undefined && before !== version) this.replaced.add(path);
      this.files.set(path, version);
    }
  }

  stop() {
    clearInterval(this.timer);
    this.look();
    const named = (ending) => [...this.files.keys()].filter((path) => path.endsWith(ending)).length;
    return { replaced: this.replaced.size, records: named('/record'), results: named('.json') };
  }
}

const redis = new RedisServer();
const s3 = new S3Server();
let made = 0;

/** A separate queue with `workers` workers, for one check. */
async function scene(workers, { limits = {}, settings = {} } = {}) {
  const { createQueue } = await import('../dist/queue.mjs');
  const name = `check-${made++}`;
  const results = join(folder, name);
  const open = () => createQueue({ redis: redis.url, name, retrySeconds: 0.1, ...limits });
  const queue = await open();
  const watched = new Watched(results);
  const all = [];
  const startWorker = (more = {}) => {
    const worker = new Worker({
      redis: redis.url,
      queue: name,
      results,
      images,
      model: MODEL,
      lockSeconds: LOCK,
      ...settings,
      ...more,
    });
    all.push(worker);
    return worker;
  };
  for (let i = 0; i < workers; i++) startWorker();
  const submit = (key, options, more = {}) =>
    queue.submit({ image: { key }, options: OPTIONS, ...more }, options);
  const idle = async () => {
    for (;;) {
      const { waiting, running } = await queue.counts();
      if (waiting + running === 0) return;
      await delay(50);
    }
  };
  /** Resolves when all workers have loaded their model. */
  const ready = () => Promise.all(all.map((worker) => worker.prints((line) => line.ready)));
  const end = async () => {
    await Promise.all(all.filter(({ alive }) => alive).map((worker) => worker.end()));
    await queue.close();
    return watched.stop();
  };
  return { name, results, queue, open, all, startWorker, submit, idle, ready, end };
}

/** The results of jobs: each is done and names an existing record. */
async function resultsOf({ queue, results }, ids) {
  const all = [];
  for (const id of ids) {
    const result = await queue.result(id);
    const record = JSON.parse(
      readFileSync(join(results, result.key.slice(0, 2), result.key, 'record'), 'utf8'),
    );
    equal('the record', record.cells, result.cells);
    all.push(result);
  }
  return all;
}

const checks = [
  [
    `${IMAGES} images and four workers; every image is submitted twice at the same time`,
    async (names) => {
      const one = await scene(4);
      await one.ready();
      const other = await one.open();
      const submitted = await Promise.all(
        names.flatMap((key) =>
          [one.queue, other].map((queue) => queue.submit({ image: { key }, options: OPTIONS }, { key })),
        ),
      );
      await other.close();
      equal('new jobs', submitted.filter(({ created }) => created).length, names.length);
      const ids = [...new Set(submitted.map(({ job }) => job.id))];
      equal('jobs', ids.length, names.length);
      await one.idle();
      equal('counts', await one.queue.counts(), { waiting: 0, running: 0, done: names.length, failed: 0 });
      const results = await resultsOf(one, ids);
      equal('written', results.filter(({ created }) => created).length, names.length);
      const steps = one.all.flatMap(({ lines }) => lines.filter(({ step }) => step === 'image'));
      equal('images that were segmented', steps.length, names.length);
      if (one.all.some(({ lines }) => !lines.some(({ step }) => step)))
        throw new Error('a worker had no job');
      // The same tasks as new jobs: nothing is computed.
      await Promise.all(names.map((key) => one.submit(key)));
      await one.idle();
      equal('done', (await one.queue.counts()).done, 2 * names.length);
      const after = one.all.flatMap(({ lines }) => lines.filter(({ created }) => created));
      equal('written in all', after.length, names.length);
      equal('files', await one.end(), { replaced: 0, records: names.length, results: names.length });
    },
  ],
  [
    `workers are killed ${KILLS} times and suspended, Redis is killed ${REDIS_KILLS} times`,
    async (names) => {
      const one = await scene(4);
      const ids = (await Promise.all(names.map((key) => one.submit(key, { key })))).map(({ job }) => job.id);
      let seed = 7;
      const random = (below) => {
        seed = (seed * 1103515245 + 12345) % 2147483648;
        return seed % below;
      };
      const disturbances = [
        ...Array(KILLS).fill('kill'),
        ...Array(Math.ceil(KILLS / 4)).fill('suspend'),
        ...Array(REDIS_KILLS).fill('redis'),
      ];
      for (const [i, what] of disturbances.sort(() => random(3) - 1).entries()) {
        const alive = one.all.filter((worker) => worker.alive && worker.lines.length > 0);
        const worker = alive[random(alive.length)];
        if (what === 'redis') {
          await redis.kill();
          await delay(i % 2 ? 300 : (LOCK + 0.5) * 1000);
          await redis.start();
        } else if (what === 'kill') {
          worker?.child.kill('SIGKILL');
          one.startWorker();
        } else {
          worker?.child.kill('SIGSTOP');
          // Its jobs are given to others, and then it goes on.
          await delay((2.5 * LOCK + 1) * 1000);
          worker?.child.kill('SIGCONT');
        }
        await delay(values.long ? 2000 + random(3000) : 1000);
      }
      await one.idle();
      equal('counts', await one.queue.counts(), { waiting: 0, running: 0, done: names.length, failed: 0 });
      const results = await resultsOf(one, ids);
      equal('keys', new Set(results.map(({ key }) => key)).size, names.length);
      equal('files', await one.end(), { replaced: 0, records: names.length, results: names.length });
    },
  ],
  [
    'a worker that is suspended loses its job, goes on, and changes nothing',
    async () => {
      const one = await scene(1, { settings: { concurrency: 1 } });
      await sharp(join(images, 'image-000.png')).negate().toFile(join(images, 'held-1.png'));
      const { job } = await one.submit('held-1.png');
      const [first] = one.all;
      await first.prints(({ reading }) => reading === 'held-1.png');
      first.child.kill('SIGSTOP');
      writeFileSync(join(images, 'held-1.png.go'), '');
      const second = one.startWorker();
      await second.prints(({ created }) => created === true);
      await one.idle();
      const ended = await one.queue.get(job.id);
      first.child.kill('SIGCONT');
      await first.prints(({ step }) => step === 'image');
      equal('written by the first', first.lines.find(({ step }) => step).created, false);
      equal('the job', await one.queue.get(job.id), ended);
      await second.end();
      const next = await one.submit('image-001.png');
      await one.idle();
      equal('the next job', (await one.queue.get(next.job.id)).state, 'done');
      equal('files', await one.end(), { replaced: 0, records: 2, results: 2 });
    },
  ],
  [
    'an image that ends its worker is not retried after three workers, and others are not affected',
    async (names) => {
      const one = await scene(0);
      const others = names.slice(0, 8);
      const [poison, ...rest] = (
        await Promise.all(['poison.png', ...others].map((key) => one.submit(key)))
      ).map(({ job }) => job.id);
      // Each takes two jobs at once; one that ends is followed by another, as where something restarts them.
      for (let running = one.startWorker(); ; ) {
        const { waiting, running: count } = await one.queue.counts();
        if (waiting + count === 0) break;
        if (!running.alive) running = one.startWorker();
        await delay(50);
      }
      equal('workers that ended', readFileSync(join(images, 'deaths'), 'utf8').trim().split('\n').length, 3);
      const { state, error } = await one.queue.get(poison);
      equal('the image', [state, error.code], ['failed', 'JOB_ABANDONED']);
      equal('counts', await one.queue.counts(), { waiting: 0, running: 0, done: others.length, failed: 1 });
      await resultsOf(one, rest);
      equal('files', await one.end(), { replaced: 0, records: others.length, results: others.length });
    },
  ],
  [
    'an image that cannot be read fails once, with its code',
    async () => {
      writeFileSync(join(images, 'broken.png'), 'this is no image');
      const one = await scene(1);
      const ids = [];
      for (const key of ['broken.png', 'missing.png']) ids.push((await one.submit(key)).job.id);
      await one.idle();
      const codes = await Promise.all(ids.map(async (id) => (await one.queue.get(id)).error.code));
      equal('codes', codes, ['IMAGE_UNREADABLE', 'FILE_UNREADABLE']);
      const [worker] = one.all;
      equal('attempts', worker.lines.filter(({ reading }) => reading).length, 2);
      equal('files', await one.end(), { replaced: 0, records: 0, results: 0 });
    },
  ],
  [
    'a full disk: workers wait for room, and finish',
    async (names) => {
      const some = names.slice(0, 12);
      writeFileSync(join(images, 'full'), '');
      const one = await scene(2);
      const ids = (await Promise.all(some.map((key) => one.submit(key)))).map(({ job }) => job.id);
      for (const worker of one.all) await worker.prints(({ full }) => full);
      await delay(LOCK * 2000);
      const { done, failed } = await one.queue.counts();
      equal('ended while the disk is full', done + failed, 0);
      rmSync(join(images, 'full'));
      await one.idle();
      const results = await resultsOf(one, ids);
      equal('results', results.length, some.length);
      const computed = one.all.flatMap(({ lines }) => lines.filter(({ reading }) => reading));
      equal('images that were read', computed.length, some.length);
      equal('files', await one.end(), { replaced: 0, records: some.length, results: some.length });
    },
  ],
  [
    'a running job is cancelled from another process, and a waiting one never starts',
    async () => {
      writeFileSync(join(images, 'held-2.png'), '');
      const one = await scene(1, { settings: { concurrency: 1 } });
      const [running, waiting] = [await one.submit('held-2.png'), await one.submit('image-003.png')];
      const [worker] = one.all;
      await worker.prints(({ reading }) => reading === 'held-2.png');
      equal('state', (await one.queue.get(running.job.id)).state, 'running');
      equal('waiting', (await one.queue.cancel(waiting.job.id)).state, 'cancelled');
      equal('running', (await one.queue.cancel(running.job.id)).state, 'cancelled');
      const last = await one.submit('image-004.png');
      await one.idle();
      equal(
        'read',
        worker.lines.flatMap(({ reading }) => reading ?? []),
        ['held-2.png', 'image-004.png'],
      );
      equal('the last', (await one.queue.get(last.job.id)).state, 'done');
      for (const { job } of [running, waiting])
        equal('state', (await one.queue.get(job.id)).state, 'cancelled');
      await one.queue.retry(waiting.job.id);
      await one.idle();
      equal('state', (await one.queue.get(waiting.job.id)).state, 'done');
      await one.end();
    },
  ],
  [
    'priorities, a bound on waiting jobs, and removal of ended ones',
    async (names) => {
      const one = await scene(0, { limits: { maxWaiting: 6, maxEnded: 3 } });
      const order = [0, 5, 0, 9, 5, 0];
      const keys = names.slice(0, 6);
      for (const [i, priority] of order.entries()) await one.submit(keys[i], { key: keys[i], priority });
      const refused = await one.submit(names[6]).catch(({ code }) => code);
      equal('beyond the bound', refused, 'BUSY');
      const waiting = one.submit(names[6], { whenBusy: 'wait' });
      const worker = one.startWorker({ concurrency: 1 });
      await waiting;
      await one.idle();
      const read = worker.lines.flatMap(({ reading }) => reading ?? []);
      equal(
        'order',
        read.slice(0, 6),
        [3, 1, 4, 0, 2, 5].map((i) => keys[i]),
      );
      const { done } = await one.queue.counts();
      equal('kept', done, 3);
      const { created } = await one.submit(keys[3], { key: keys[3] });
      equal('the key of a removed job is free', created, true);
      await one.idle();
      equal('files', await one.end(), { replaced: 0, records: 7, results: 7 });
    },
  ],
  [
    'SIGTERM: a job that is nearly done is finished, one that is not waits for the next worker',
    async () => {
      for (const name of ['held-3.png', 'held-4.png']) {
        await sharp(join(images, 'image-005.png'))
          .gamma(name === 'held-3.png' ? 2 : 3)
          .toFile(join(images, name));
      }
      const one = await scene(1, { settings: { drainSeconds: 5 } });
      const ids = [];
      for (const key of ['held-3.png', 'held-4.png']) ids.push((await one.submit(key)).job.id);
      const [worker] = one.all;
      for (const key of ['held-3.png', 'held-4.png']) await worker.prints(({ reading }) => reading === key);
      worker.child.kill('SIGTERM');
      writeFileSync(join(images, 'held-3.png.go'), '');
      equal('exit status', await worker.ended, 0);
      const states = await Promise.all(ids.map(async (id) => (await one.queue.get(id)).state));
      equal('states', states, ['done', 'waiting']);
      writeFileSync(join(images, 'held-4.png.go'), '');
      one.startWorker();
      await one.idle();
      equal('counts', await one.queue.counts(), { waiting: 0, running: 0, done: 2, failed: 0 });
      await one.end();
    },
  ],
  [
    'a slide: a job per row of tiles on two workers, one of them killed; equal to one process',
    async () => {
      const path = await makeSlide();
      const options = { ...OPTIONS, tiles: { size: 192, overlap: 64 } };
      const one = await scene(2, { settings: { concurrency: 1 } });
      await one.ready();
      const task = { image: path, slide: true, options };
      const { job } = await one.queue.submit(task);
      const stages = new Set();
      const watch = (async () => {
        for await (const { progress } of one.queue.events(job.id)) if (progress) stages.add(progress.stage);
      })();
      const rows = one.all.map((worker) => worker.prints(({ step }) => step === 'row'));
      for (const row of rows) row.catch(() => {});
      await Promise.race([Promise.all(rows), watch]);
      one.all[1].child.kill('SIGKILL');
      one.startWorker();
      await watch;
      equal('state', (await one.queue.get(job.id)).state, 'done');
      if (!stages.has('rows of tiles')) throw new Error('no progress over rows was reported');
      const { files, cells, key } = await one.queue.result(job.id);
      const got = JSON.parse(readFileSync(join(one.results, files.json), 'utf8'));
      const expected = await oneProcess(path, options);
      equal('cells', cells, expected.cells.length);
      equal('the result', got, expected);
      const workers = one.all.filter(({ lines }) => lines.some(({ step }) => step === 'row')).length;
      if (workers < 2) throw new Error('one worker did all rows');
      const place = join(one.results, key.slice(0, 2), key, 'rows');
      equal('rows that are left', existsSync(place) ? readdirSync(place).length : 0, 0);
      equal('files', await one.end(), { replaced: 0, records: 1, results: 1 });
    },
  ],
  [
    'a slide whose tiles need too much memory, on two workers: equal to one process with smaller tiles',
    async () => {
      const path = await makeSlide();
      const large = { ...OPTIONS, tiles: { size: 384, overlap: 64 } };
      const one = await scene(2, { settings: { concurrency: 1, exhaustedAbove: 192 } });
      await one.ready();
      const { job } = await one.queue.submit({ image: path, slide: true, options: large });
      await one.idle();
      equal('state', (await one.queue.get(job.id)).state, 'done');
      const { files, key, notices } = await one.queue.result(job.id);
      const notice = 'Memory was exhausted, so the slide was segmented in tiles of 192 pixels.';
      equal('notices', notices, [notice]);
      const expected = await oneProcess(path, { ...OPTIONS, tiles: { size: 192, overlap: 64 } });
      const { notices: own, ...got } = JSON.parse(readFileSync(join(one.results, files.json), 'utf8'));
      equal('notices of the result', own, [notice]);
      equal('the result', got, expected);
      const place = join(one.results, key.slice(0, 2), key, 'rows');
      equal('rows that are left', existsSync(place) ? readdirSync(place).length : 0, 0);
      const plans = one.all.flatMap(({ lines }) => lines.filter(({ step }) => step === 'plan'));
      equal('plans', plans.length, 2);
      const again = await one.queue.submit({ image: path, slide: true, options: large });
      await one.idle();
      equal('computed again', (await one.queue.result(again.job.id)).created, false);
      equal('files', await one.end(), { replaced: 0, records: 1, results: 1 });
    },
  ],
  [
    'a slide with a row that fails, and one that is cancelled while its rows run',
    async () => {
      const { CellrouteError } = await import('../dist/index.mjs');
      const one = await scene(0);
      const rows = [];
      const stopped = [];
      // Work without images, as that of a real slide does not fail where this needs it to.
      const runner = {
        plan: async ({ name }) => ({ key: name, rows: 4 }),
        missingRows: async () => [0, 1, 2, 3],
        row: async ({ name }, _, row, { signal }) => {
          rows.push(row);
          if (name === 'bad') throw new CellrouteError('IMAGE_UNREADABLE', `row ${row} is damaged`);
          await new Promise((resolve) => signal.addEventListener('abort', resolve));
          stopped.push(row);
          throw signal.reason;
        },
      };
      const work = await one.queue.work(runner, { concurrency: 2, lockSeconds: LOCK, onError: () => {} });
      const task = { image: 'slide.tif', slide: true };
      const { job: bad } = await one.queue.submit({ ...task, name: 'bad' });
      await one.idle();
      const { state, error } = await one.queue.get(bad.id);
      equal(
        'the slide',
        [state, error.code, /^row \d is damaged$/.test(error.message)],
        ['failed', 'IMAGE_UNREADABLE', true],
      );
      rows.length = 0;
      const { job } = await one.queue.submit({ ...task, name: 'held' });
      while (rows.length < 2) await delay(20);
      equal('cancelled', (await one.queue.cancel(job.id)).state, 'cancelled');
      await one.idle();
      equal('rows that were stopped', stopped.length, 2);
      equal('rows that were started', rows.length, 2);
      equal('state', (await one.queue.get(job.id)).state, 'cancelled');
      equal('counts', await one.queue.counts(), { waiting: 0, running: 0, done: 0, failed: 2 });
      await work.stop(0);
      await one.end();
    },
  ],
  [
    'cellroute submit and cellroute worker',
    async (names) => {
      const own = ['--redis', redis.url, '--queue', 'cli'];
      const results = join(folder, 'cli');
      const args = ['worker', ...own, '--results', results, '--model', MODEL, '--until-empty'];
      const paths = names.slice(0, 4).map((name) => join(images, name));
      must(process.execPath, [MAIN, 'submit', ...paths, ...own, '--cell-type', 'fluorescence'], {
        capture: true,
      });
      const printed = must(process.execPath, [MAIN, ...args], { capture: true });
      equal('images', printed.match(/^image-00\d\.png: fluorescence, \d+ cells/gm)?.length, 4);
      const wait = [MAIN, 'submit', ...paths, ...own, '--cell-type', 'fluorescence', '--wait'];
      equal('results', must(process.execPath, wait, { capture: true }).match(/\.json$/gm)?.length, 4);
    },
  ],
];

const counts = noCounts();
if (!ensureRedis()) {
  console.log('skipped: redis-server is not installed and cannot be installed from here');
  counts.skipped++;
} else {
  ensureBuilt();
  await redis.start(await freePort());
  const names = await makeImages(IMAGES);
  const all = [...checks];
  /** Adds checks whose package from PyPI is there. */
  const addWith = (isThere, what, more) => {
    if (isThere) all.push(...more);
    else for (const [name] of more) console.log(`skipped ${name} (${what} cannot be installed from here)`);
    if (!isThere) counts.skipped += more.length;
  };
  addWith(await s3.start(await freePort()), 'moto', bucketChecks({ s3, redis, images, scene, makeSlide }));
  const python = validatorPython();
  addWith(python, 'the validator', schemaChecks(python));
  try {
    for (const [name, check] of all) {
      if (values.only && !name.includes(values.only)) continue;
      const began = Date.now();
      let problem = '';
      try {
        await check(names);
      } catch (error) {
        problem = `\n${error.stack}`;
      }
      const seconds = ((Date.now() - began) / 1000).toFixed(1);
      console.log(`${problem ? 'FAILED' : 'ok    '} ${name} (${seconds} s)${problem}`);
      counts[problem ? 'failed' : 'passed']++;
    }
  } finally {
    for (const child of started) child.kill('SIGKILL');
    await redis.kill();
    s3.kill();
    rmSync(folder, { recursive: true, force: true });
  }
}
finish(counts);
// A failed check may have left a connection.
process.exit();
