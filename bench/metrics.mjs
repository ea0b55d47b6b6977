// Compares a whole evaluation with pycocotools and faster-coco-eval, on images with about 1,000 cells each.
//   PYTHON=… node bench/metrics.mjs [--cells 1000] [--images 2] [--rounds 3] [--json FILE]
//
// Each side starts from parsed JSON and ends with numbers; the sides are measured alternately. cellroute always computes all
// metrics (AP with masks and boxes, the competition's precision, F1, PQ, AJI, counts), the peers only AP. The number of
// detections is unlimited, because an image has more than pycocotools' default of 100.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { cpus, tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { fromCocoBoxes, Masks, toCocoBoxes } from 'cellroute';
import { evaluate } from 'cellroute/metrics';

const { values } = parseArgs({
  options: {
    cells: { type: 'string', default: '1000' },
    images: { type: 'string', default: '2' },
    rounds: { type: 'string', default: '3' },
    json: { type: 'string' },
  },
});
const [cells, images, rounds] = [values.cells, values.images, values.rounds].map(Number);
const columns = Math.ceil(Math.sqrt(cells));
const pitch = 28;
const side = columns * pitch;
const size = { width: side, height: side };

let state = 12345;
/** A generator with a fixed seed. */
function random() {
  state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
  return state / 2 ** 32;
}

/** An irregular ellipse as a Kaggle text; ellipses are arranged in a grid and overlap sometimes. */
function ellipse(cx, cy, rx, ry) {
  const runs = [];
  for (let y = Math.max(0, Math.ceil(cy - ry)); y <= Math.min(side - 1, cy + ry); y++) {
    const half = rx * Math.sqrt(1 - ((y - cy) / ry) ** 2) + 0.6 * random();
    const [from, to] = [Math.max(0, Math.ceil(cx - half)), Math.min(side - 1, Math.floor(cx + half))];
    if (to >= from) runs.push(`${y * side + from + 1} ${to - from + 1}`);
  }
  return runs.join(' ');
}

const groundTruth = { info: {}, images: [], annotations: [], categories: [{ id: 1, name: 'cell' }] };
const detections = [];
for (let image = 1; image <= images; image++) {
  groundTruth.images.push({ id: image, file_name: `${image}.png`, ...size });
  const texts = { groundTruth: [], found: [] };
  for (let i = 0; i < cells; i++) {
    const [cx, cy] = [i % columns, Math.floor(i / columns)].map((at) => (at + 0.3 + 0.4 * random()) * pitch);
    const [rx, ry] = [8 + 7 * random(), 8 + 7 * random()];
    texts.groundTruth.push(ellipse(cx, cy, rx, ry));
    for (let copies = random() < 0.1 ? 0 : random() < 0.2 ? 2 : 1; copies > 0; copies--) {
      const moved = () => 6 * (random() - 0.5);
      texts.found.push(ellipse(cx + moved(), cy + moved(), rx + moved() / 3, ry + moved() / 3));
    }
  }
  for (const [kind, list] of Object.entries(texts)) {
    const masks = Masks.fromKaggle(
      list.filter((text) => text !== ''),
      size,
    );
    const [counts, boxes, areas] = [masks.toCoco(), toCocoBoxes(masks.boxes()), masks.areas()];
    for (let i = 0; i < masks.length; i++) {
      const one = {
        image_id: image,
        category_id: 1,
        segmentation: { size: [side, side], counts: counts[i] },
        bbox: [...boxes.subarray(4 * i, 4 * i + 4)],
      };
      if (kind === 'found') detections.push({ ...one, score: Math.round(1000 * random()) / 1000 });
      else
        groundTruth.annotations.push({
          ...one,
          id: groundTruth.annotations.length + 1,
          area: areas[i],
          iscrowd: 0,
        });
    }
  }
}

function groupByImage(list) {
  const groups = new Map(groundTruth.images.map(({ id }) => [id, []]));
  for (const one of list) groups.get(one.image_id).push(one);
  return groups;
}

