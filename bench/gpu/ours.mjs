// cellroute's side of bench/gpu/run.mjs: runs one case on a GPU. The case is an argument in JSON; the result is one line of JSON.
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { performance } from 'node:perf_hooks';

const require = createRequire(import.meta.url);
const { CellSegmenter, loadNative } = require('../../dist/index.js');
const { maskRCNNConfig } = require('../../dist/config/mask-rcnn.js');
const { SegmenterNetwork } = require('../../dist/trainer/network.js');

const task = JSON.parse(process.argv[2]);
const { width, height, batch, repeats, warmup } = task;
const image = new Uint8Array(readFileSync(task.image));

/** COCO counts of a rectangle of pixels. */
function rectangle([x, y, w, h]) {
  const counts = [x * height + y];
  for (let column = 0; column < w; column++) counts.push(h, height - h);
  const seen = counts.reduce((sum, count) => sum + count, 0);
  counts[counts.length - 1] += width * height - seen;
  return counts;
}

function sample() {
  const pixels = new Float32Array(3 * width * height);
  for (let c = 0; c < 3; c++) {
    for (let i = 0; i < width * height; i++) pixels[c * width * height + i] = image[3 * i + c] / 255;
  }
  const masks = task.cells.map(rectangle);
  const offsets = [0];
  for (const counts of masks) offsets.push(offsets.at(-1) + counts.length);
  return {
    pixels,
    width,
    height,
    masks: { width, height, counts: Uint32Array.from(masks.flat()), offsets: Uint32Array.from(offsets) },
    labels: new Int32Array(masks.length).fill(1),
  };
}

async function segmenting() {
  const segmenter = await CellSegmenter.load(task.weights, {
    config: { numClasses: 2, box: { detectionsPerImage: task.detections } },
    precision: task.precision,
    device: task.device,
  });
  const input = { data: image, width, height, channels: 3 };
  // Two batches are in flight, as in a program that processes a folder: waiting images form a batch.
  const waiting = [];
  return async () => {
    while (waiting.length < (batch === 1 ? 1 : 3 * batch)) {
      waiting.push(segmenter.segment(input, { minScore: 0.05 }));
    }
    const found = await Promise.all(waiting.splice(0, batch));
    return { cells: found[0].cells.length, limitsReached: found[0].limitsReached };
  };
}

async function training() {
  const config = maskRCNNConfig({ numClasses: 2, backbone: { norm: { kind: 'frozen-batch' } } });
  const share = { rpnFgIou: 0.7, rpnBgIou: 0.3, rpnBatchSize: 256, rpnPositiveFraction: 0.5 };
  const boxes = { boxFgIou: 0.5, boxBgIou: 0.5, boxBatchSize: 512, boxPositiveFraction: 0.25 };
  const network = await SegmenterNetwork.create(
    config,
    {
      optimizer: { kind: 'sgd', weightDecay: 0.0005, nesterov: false },
      trainableLayers: 3,
      updateBatchStatistics: false,
      averageDecay: null,
      precision: 'float32',
      deterministic: false,
      seed: 1,
      sampling: { ...share, ...boxes, rpnPreNmsTopN: 2000, rpnPostNmsTopN: 2000, skipResize: false },
    },
    {},
    { device: task.device, tf32: task.precision === 'tf32' },
  );
  await network.start(task.weights);
  const samples = Array.from({ length: batch }, sample);
  let seed = 0;
  return async () => {
    const { losses } = await network.step(samples, {
      lr: 1e-5,
      momentum: 0.9,
      maxGradNorm: null,
      seed: seed++,
    });
    return { losses };
  };
}

const run = await (task.kind === 'train' ? training() : segmenting());
const seconds = [];
let result;
for (let i = 0; i < warmup + repeats; i++) {
  const start = performance.now();
  result = await run();
  if (i >= warmup) seconds.push((performance.now() - start) / 1000);
}
const used = task.device.startsWith('cuda')
  ? Number(
      execFileSync('nvidia-smi', ['--query-gpu=memory.used', '--format=csv,noheader,nounits', '--id=0'], {
        encoding: 'utf8',
      }),
    )
  : null;
console.log(JSON.stringify({ seconds, memoryMiB: used, ...result, libtorch: loadNative().libtorchVersion }));
process.exit(0);
