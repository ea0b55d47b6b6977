// Segments one image with cellroute and with torchvision, alternately: time and peak memory.
//
//   PYTHON=/path/to/python node bench/segment.mjs IMAGE [--repeats 3] [--rounds 2] [--min-score 0.05]
//                                                 [--detections 539] [--precision float32 | bfloat16 | int8 | auto]
//                                                 [--stored WEIGHTS.safetensors] [--json FILE]
//
// Needs a built checkout (npm run build) and a Python with torch, torchvision, pycocotools, pillow and safetensors.
// The network is ResNet50-FPN with two classes and weights by the goldens' formula, which give every stage its maximum
// work; with --stored, the network of a cellroute file. torchvision always computes in float32. Each side runs in its own
// process, so that peak memory is measured per side.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { cpus, tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { printBeside } from './compare.mjs';
import { inTurns, measure, oursSegment, peer, python, torchvisionSegment } from './side.mjs';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    repeats: { type: 'string', default: '3' },
    rounds: { type: 'string', default: '2' },
    'min-score': { type: 'string', default: '0.05' },
    detections: { type: 'string', default: '539' },
    precision: { type: 'string', default: 'float32' },
    stored: { type: 'string' },
    json: { type: 'string' },
  },
});
const [image] = positionals;
if (!image) {
  console.error('usage: node bench/segment.mjs IMAGE');
  process.exit(2);
}

const folder = mkdtempSync(join(tmpdir(), 'cellroute-bench-'));
const task = {
  image,
  weights: values.stored ?? join(folder, 'formula.safetensors'),
  precision: values.precision,
  options: { minScore: Number(values['min-score']), maskThreshold: 0.5 },
  ...(!values.stored && {
    config: { backbone: { norm: { kind: 'batch' } }, box: { detectionsPerImage: Number(values.detections) } },
  }),
};
const peerArgs = ['--detections', values.detections, '--min-score', values['min-score']];
let sides;
try {
  if (values.stored) peerArgs.push('--stored', values.stored);
  else measure(python, [peer('prepare.py'), 'weights', task.weights]);
  sides = await inTurns(
    { torchvision: () => torchvisionSegment(image, peerArgs), cellroute: () => oursSegment(task) },
    Number(values.rounds),
    () => ({ warmup: 1, repeats: Number(values.repeats) }),
  );
} finally {
  rmSync(folder, { recursive: true, force: true });
}
const { cellroute } = sides;
const title = `${image}, ${cpus().length} x ${cpus()[0].model}`;
const { time, memory } = printBeside(title, 'seconds per image', sides);
const loop = cellroute.answers[0].event_loop_delay_ms;
console.log(
  `${time.note}\nevent loop while segmenting: p99 ${loop.p99.toFixed(1)} ms, max ${loop.max.toFixed(1)} ms`,
);
console.log(
  `load ${cellroute.ready.load_seconds} s; stages ${JSON.stringify(cellroute.answers[0].stages.at(-1))}`,
);
if (values.json) writeFileSync(values.json, JSON.stringify({ time, memory, sides }, null, 2));
