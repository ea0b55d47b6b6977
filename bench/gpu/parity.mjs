// Compares the starter ensemble on the CPU and on a GPU in float32: equal cells, differences of at most 1e-4.
//   node bench/gpu/parity.mjs [--device cuda:0]
import { readdirSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';

const require = createRequire(import.meta.url);
const { RoutedEnsemble } = require('../../dist/index.js');
const at = process.argv.indexOf('--device');
const device = at < 0 ? 'cuda:0' : process.argv[at + 1];
const folder = join(import.meta.dirname, '../../examples/images');
const [cpu, gpu] = [await RoutedEnsemble.load(), await RoutedEnsemble.load({ device })];

const worst = (a, b) => a.reduce((max, value, i) => Math.max(max, Math.abs(value - b[i])), 0);
let failed = 0;
for (const name of readdirSync(folder).filter((file) => file.endsWith('.png'))) {
  const options = { cellType: 'fluorescence' };
  const image = readFileSync(join(folder, name));
  const one = await cpu.segment(image, options);
  const other = await gpu.segment(image, options);
  const same = one.cells.length === other.cells.length;
  const scores = same ? worst(one.cells.scores, other.cells.scores) : Number.NaN;
  const boxes = same ? worst(one.cells.boxes, other.cells.boxes) : Number.NaN;
  const routed = worst(Object.values(one.probabilities), Object.values(other.probabilities));
  // Boxes are in pixels of images a few hundred pixels wide.
  const good = same && scores <= 1e-4 && boxes <= 1e-4 * 1024 && routed <= 1e-4;
  if (!good) failed++;
  console.log(
    `${good ? 'ok    ' : 'FAILED'} ${name}: ${one.cells.length} and ${other.cells.length} cells; largest difference of scores ${scores}, boxes ${boxes} px, probabilities ${routed}`,
  );
}
console.log(`${failed === 0 ? 'equal results' : `${failed} images differ`} on cpu and ${device}`);
process.exit(failed === 0 ? 0 : 1);
