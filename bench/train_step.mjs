// Measures a training step (forward, backward, SGD) of cellroute and of torchvision on the same batch, alternately:
// images per second and peak resident memory.
//
//   PYTHON=/path/to/python node bench/train_step.mjs [--network r50 | starter] [--batch 2] [--width 704] [--height 520]
//       [--cells 40] [--norm frozen-batch | batch] [--statistics keep | update] [--min-size 800]
//       [--trainable-layers 5] [--precision float32 | bfloat16] [--rounds 5] [--json FILE]
//
// Needs a built checkout (npm run build) and a Python with torch, torchvision, pycocotools, pillow and safetensors.
// `r50` is ResNet50-FPN with two classes and frozen norms, as in the original notebook; `starter` is the network of
// test/ensemble (ResNet18-FPN with three levels and 128 channels) with trainable batch norms. Weights follow the goldens'
// formula. Images are bright ellipses on a noisy background; --min-size resizes them.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { cpus, tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { printBeside } from './compare.mjs';
import { presets, trainInTurns } from './measures/train.mjs';

const { values } = parseArgs({
  options: {
    network: { type: 'string', default: 'r50' },
    batch: { type: 'string' },
    width: { type: 'string' },
    height: { type: 'string' },
    cells: { type: 'string' },
    norm: { type: 'string' },
    statistics: { type: 'string' },
    'min-size': { type: 'string' },
    'trainable-layers': { type: 'string', default: '5' },
    precision: { type: 'string', default: 'float32' },
    rounds: { type: 'string', default: '5' },
    json: { type: 'string' },
  },
});
const preset = presets[values.network];
if (!preset) throw new Error(`--network must be r50 or starter, not ${values.network}`);
const numbers = ['batch', 'width', 'height', 'cells'].map((name) => [
  name,
  Number(values[name] ?? preset[name]),
]);
const { batch, ...image } = Object.fromEntries(numbers);
const task = {
  network: values.network,
  norm: values.norm ?? preset.norm,
  updateStatistics: values.statistics ? values.statistics === 'update' : preset.updateStatistics,
  minSize: values['min-size'] ? Number(values['min-size']) : null,
  trainableLayers: Number(values['trainable-layers']),
  precision: values.precision,
  ...image,
};

const folder = mkdtempSync(join(tmpdir(), 'cellroute-bench-'));
let sides;
try {
  sides = await trainInTurns(task, { batch, folder, rounds: Number(values.rounds) });
} finally {
  rmSync(folder, { recursive: true, force: true });
}
const { cellroute, torchvision } = sides;
const title =
  `${task.network}, ${task.norm} norms, ${task.precision}, ${batch} images of ${task.width} x ${task.height} with ${task.cells} cells each, ` +
  `${cpus().length} x ${cpus()[0].model}`;
const { time, memory } = printBeside(title, 'a step', sides);
// Both sides sample with different generators, so the losses are similar, not equal.
const first = ({ answers }) => JSON.stringify(answers[0].losses);
console.log(`first losses: ours ${first(cellroute)}, theirs ${first(torchvision)}`);
if (values.json) writeFileSync(values.json, JSON.stringify({ task, batch, time, memory, sides }, null, 2));
