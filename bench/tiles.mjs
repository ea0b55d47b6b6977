// Measures memory and time of large images in tiles, and of one pass over the whole image if that fits into memory.
//
//   node bench/tiles.mjs IMAGE [--sides 2048,4096,10000] [--whole-up-to 4096] [--precision float32] [--json FILE]
//
// Needs a built checkout (npm run build). A large image repeats IMAGE, grey, 8 bits; the network is that of test/ensemble.
// Each measurement runs in a separate process, because peak memory is counted per process.
import { writeFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { measure } from './side.mjs';

const bench = resolve(fileURLToPath(import.meta.url), '..');
const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    sides: { type: 'string', default: '2048,4096,10000' },
    'whole-up-to': { type: 'string', default: '4096' },
    precision: { type: 'string', default: 'float32' },
    json: { type: 'string' },
  },
});
const [image] = positionals;
if (!image) {
  console.error('usage: node bench/tiles.mjs IMAGE');
  process.exit(2);
}

const columns = ['side', '', 'tiles', 'seconds', 'MB before', 'MB beyond', 'cells', 'on seams'];
const row = (cells) => console.log(cells.map((cell) => String(cell).padStart(10)).join(' '));
console.log(
  `${cpus().length} x ${cpus()[0].model}, ${values.precision}; "beyond" is peak memory minus that before the call, with image and network`,
);
row(columns);
const runs = [];
for (const side of values.sides.split(',').map(Number)) {
  for (const way of ['tiled', ...(side <= Number(values['whole-up-to']) ? ['whole'] : [])]) {
    const args = [resolve(bench, 'ours_tiles.mjs'), image, String(side), way, values.precision];
    const run = { side, way, ...measure(process.execPath, args) };
    runs.push(run);
    const beyond = Math.round(run.peak_mb - run.before_mb);
    row([side, way, run.tiles, run.seconds, Math.round(run.before_mb), beyond, run.cells, run.on_seams]);
  }
}
if (values.json) writeFileSync(values.json, JSON.stringify(runs, null, 2));
