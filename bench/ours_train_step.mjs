// cellroute's side of bench/train_step.mjs: runs a training step and prints a line of JSON for each line on stdin.
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { performance } from 'node:perf_hooks';
import { createInterface } from 'node:readline';
import { loadNative, Masks } from 'cellroute';
import sharp from 'sharp';

const require = createRequire(import.meta.url);
const { maskRCNNConfig } = require('../dist/config/mask-rcnn.js');
const { SegmenterNetwork } = require('../dist/trainer/network.js');

const task = JSON.parse(readFileSync(process.argv[2], 'utf8'));
const { width, height } = task;
const resize = task.minSize === null ? null : { minSize: task.minSize, maxSize: 1333 };
const config =
  task.network === 'r50'
    ? maskRCNNConfig({ backbone: { norm: { kind: task.norm } }, resize })
    : maskRCNNConfig({
        backbone: { depth: 18, norm: { kind: task.norm }, returnedLayers: [1, 2, 3] },
        fpn: { channels: 128 },
        imageMean: [0.5, 0.5, 0.5],
        imageStd: [0.25, 0.25, 0.25],
        resize,
        rpn: {
          anchorSizes: [[8], [16], [32], [64]],
          aspectRatios: Array.from({ length: 4 }, () => [0.5, 1, 2]),
        },
        box: { hidden: 256 },
        mask: { channels: [128, 128, 128, 128], hidden: 128 },
      });

const network = await SegmenterNetwork.create(config, {
  optimizer: { kind: 'sgd', weightDecay: 0.0005, nesterov: false },
  trainableLayers: task.trainableLayers,
  updateBatchStatistics: task.updateStatistics,
  averageDecay: null,
  precision: task.precision,
  deterministic: false,
  seed: 1,
  sampling: {
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
  },
});
const { initialized } = await network.start(task.weights);
if (initialized.length > 0) throw new Error(`weights are missing: ${initialized}`);

const samples = [];
for (const { path, masks } of task.images) {
  const grey = await sharp(path).toColourspace('b-w').raw().toBuffer();
  const plane = Float32Array.from(grey, (value) => value / 255);
  const pixels = new Float32Array(3 * plane.length);
  for (let channel = 0; channel < 3; channel++) pixels.set(plane, channel * plane.length);
  samples.push({
    pixels,
    width,
    height,
    masks: Masks.fromCoco(masks, { width, height }).toBatch(),
    labels: new Int32Array(masks.length).fill(1),
  });
}

const say = (value) => console.log(JSON.stringify(value));
say({ node: process.version, libtorch: loadNative().libtorchVersion });
let seed = 0;
for await (const _ of createInterface({ input: process.stdin })) {
  const start = performance.now();
  const { losses } = await network.step(samples, {
    lr: 1e-4,
    momentum: 0.9,
    maxGradNorm: null,
    seed: seed++,
  });
  const seconds = (performance.now() - start) / 1000;
  say({ seconds, losses, peak_rss_mb: Math.round(process.resourceUsage().maxRSS / 102.4) / 10 });
}
await network.dispose();
