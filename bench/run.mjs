// Measures all rows of goals.mjs against the peers in one run. Writes a Markdown table, a chart and all measurements as JSON.
//
//   PYTHON=/path/to/python npm run bench -- [--only r50,train] [--quick] [--rounds 3] [--image FILE] [--out bench-output]
//
// Needs a built checkout (npm run build) and a Python with the peers (bench/README.md). Rows of missing peers say what is
// not installed. --quick runs one round.
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { cpus, tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { parseArgs } from 'node:util';
import { loadNative } from 'cellroute';
import sharp from 'sharp';
import { rows } from './goals.mjs';
import * as backbone from './measures/backbone.mjs';
import * as memoryCells from './measures/memory_cells.mjs';
import * as r50 from './measures/r50.mjs';
import * as starter from './measures/starter.mjs';
import * as train from './measures/train.mjs';
import { chartPng } from './report/chart.mjs';
import { markdown } from './report/table.mjs';
import { measure, peer, python } from './side.mjs';

const root = join(import.meta.dirname, '..');
const { values } = parseArgs({
  options: {
    only: { type: 'string' },
    quick: { type: 'boolean', default: false },
    rounds: { type: 'string' },
    image: { type: 'string', default: join(root, 'examples/images/fluorescence-crowded.png') },
    out: { type: 'string', default: join(root, 'bench-output') },
  },
});
const all = rows.map(({ id }) => id);
const chosen = values.only?.split(',') ?? all;
const unknown = chosen.filter((id) => !all.includes(id));
if (unknown.length > 0) {
  console.error(`--only has unknown names: ${unknown.join(', ')}; known: ${all.join(', ')}`);
  process.exit(2);
}

const began = Date.now();
const log = (text) => console.error(`bench, ${Math.round((Date.now() - began) / 1000)} s: ${text}`);
const packages = [
  'torch',
  'torchvision',
  'pycocotools',
  'safetensors',
  'pillow',
  'onnx',
  'onnxruntime',
  'openvino',
];

function installedPeers() {
  try {
    return measure(python, [peer('installed.py'), ...packages]);
  } catch (error) {
    log(`no Python with peers was found (PYTHON): ${error.message.split('\n')[0]}`);
    return {};
  }
}

/** Reason why a peer or a precision cannot run here, or undefined. */
function lacksOf(installed, processor) {
  const lack = (...needed) => {
    const missing = needed.filter((name) => !installed[name]);
    return missing.length > 0 ? `not installed: ${missing.join(', ')}` : undefined;
  };
  const torch = packages.slice(0, 5);
  return {
    torchvision: lack(...torch),
    onnx: lack(...torch, 'onnx', 'onnxruntime'),
    openvino: lack(...torch, 'onnx', 'openvino'),
    ...Object.fromEntries(
      ['bfloat16', 'int8'].map((type) => [
        type,
        processor[type] ? undefined : `this processor has no ${type} instructions`,
      ]),
    ),
  };
}

const failure = (error) => ({ skipped: error.message });

async function runAll(context) {
  const found = { results: {}, sides: {} };
  for (const one of [r50, backbone, memoryCells, starter, train]) {
    const ids = one.ids.filter(context.wanted);
    if (ids.length === 0) continue;
    // A failure is reported in its row; the next rows are still measured.
    try {
      // torchvision also writes the weights, because the goldens' formula is in Python.
      if (context.lacks.torchvision) throw new Error(context.lacks.torchvision);
      const { results, sides } = await one.run(context);
      Object.assign(found.sides, { [ids[0]]: sides });
      for (const id of ids) found.results[id] = results[id]();
    } catch (error) {
      log(error.message);
      for (const id of ids) found.results[id] ??= failure(error);
    }
  }
  return found;
}

const folder = mkdtempSync(join(tmpdir(), 'cellroute-bench-'));
try {
  const installed = installedPeers();
  const lacks = lacksOf(installed, loadNative().addon.info());
  const context = {
    wanted: (id) => chosen.includes(id),
    folder,
    log,
    lacks,
    source: values.image,
    image: join(folder, 'image.png'),
    weights: join(folder, 'formula.safetensors'),
    rounds: Number(values.rounds ?? (values.quick ? 1 : 3)),
    repeats: values.quick ? 1 : 2,
  };
  await sharp(values.image).removeAlpha().resize(704, 520, { fit: 'fill' }).toFile(context.image);
  if (!lacks.torchvision) measure(python, [peer('prepare.py'), 'weights', context.weights]);
  const peak = () => (installed.torch ? measure(python, [peer('gemm_peak.py')]) : undefined);
  const before = peak();
  const { results, sides } = await runAll(context);
  const after = peak();
  // Before and after, because the speed of the machine may change.
  const peaks = Object.fromEntries(
    Object.keys(before ?? {}).map((name) => [name, (before[name] + after[name]) / 2]),
  );

  const measured = rows
    .filter(({ id }) => chosen.includes(id))
    .map((row) => ({ ...row, result: results[row.id] }));
  const versions = Object.entries({
    node: process.version,
    libtorch: loadNative().libtorchVersion,
    ...installed,
  });
  const conditions = [
    `${cpus().length} × ${cpus()[0].model}; ${context.rounds} alternating rounds, medians of the ratios per round.`,
    `Versions: ${versions.flatMap(([name, version]) => (version ? [`${name} ${version}`] : [])).join(', ')}.`,
    ...Object.keys(peaks).map(
      (name) =>
        `A product of two 2048×2048 matrices in ${name}, before and after: ${before[name]} and ${after[name]} GFLOP/s.`,
    ),
  ];
  mkdirSync(values.out, { recursive: true });
  const png = await chartPng(`cellroute and its peers, ${cpus().length} x ${cpus()[0].model}`, measured);
  writeFileSync(join(values.out, 'bench.png'), png);
  const text = markdown({ conditions, rows: measured, peaks, chart: 'bench.png' });
  writeFileSync(join(values.out, 'bench.md'), text);
  writeFileSync(
    join(values.out, 'bench.json'),
    JSON.stringify({ conditions, peaks, measured, sides }, null, 2),
  );
  console.log(text);
  log(`written to ${relative(process.cwd(), values.out) || '.'}: bench.md, bench.png, bench.json`);
  if (
    measured.some(({ result }) => result.skipped && !/^(not installed|this processor)/.test(result.skipped))
  )
    process.exitCode = 1;
} finally {
  rmSync(folder, { recursive: true, force: true });
}
