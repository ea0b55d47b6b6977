// Trains one network twice on the same batches, in float32 and with bfloat16 autocast, alternately: compares the two loss
// curves and the time per step.
//
//   node bench/precision_curve.mjs DATASET [--steps 300] [--batch 2] [--crop 256] [--lr 0.005] [--seed 1] [--every 25]
//                                  [--plot FILE.png]
//
// DATASET is any data set that openDataset reads. The network is that of test/ensemble with random weights. Needs a
// built checkout (npm run build).
import { writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { performance } from 'node:perf_hooks';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { maskRCNNConfig } from '../dist/config/mask-rcnn.js';
import { readStoredConfig } from '../dist/config/stored.js';
import { SegmentLoader } from '../dist/data/loader.js';
import { openDataset } from '../dist/data/open.js';
import { loadNative } from '../dist/native/load.js';
import { renderPlot } from '../dist/render/plot.js';
import { segmenterTraining } from '../dist/trainer/config.js';
import { nativeTraining } from '../dist/trainer/native-training.js';
import { SegmenterNetwork } from '../dist/trainer/network.js';
import { openWeights } from '../dist/weights/open.js';

const root = resolve(fileURLToPath(import.meta.url), '../..');
const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    steps: { type: 'string', default: '300' },
    batch: { type: 'string', default: '2' },
    crop: { type: 'string', default: '256' },
    lr: { type: 'string', default: '0.005' },
    seed: { type: 'string', default: '1' },
    every: { type: 'string', default: '25' },
    plot: { type: 'string' },
  },
});
if (!positionals[0]) {
  console.error('usage: node bench/precision_curve.mjs DATASET');
  process.exit(2);
}
const [steps, batchSize, crop, lr, seed, every] = ['steps', 'batch', 'crop', 'lr', 'seed', 'every'].map(
  (name) => Number(values[name]),
);

const starter = await openWeights(join(root, 'test/ensemble/fluorescence.safetensors'));
const network = maskRCNNConfig(readStoredConfig(starter, 'mask-rcnn'));
const side = { width: crop, height: crop };
const training = segmenterTraining({
  seed,
  batchSize,
  clipNorm: 10,
  transforms: [
    { kind: 'pad', ...side },
    { kind: 'random-crop', ...side },
  ],
});
const loader = new SegmentLoader(await openDataset(positionals[0]), {
  batchSize,
  shuffle: true,
  seed,
  intensity: network.intensity,
  transforms: training.transforms,
});

async function* batches() {
  for (let epoch = 0; ; epoch++) yield* loader.batches(epoch);
}

const sides = [];
for (const precision of ['float32', 'bfloat16']) {
  const options = {
    ...nativeTraining(training),
    sampling: { ...training.sampling, skipResize: true },
    precision,
  };
  sides.push({
    precision,
    network: await SegmenterNetwork.create(network, options),
    losses: [],
    seconds: [],
  });
}

const mean = (numbers) => numbers.reduce((sum, value) => sum + value, 0) / numbers.length;
const median = (numbers) => numbers.toSorted((a, b) => a - b)[numbers.length >> 1];

let done = 0;
for await (const { samples } of batches()) {
  // The first side has colder caches, so the order alternates.
  for (const one of done % 2 ? sides.toReversed() : sides) {
    // Warm-up, so that the first steps from random weights do not dominate.
    const rates = { lr: lr * Math.min(1, (done + 1) / 50), momentum: 0.9, maxGradNorm: training.clipNorm };
    const start = performance.now();
    const { losses, applied } = await one.network.step(samples, { ...rates, seed: done });
    one.seconds.push((performance.now() - start) / 1000);
    if (!applied) throw new Error(`step ${done} of ${one.precision} was not finite`);
    one.losses.push(Object.values(losses).reduce((sum, loss) => sum + loss, 0));
  }
  if (++done % every === 0) {
    const now = sides.map((one) => `${one.precision} ${mean(one.losses.slice(-every)).toFixed(4)}`);
    console.log(`steps ${done - every + 1} to ${done}: ${now.join(', ')}`);
  }
  if (done === steps) break;
}

const [exact, rounded] = sides;
// The first half, the descent from random weights, is excluded.
const late = (one) => mean(one.losses.slice(steps >> 1));
console.log(
  JSON.stringify({
    libtorch: loadNative().libtorchVersion,
    steps,
    batch: batchSize,
    crop,
    lossSecondHalf: { float32: late(exact), bfloat16: late(rounded) },
    secondsPerStep: { float32: median(exact.seconds), bfloat16: median(rounded.seconds) },
    timesFaster: median(exact.seconds.map((value, i) => value / rounded.seconds[i])),
  }),
);

if (values.plot) {
  const smooth = (losses) =>
    losses.map((_, i) => [i + 1, mean(losses.slice(Math.max(0, i - every + 1), i + 1))]);
  writeFileSync(
    values.plot,
    await renderPlot({
      title: `Starter segmenter, batch ${batchSize} of ${crop} x ${crop}`,
      xLabel: 'step',
      yLabel: `loss, mean of ${every} steps`,
      yScale: 'log',
      series: sides.map(({ precision, losses }) => ({ name: precision, points: smooth(losses) })),
    }),
  );
}
for (const one of sides) await one.network.dispose();
