// One picture through cellroute and through torchvision, in turns within one run: time and peak memory side by side.
//
//   PYTHON=/path/to/python node bench/segment.mjs PICTURE [--repeats 3] [--rounds 2] [--min-score 0.05]
//                                                 [--detections 539] [--precision float32 | bfloat16 | auto]
//                                                 [--stored WEIGHTS.safetensors] [--json FILE]
//
// Needs a built checkout (npm run build) and a Python with torch, torchvision, pycocotools, pillow and safetensors.
// The network is ResNet50-FPN with two classes, filled by the goldens' weight formula: every stage works as hard as
// it can; with --stored, a network of cellroute's as its file describes it. torchvision computes in float32, whatever
// the precision of ours. Each side runs in a process of its own, so that peak memory is its own.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { cpus, tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { measure } from './side.mjs';

const bench = resolve(fileURLToPath(import.meta.url), '..');
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
const [picture] = positionals;
if (!picture) {
  console.error('usage: node bench/segment.mjs PICTURE');
  process.exit(2);
}

const python = process.env.PYTHON ?? 'python3';
const folder = mkdtempSync(join(tmpdir(), 'cellroute-bench-'));
const weights = values.stored ?? join(folder, 'formula.safetensors');
const config = values.stored ? '-' : join(folder, 'config.json');
const detections = Number(values.detections);
const described = { backbone: { norm: { kind: 'batch' } }, box: { detectionsPerImage: detections } };
if (!values.stored) writeFileSync(config, JSON.stringify(described));

const sides = { cellroute: [], torchvision: [] };
try {
  const peer = join(bench, 'peers', 'torchvision_segment.py');
  const shared = [
    '--picture',
    picture,
    '--detections',
    values.detections,
    '--min-score',
    values['min-score'],
    ...(values.stored ? ['--stored', values.stored] : []),
  ];
  if (!values.stored) measure(python, [peer, ...shared, '--save-weights', weights]);
  for (let round = 0; round < Number(values.rounds); round++) {
    sides.torchvision.push(measure(python, [peer, ...shared, '--repeats', values.repeats]));
    sides.cellroute.push(
      measure(process.execPath, [
        join(bench, 'ours_segment.mjs'),
        picture,
        weights,
        config,
        values.repeats,
        values['min-score'],
        '0.5',
        values.precision,
      ]),
    );
  }
} finally {
  rmSync(folder, { recursive: true, force: true });
}

const median = (numbers) => numbers.toSorted((a, b) => a - b)[Math.floor(numbers.length / 2)];
const summary = Object.fromEntries(
  Object.entries(sides).map(([name, runs]) => [
    name,
    {
      seconds: median(runs.flatMap((run) => run.seconds)),
      peak_rss_mb: Math.max(...runs.map((run) => run.peak_rss_mb)),
      detections: runs[0].detections,
    },
  ]),
);
const { cellroute: ours, torchvision: theirs } = summary;
const row = (name, a, b, ratio) =>
  console.log(`${name.padEnd(26)} ${String(a).padStart(10)} ${String(b).padStart(12)} ${ratio.padStart(10)}`);
console.log(`${picture}, ${cpus().length} x ${cpus()[0].model}; torchvision's time over ours`);
row('', 'cellroute', 'torchvision', 'ratio');
row(
  'seconds a picture',
  ours.seconds.toFixed(3),
  theirs.seconds.toFixed(3),
  (theirs.seconds / ours.seconds).toFixed(2),
);
row(
  'peak resident MB',
  ours.peak_rss_mb,
  theirs.peak_rss_mb,
  (theirs.peak_rss_mb / ours.peak_rss_mb).toFixed(2),
);
row('cells', ours.detections, theirs.detections, '');
const loop = sides.cellroute[0].event_loop_delay_ms;
console.log(
  `event loop while segmenting: p99 ${loop.p99.toFixed(1)} ms, max ${loop.max.toFixed(1)} ms; load ${sides.cellroute[0].load_seconds} s`,
);
if (values.json) writeFileSync(values.json, JSON.stringify({ summary, sides }, null, 2));