async function ours() {
  const [groundTruths, found] = [groupByImage(groundTruth.annotations), groupByImage(detections)];
  const masks = (list) =>
    Masks.fromCoco(
      list.map(({ segmentation }) => segmentation.counts),
      size,
    );
  const inputs = groundTruth.images.map(({ id }) => ({
    id: String(id),
    groundTruth: masks(groundTruths.get(id)),
    groundTruthAreas: groundTruths.get(id).map(({ area }) => area),
    groundTruthBoxes: fromCocoBoxes(groundTruths.get(id).flatMap(({ bbox }) => bbox)),
    predicted: masks(found.get(id)),
    scores: found.get(id).map(({ score }) => score),
    boxes: fromCocoBoxes(found.get(id).flatMap(({ bbox }) => bbox)),
    areas: found.get(id).map(({ bbox }) => bbox[2] * bbox[3]),
  }));
  return evaluate(inputs);
}

const folder = mkdtempSync(join(tmpdir(), 'cellroute-bench-'));
const files = ['ground-truth', 'detections'].map((name) => join(folder, `${name}.json`));
writeFileSync(files[0], JSON.stringify(groundTruth));
writeFileSync(files[1], JSON.stringify(detections));
const python = process.env.PYTHON ?? 'python3';
const child = spawn(python, [fileURLToPath(new URL('peers/metrics.py', import.meta.url)), ...files], {
  stdio: ['pipe', 'pipe', 'inherit'],
});
const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
async function ask(request) {
  if (request) child.stdin.write(`${JSON.stringify(request)}\n`);
  const { value, done } = await lines.next();
  if (done) throw new Error(`${python} did not answer; PYTHON must name a Python with pycocotools`);
  return JSON.parse(value);
}

function compare(peer, kind, theirs, own) {
  for (const [name, value] of Object.entries(theirs)) {
    if (Math.abs(own[name] - value) > 1e-9) {
      throw new Error(`${peer}, ${kind}: ${name} is ${value}, but ${own[name]} in cellroute`);
    }
  }
}

const kinds = { 'AP with masks': ['segm'], 'AP with masks and with boxes': ['segm', 'bbox'] };
const times = { cellroute: [] };
let peers;
try {
  ({ peers } = await ask());
  await ours();
  for (let round = 0; round < rounds; round++) {
    const start = performance.now();
    const evaluation = await ours();
    times.cellroute.push(performance.now() - start);
    for (const [title, which] of Object.entries(kinds)) {
      for (const peer of Object.keys(peers)) {
        const { ms, result } = await ask({ peer, kinds: which });
        times[`${peer}, ${title}`] ??= [];
        times[`${peer}, ${title}`].push(ms);
        for (const kind of which) {
          compare(peer, kind, result[kind], kind === 'segm' ? evaluation.coco : evaluation.cocoBoxes);
        }
      }
    }
  }
} finally {
  child.stdin.end();
  if (child.exitCode === null) await once(child, 'exit');
  rmSync(folder, { recursive: true });
}

const median = (list) => list.toSorted((x, y) => x - y)[Math.floor(list.length / 2)];
const own = median(times.cellroute);
console.log(
  `${images} images of ${cells} cells and ${Math.round(detections.length / images)} detections, ${side} x ${side}; ${rounds} alternating rounds, medians; equal to 1e-9; ${cpus().length} x ${cpus()[0].model}`,
);
console.log(
  Object.entries(peers)
    .map(([peer, version]) => `${peer} ${version}`)
    .join(', '),
);
const rows = Object.entries(times).map(([name, list]) => ({
  name,
  ms: median(list),
  ratio: median(list) / own,
}));
for (const { name, ms, ratio } of rows) {
  console.log(`${name.padEnd(46)} ${ms.toFixed(1).padStart(10)} ms  ${ratio.toFixed(1).padStart(7)} x`);
}
const report = { cells, images, rounds, peers, results: rows };
if (values.json) writeFileSync(values.json, `${JSON.stringify(report, null, 2)}\n`);
else console.log(JSON.stringify(report));
