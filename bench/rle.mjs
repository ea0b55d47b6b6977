// Compares masks with pycocotools, and faster-coco-eval if it is installed: the same cells, inputs and results on both
// sides, measured alternately.
//
//   PYTHON=/path/to/python node bench/rle.mjs [--cells 1000] [--size 1000] [--rounds 15] [--json FILE]
//
// Needs a built checkout (npm run build) and a Python with pycocotools.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { cpus, tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { Masks } from 'cellroute';

const { values } = parseArgs({
  options: {
    cells: { type: 'string', default: '1000' },
    size: { type: 'string', default: '1000' },
    rounds: { type: 'string', default: '15' },
    json: { type: 'string' },
  },
});
const cells = Number(values.cells);
const side = Number(values.size);
const rounds = Number(values.rounds);
const size = { width: side, height: side };
// Number of images of one byte per pixel, limited by memory; the result is per cell.
const dense = Math.min(cells, Math.max(1, Math.floor(1e8 / side ** 2)));
const PAGE = 4096;

/** Discs with a wavy outline, with as many runs as real cells. */
function drawCells(shift) {
  let state = 1;
  const random = () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
  const texts = [];
  for (let i = 0; i < cells; i++) {
    const [cx, cy, radius] = [random() * side + shift, random() * side, (8 + 14 * random()) * (side / 1000)];
    const [waves, phase] = [3 + Math.floor(5 * random()), random() * 6];
    const runs = [];
    for (let y = Math.max(0, Math.floor(cy - 2 * radius)); y < Math.min(side, cy + 2 * radius); y++) {
      let start = -1;
      for (let x = Math.max(0, Math.floor(cx - 2 * radius)); x <= Math.min(side, cx + 2 * radius); x++) {
        const angle = Math.atan2(y - cy, x - cx);
        const reach = radius * (1 + 0.15 * Math.sin(waves * angle + phase));
        const inside = x < side && Math.hypot(x - cx, y - cy) <= reach;
        if (inside && start < 0) start = x;
        if (!inside && start >= 0) {
          runs.push(`${y * side + start + 1} ${x - start}`);
          start = -1;
        }
      }
      if (start >= 0) runs.push(`${y * side + start + 1} ${side - start}`);
    }
    texts.push(runs.join(' '));
  }
  return Masks.fromKaggle(texts, size);
}

const a = drawCells(0);
const b = drawCells(3);
const [textsA, textsB] = [a.toCoco(), b.toCoco()];
const few = textsA.slice(0, dense);
const pixels = Masks.fromCoco(few, size).decode();

/** Operations. `per` divides the time; the peer's result must equal ours, except for pixels, which it has in column order. */
const tasks = [
  {
    name: 'encode: pixels to COCO strings',
    peer: 'encode',
    per: dense,
    run: () => Masks.encode(pixels, size).toCoco(),
  },
  {
    name: '  … peer with pixels in column order, its best case',
    peer: 'encode_columns',
    per: dense,
    run: () => Masks.encode(pixels, size).toCoco(),
  },
  {
    name: 'decode: COCO strings to pixels, every page read',
    peer: 'decode',
    per: dense,
    run: () => {
      const out = Masks.fromCoco(few, size).decode();
      let sum = 0;
      for (let i = 0; i < out.length; i += PAGE) sum += out[i];
      return sum;
    },
  },
  {
    name: 'IoU of all pairs, from COCO strings',
    peer: 'iou',
    per: 1,
    run: () => Masks.fromCoco(textsA, size).iou(Masks.fromCoco(textsB, size)),
  },
  { name: '  … from decoded masks', peer: 'iou', per: 1, run: () => a.iou(b) },
  {
    name: 'union of all cells, from COCO strings',
    peer: 'union',
    per: 1,
    run: () => Masks.fromCoco(textsA, size).union().toCoco(),
  },
  {
    name: 'boxes, from COCO strings',
    peer: 'boxes',
    per: 1,
    run: () => Masks.fromCoco(textsA, size).boxes(),
  },
];

const folder = mkdtempSync(join(tmpdir(), 'cellroute-bench-'));
const input = join(folder, 'masks.json');
writeFileSync(input, JSON.stringify({ side, a: textsA, b: textsB, dense, page: PAGE }));
const python = process.env.PYTHON ?? 'python3';
const child = spawn(python, [fileURLToPath(new URL('peers/rle.py', import.meta.url)), input], {
  stdio: ['pipe', 'pipe', 'inherit'],
});
const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
async function ask(request) {
  if (request) child.stdin.write(`${JSON.stringify(request)}\n`);
  const { value, done } = await lines.next();
  if (done) throw new Error(`${python} did not answer; PYTHON must name a Python with pycocotools`);
  return JSON.parse(value);
}

const median = (times) => times.toSorted((x, y) => x - y)[Math.floor(times.length / 2)];
const { peers } = await ask();
const results = [];
try {
  for (const task of tasks) {
    const answer = task.run();
    const plain = JSON.stringify(ArrayBuffer.isView(answer) ? [...answer] : answer);
    const ours = [];
    const theirs = Object.fromEntries(Object.keys(peers).map((peer) => [peer, []]));
    for (const peer of Object.keys(peers)) {
      const { result } = await ask({ peer, op: task.peer, answer: true });
      if (result !== null && JSON.stringify(result) !== plain)
        throw new Error(`${task.name}: the result of ${peer} differs`);
    }
    for (let round = 0; round < rounds; round++) {
      const start = performance.now();
      task.run();
      ours.push(performance.now() - start);
      for (const peer of Object.keys(peers)) theirs[peer].push((await ask({ peer, op: task.peer })).ms);
    }
    const us = median(ours) / task.per;
    results.push({
      task: task.name.trim(),
      unit: task.per === 1 ? 'ms' : 'ms a mask',
      cellroute: us,
      peers: Object.fromEntries(
        Object.entries(theirs).map(([peer, times]) => {
          const ms = median(times) / task.per;
          return [peer, { ms, ratio: ms / us }];
        }),
      ),
    });
  }
} finally {
  child.stdin.end();
  if (child.exitCode === null) await once(child, 'exit');
  rmSync(folder, { recursive: true });
}

console.log(
  `${cells} cells on ${side} x ${side}; ${rounds} alternating rounds, medians; ${cpus().length} x ${cpus()[0].model}`,
);
console.log(
  Object.entries(peers)
    .map(([peer, version]) => `${peer} ${version}`)
    .join(', '),
);
const names = Object.keys(peers);
const table = [['', 'cellroute', ...names.flatMap((name) => [name, 'ratio'])]];
for (const [i, result] of results.entries()) {
  table.push([
    tasks[i].name,
    `${result.cellroute.toPrecision(3)} ${result.unit}`,
    ...names.flatMap((name) => [
      result.peers[name].ms.toPrecision(3),
      `${result.peers[name].ratio.toFixed(1)} x`,
    ]),
  ]);
}
const widths = table[0].map((_, column) => Math.max(...table.map((row) => row[column].length)));
for (const row of table) {
  console.log(row.map((cell, i) => (i === 0 ? cell.padEnd(widths[i]) : cell.padStart(widths[i]))).join('  '));
}
const report = { cells, side, rounds, peers, results };
if (values.json) writeFileSync(values.json, `${JSON.stringify(report, null, 2)}\n`);
else console.log(JSON.stringify(report));
