// Measures cancellation, queueing, memory and waiting policy for the table of bench/README.md. Options: --busy N starts N
// processes that only compute, --samples N aborts per row (default 100), --images N for the queue of large images (default
// 200), --only NAMES. All numbers are measured in this run; ratios compare processes that are measured alternately.
import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { loadavg, tmpdir } from 'node:os';
import { join } from 'node:path';
import { monitorEventLoopDelay, performance } from 'node:perf_hooks';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

const require = createRequire(import.meta.url);
const root = fileURLToPath(new URL('..', import.meta.url));
const { values: options } = parseArgs({
  options: {
    busy: { type: 'string', default: '0' },
    samples: { type: 'string', default: '100' },
    images: { type: 'string', default: '200' },
    only: { type: 'string' },
    one: { type: 'string' },
  },
});
const samples = Number(options.samples);

/** Bright discs on a dark, uneven background, grey. */
function discs(width, height) {
  const data = new Uint8Array(width * height);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const inside = Math.hypot((x % 48) - 24, (y % 48) - 24) < 11;
      data[y * width + x] = (inside ? 190 : 20) + ((x * 7919 + y * 104729) % 23);
    }
  }
  return { data, width, height, channels: 1 };
}

const starterFile = join(root, 'test/ensemble/fluorescence.safetensors');

const sampling = {
  rpnFgIou: 0.7,
  rpnBgIou: 0.3,
  rpnBatchSize: 256,
  rpnPositiveFraction: 0.5,
  rpnPreNmsTopN: 2000,
  rpnPostNmsTopN: 2000,
  boxFgIou: 0.5,
  boxBgIou: 0.5,
  boxBatchSize: 512,
  boxPositiveFraction: 0.25,
  skipResize: false,
};

async function trainer(config) {
  const { SegmenterNetwork } = require('../dist/trainer/network.js');
  return SegmenterNetwork.create(config, {
    optimizer: { kind: 'sgd', weightDecay: 0.0005, nesterov: false },
    trainableLayers: 5,
    updateBatchStatistics: false,
    averageDecay: null,
    precision: 'float32',
    deterministic: false,
    seed: 1,
    sampling,
  });
}

const r50Config = () => require('../dist/config/mask-rcnn.js').maskRCNNConfig({});
const starterConfig = async () => {
  const { CellSegmenter } = require('../dist/index.js');
  const segmenter = await CellSegmenter.load(starterFile);
  return segmenter.config;
};

/** With random weights, no cell has a high score: all up to the limit are kept, so that all stages run once. */
const everything = { minScore: 0.01, tiles: false };

async function r50Segmenter(folder) {
  const { CellSegmenter } = require('../dist/index.js');
  const network = await trainer(r50Config());
  const fresh = await network.snapshot('current');
  const file = join(folder, 'r50.safetensors');
  await fresh.save(file);
  await fresh.dispose();
  await network.dispose();
  return CellSegmenter.load(file);
}

/** One training sample: an image of discs, and masks for some of them. */
function trainSample(width, height) {
  const { Masks } = require('../dist/index.js');
  const { data } = discs(width, height);
  const plane = Float32Array.from(data, (value) => value / 255);
  const pixels = new Float32Array(3 * plane.length);
  for (let channel = 0; channel < 3; channel++) pixels.set(plane, channel * plane.length);
  const count = 40;
  const masks = new Uint8Array(count * width * height);
  for (let i = 0; i < count; i++) {
    const [left, top] = [(i % 8) * 48, Math.floor(i / 8) * 48];
    for (let y = 13; y < 35; y++) {
      for (let x = 13; x < 35; x++) masks[i * width * height + (top + y) * width + left + x] = 1;
    }
  }
  return {
    pixels,
    width,
    height,
    masks: Masks.encode(masks, { width, height, count }).toBatch(),
    labels: new Int32Array(count).fill(1),
  };
}

const quantile = (sorted, share) => sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))];

function summary(times) {
  const sorted = times.toSorted((a, b) => a - b);
  const round = (value) => Math.round(value * 10) / 10;
  return {
    p50: round(quantile(sorted, 0.5)),
    p90: round(quantile(sorted, 0.9)),
    p99: round(quantile(sorted, 0.99)),
    max: round(sorted.at(-1)),
    count: sorted.length,
  };
}

const sleep = (milliseconds) => new Promise((done) => setTimeout(done, milliseconds));

/** Milliseconds from aborting a call, at a random time, to its rejection. */
async function aborts(call, count = samples) {
  await call(undefined);
  const began = performance.now();
  await call(undefined);
  const whole = performance.now() - began;
  const times = [];
  const late = [];
  for (let i = 0; i < count; i++) {
    const stop = new AbortController();
    const work = call(stop.signal).then(
      () => 'done',
      () => 'aborted',
    );
    await sleep(((i + 0.5) / count) * whole * 0.98);
    const at = performance.now();
    stop.abort();
    const outcome = await work;
    (outcome === 'aborted' ? times : late).push(performance.now() - at);
  }
  return { ...summary(times), whole: Math.round(whole), tooLate: late.length };
}

