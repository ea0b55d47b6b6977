// A training step (forward, backward, SGD) of cellroute and of torchvision on the same batch, in turns within one run:
// pictures a second and peak resident memory side by side.
//
//   PYTHON=/path/to/python node bench/train_step.mjs [--network r50 | starter] [--batch 2] [--width 704] [--height 520]
//       [--cells 40] [--norm frozen-batch | batch] [--statistics keep | update] [--min-size 800]
//       [--trainable-layers 5] [--precision float32 | bfloat16] [--rounds 5] [--json FILE]
//
// Needs a built checkout (npm run build) and a Python with torch, torchvision, pycocotools, pillow and safetensors.
// `r50` is ResNet50-FPN with two classes and frozen norms, as the seed trains it; `starter` the network of
// test/ensemble (ResNet18-FPN over three levels, 128 channels) with batch norms in training. Weights are the goldens'
// formula. Pictures are bright ellipses on a noisy ground, as they come unless --min-size asks for a resize.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { cpus, tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { Masks } from 'cellroute';
import sharp from 'sharp';

const bench = resolve(fileURLToPath(import.meta.url), '..');
const presets = {
  r50: { batch: 2, width: 704, height: 520, cells: 40, norm: 'frozen-batch', statistics: 'keep' },
  starter: { batch: 4, width: 256, height: 256, cells: 30, norm: 'batch', statistics: 'update' },
};
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
if (!preset) throw new Error(`--network is r50 or starter, not ${values.network}`);
const number = (name) => Number(values[name] ?? preset[name]);
const task = {
  network: values.network,
  norm: values.norm ?? preset.norm,
  updateStatistics: (values.statistics ?? preset.statistics) === 'update',
  minSize: values['min-size'] ? Number(values['min-size']) : null,
  trainableLayers: Number(values['trainable-layers']),
  precision: values.precision,
};
const [batch, width, height, cells] = ['batch', 'width', 'height', 'cells'].map(number);

/** mulberry32 */
function random(seed) {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let z = Math.imul(state ^ (state >>> 15), state | 1);
    z ^= z + Math.imul(z ^ (z >>> 7), z | 61);
    return ((z ^ (z >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** A picture of ellipses, on a grid so that any number of them fits, and their masks. */
async function drawPicture(path, seed) {
  const draw = random(seed);
  const pixels = Uint8Array.from({ length: width * height }, () => 60 * draw());
  const columns = Math.ceil(Math.sqrt((cells * width) / height));
  const rows = Math.ceil(cells / columns);
  const [cellWidth, cellHeight] = [width / columns, height / rows];
  const masks = Array.from({ length: cells }, (_, i) => {
    const mask = new Uint8Array(width * height);
    const a = cellWidth * (0.2 + 0.25 * draw());
    const b = cellHeight * (0.2 + 0.25 * draw());
    const cx = ((i % columns) + 0.5) * cellWidth;
    const cy = (Math.floor(i / columns) + 0.5) * cellHeight;
    for (let y = Math.max(0, Math.floor(cy - b)); y < Math.min(height, cy + b); y++) {
      for (let x = Math.max(0, Math.floor(cx - a)); x < Math.min(width, cx + a); x++) {
        if (((x + 0.5 - cx) / a) ** 2 + ((y + 0.5 - cy) / b) ** 2 > 1) continue;
        mask[y * width + x] = 1;
        pixels[y * width + x] = 120 + 100 * draw();
      }
    }
    return Masks.encode(mask, { width, height }).toCoco()[0];
  });
  await sharp(pixels, { raw: { width, height, channels: 1 } })
    .png()
    .toFile(path);
  return { path, masks };
}

/** A side that answers each line it is sent with a line of JSON. */
class Side {
  constructor(program, args) {
    this.child = spawn(program, args, { stdio: ['pipe', 'pipe', 'inherit'] });
    this.lines = createInterface({ input: this.child.stdout })[Symbol.asyncIterator]();
  }

  async ask(request) {
    if (request) this.child.stdin.write(`${request}\n`);
    const { value, done } = await this.lines.next();
    if (done) throw new Error('a side ended without an answer');
    return JSON.parse(value);
  }

  async close() {
    this.child.stdin.end();
    if (this.child.exitCode === null) await once(this.child, 'exit');
  }
}

const folder = mkdtempSync(join(tmpdir(), 'cellroute-bench-'));
const sides = {};
const runs = { cellroute: [], torchvision: [] };
let ready;
try {
  const pictures = [];
  for (let i = 0; i < batch; i++) pictures.push(await drawPicture(join(folder, `${i}.png`), i + 1));
  const file = join(folder, 'task.json');
  writeFileSync(
    file,
    JSON.stringify({ ...task, width, height, pictures, weights: join(folder, 'start.safetensors') }),
  );
  // The peer writes the weights that both start from.
  sides.torchvision = new Side(process.env.PYTHON ?? 'python3', [
    join(bench, 'peers', 'torchvision_train_step.py'),
    file,
  ]);
  ready = { torchvision: await sides.torchvision.ask() };
  sides.cellroute = new Side(process.execPath, [join(bench, 'ours_train_step.mjs'), file]);
  ready.cellroute = await sides.cellroute.ask();
  // One step each to warm up.
  for (let round = 0; round <= Number(values.rounds); round++) {
    for (const [name, side] of Object.entries(sides)) {
      const run = await side.ask('step');
      if (round > 0) runs[name].push(run);
    }
  }
} finally {
  for (const side of Object.values(sides)) await side.close();
  rmSync(folder, { recursive: true, force: true });
}

const median = (numbers) => numbers.toSorted((a, b) => a - b)[Math.floor(numbers.length / 2)];
const summary = Object.fromEntries(
  Object.entries(runs).map(([name, steps]) => {
    const seconds = median(steps.map((step) => step.seconds));
    return [name, { seconds, pictures_per_second: batch / seconds, peak_rss_mb: steps.at(-1).peak_rss_mb }];
  }),
);
const { cellroute: ours, torchvision: theirs } = summary;
// Each step beside the one before it: the machine's other work weighs on both alike.
const ratio = median(runs.cellroute.map((step, i) => runs.torchvision[i].seconds / step.seconds));
const row = (name, a, b, c) =>
  console.log(`${name.padEnd(26)} ${String(a).padStart(10)} ${String(b).padStart(12)} ${c.padStart(10)}`);
console.log(
  `${values.network}, ${task.norm} norms, ${task.precision}, ${batch} pictures of ${width} x ${height} with ${cells} cells each, ` +
    `${cpus().length} x ${cpus()[0].model}`,
);
row('', 'cellroute', 'torchvision', 'ratio');
row('seconds a step', ours.seconds.toFixed(3), theirs.seconds.toFixed(3), '');
row(
  'pictures a second',
  ours.pictures_per_second.toFixed(3),
  theirs.pictures_per_second.toFixed(3),
  ratio.toFixed(2),
);
row(
  'peak resident MB',
  ours.peak_rss_mb,
  theirs.peak_rss_mb,
  (theirs.peak_rss_mb / ours.peak_rss_mb).toFixed(2),
);
// Sampling is drawn from different generators, so the losses are near each other, not the same.
console.log(
  'first losses',
  JSON.stringify({ ours: runs.cellroute[0].losses, theirs: runs.torchvision[0].losses }),
);
const report = { task, batch, width, height, cells, ratio, summary, ready, runs };
if (values.json) writeFileSync(values.json, JSON.stringify(report, null, 2));