const rows = {
  async 'abort-starter'() {
    const { CellSegmenter } = require('../dist/index.js');
    const segmenter = await CellSegmenter.load(starterFile);
    const image = discs(1024, 1024);
    return aborts((signal) => segmenter.segment(image, { tiles: false, ...(signal && { signal }) }));
  },

  async 'abort-r50'(folder) {
    const segmenter = await r50Segmenter(folder);
    const image = discs(704, 520);
    return aborts((signal) => segmenter.segment(image, { ...everything, ...(signal && { signal }) }));
  },

  async 'abort-step-starter'() {
    return abortSteps(await starterConfig(), 512, 512);
  },

  async 'abort-step-r50'() {
    return abortSteps(r50Config(), 704, 520);
  },

  /** Calls are aborted while 1 to 20 others wait before them. */
  async 'abort-waiting'() {
    const { CellSegmenter } = require('../dist/index.js');
    const segmenter = await CellSegmenter.load(starterFile);
    const image = discs(512, 512);
    const times = [];
    while (times.length < samples) {
      const stops = Array.from({ length: 21 }, () => new AbortController());
      const calls = stops.map(({ signal }) => segmenter.segment(image, { signal }).catch(() => {}));
      await sleep(60);
      for (let i = 1; i < stops.length; i++) {
        const at = performance.now();
        stops[i].abort();
        await calls[i];
        times.push(performance.now() - at);
      }
      stops[0].abort();
      await calls[0];
    }
    return summary(times);
  },

  async dispose() {
    const { CellSegmenter } = require('../dist/index.js');
    const image = discs(1024, 1024);
    const times = [];
    for (let i = 0; i < Math.min(samples, 20); i++) {
      const segmenter = await CellSegmenter.load(starterFile);
      const call = segmenter.segment(image, { tiles: false }).catch(() => {});
      await sleep(50 + 40 * i);
      const at = performance.now();
      await segmenter.dispose();
      times.push(performance.now() - at);
      await call;
    }
    return summary(times);
  },

  /** Many large images at the same time: event-loop delay and memory while the first ones run. */
  async 'large-queue'() {
    const { RoutedEnsemble } = require('../dist/index.js');
    const sharp = require('sharp');
    const ensemble = await RoutedEnsemble.load(join(root, 'test/ensemble'));
    await ensemble.segment(discs(64, 64));
    const { data, width, height, channels } = discs(4000, 4000);
    const bytes = await sharp(data, { raw: { width, height, channels } }).png().toBuffer();
    const idle = process.memoryUsage().rss;
    const stop = new AbortController();
    const delay = monitorEventLoopDelay({ resolution: 1 });
    let peak = 0;
    delay.enable();
    const calls = Array.from({ length: Number(options.images) }, () =>
      ensemble.segment(bytes, { signal: stop.signal }).then(
        () => 1,
        () => 0,
      ),
    );
    for (let i = 0; i < 100; i++) {
      await sleep(200);
      peak = Math.max(peak, process.memoryUsage().rss);
    }
    delay.disable();
    stop.abort();
    const done = (await Promise.all(calls)).reduce((sum, one) => sum + one, 0);
    return {
      delayP50: Math.round(delay.percentile(50) / 1e4) / 100,
      delayP99: Math.round(delay.percentile(99) / 1e4) / 100,
      delayMax: Math.round(delay.max / 1e4) / 100,
      memoryMB: Math.round((peak - idle) / 2 ** 20),
      done,
    };
  },

  /** Images per second with 1 and with 16 calls in flight, alternately. */
  async 'small-images'() {
    const { CellSegmenter } = require('../dist/index.js');
    const segmenter = await CellSegmenter.load(starterFile);
    const result = {};
    for (const side of [96, 256]) {
      const image = discs(side, side);
      const rate = async (inFlight, count) => {
        const began = performance.now();
        let next = 0;
        const worker = async () => {
          while (next++ < count) await segmenter.segment(image);
        };
        await Promise.all(Array.from({ length: inFlight }, worker));
        return (1000 * count) / (performance.now() - began);
      };
      await rate(16, 16);
      const turns = { 1: [], 16: [] };
      for (let turn = 0; turn < 5; turn++) {
        for (const inFlight of [1, 16]) turns[inFlight].push(await rate(inFlight, side < 200 ? 32 : 16));
      }
      const median = (list) =>
        quantile(
          list.toSorted((a, b) => a - b),
          0.5,
        );
      result[`${side} alone/s`] = Math.round(10 * median(turns[1])) / 10;
      result[`${side} 16 in flight/s`] = Math.round(10 * median(turns[16])) / 10;
    }
    return result;
  },

  /** Milliseconds per small image with four waiting policies, in processes that are measured alternately. */
  async 'wait-policy'() {
    const policies = {
      ours: {},
      passive: { OMP_WAIT_POLICY: 'PASSIVE' },
      'spin 10000': { GOMP_SPINCOUNT: '10000' },
      'libgomp default': { GOMP_SPINCOUNT: '300000' },
    };
    const processes = {};
    for (const [name, environment] of Object.entries(policies)) {
      processes[name] = new Child('segment-on-demand', environment);
      await processes[name].answer();
    }
    const times = Object.fromEntries(Object.keys(policies).map((name) => [name, []]));
    for (let turn = 0; turn < 8; turn++) {
      for (const name of Object.keys(policies)) times[name].push(await processes[name].ask());
    }
    for (const child of Object.values(processes)) child.end();
    const median = (list) =>
      quantile(
        list.toSorted((a, b) => a - b),
        0.5,
      );
    const result = Object.fromEntries(
      Object.entries(times).map(([name, list]) => [`${name} ms`, Math.round(median(list))]),
    );
    const base = median(times['libgomp default']);
    result['ours / libgomp default'] = Math.round((100 * median(times.ours)) / base) / 100;
    return result;
  },
};

/** A process that answers each line with milliseconds, and is idle otherwise. */
class Child {
  #process;
  #lines = [];
  #waiting = [];

  constructor(name, environment) {
    const { OMP_WAIT_POLICY: _policy, GOMP_SPINCOUNT: _spin, ...inherited } = process.env;
    this.#process = spawn(process.execPath, [fileURLToPath(import.meta.url), '--one', name], {
      env: { ...inherited, ...environment },
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    let rest = '';
    this.#process.stdout.on('data', (chunk) => {
      const lines = (rest + chunk).split('\n');
      rest = lines.pop();
      for (const line of lines) {
        const waiting = this.#waiting.shift();
        if (waiting) waiting(Number(line));
        else this.#lines.push(Number(line));
      }
    });
  }

  answer() {
    if (this.#lines.length > 0) return Promise.resolve(this.#lines.shift());
    return new Promise((done) => this.#waiting.push(done));
  }

  ask() {
    this.#process.stdin.write('\n');
    return this.answer();
  }

  end() {
    this.#process.stdin.end();
  }
}

async function segmentOnDemand() {
  const { createInterface } = await import('node:readline');
  const { CellSegmenter } = require('../dist/index.js');
  const segmenter = await CellSegmenter.load(starterFile);
  const image = discs(128, 128);
  await segmenter.segment(image);
  console.log(0);
  for await (const _ of createInterface({ input: process.stdin })) {
    const times = [];
    for (let i = 0; i < 5; i++) {
      const began = performance.now();
      await segmenter.segment(image);
      times.push(performance.now() - began);
    }
    console.log(
      quantile(
        times.toSorted((a, b) => a - b),
        0.5,
      ),
    );
  }
  await segmenter.dispose();
}

async function abortSteps(config, width, height) {
  const network = await trainer(config);
  const batch = [trainSample(width, height)];
  const result = await aborts((signal) =>
    network.step(batch, { lr: 0, momentum: 0.9, maxGradNorm: null, seed: 1 }, signal ? { signal } : {}),
  );
  await network.dispose();
  return result;
}

if (options.one === 'segment-on-demand') {
  await segmentOnDemand();
} else if (options.one) {
  const folder = mkdtempSync(join(tmpdir(), 'cellroute-bench-'));
  const result = await rows[options.one](folder);
  rmSync(folder, { recursive: true });
  console.log(JSON.stringify(result));
} else {
  // Ends with this process, also if that is killed.
  const burn = `while (process.ppid === ${process.pid}) for (let i = 0, x = 0; i < 1e7; i++) x += Math.sqrt(x + 1);`;
  const load = Array.from({ length: Number(options.busy) }, () => spawn(process.execPath, ['-e', burn]));
  const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
  console.log(`cellroute ${version}, Node ${process.version}, ${load.length} busy processes`);
  const wanted = options.only?.split(',') ?? Object.keys(rows);
  for (const name of wanted) {
    // Each row runs in its own process with its own memory and event loop.
    const child = spawn(
      process.execPath,
      [
        fileURLToPath(import.meta.url),
        '--one',
        name,
        '--samples',
        options.samples,
        '--images',
        options.images,
      ],
      { stdio: ['ignore', 'pipe', 'inherit'] },
    );
    let output = '';
    child.stdout.on('data', (chunk) => {
      output += chunk;
    });
    await new Promise((done) => child.on('close', done));
    const result = JSON.parse(output || '{}');
    const cells = Object.entries(result).map(([key, value]) => `${key} ${value}`);
    console.log(`| ${name} | ${cells.join(', ')} | load ${loadavg()[0].toFixed(1)} |`);
  }
  for (const one of load) one.kill();
}
