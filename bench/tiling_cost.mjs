// The cost of tiles for equal work: one pass, 9 tiles and 25 tiles of one image of 2048 × 2048 pixels, in turns in one process. node bench/tiling_cost.mjs IMAGE [--rounds 5]; IMAGE is repeated, grey. Needs a build.
import { loadavg } from 'node:os';
import { join } from 'node:path';
import { performance } from 'node:perf_hooks';
import { parseArgs } from 'node:util';
import { CellSegmenter } from 'cellroute';
import { repeated } from './repeated.mjs';
import { median } from './side.mjs';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { rounds: { type: 'string', default: '5' } },
});
const side = 2048;
const image = await repeated(positionals[0], side);
const weights = join(import.meta.dirname, '../test/ensemble/fluorescence.safetensors');
const segmenter = await CellSegmenter.load(weights);

// Each way may have as many proposals in all, and no limit on cells.
const proposals = 20_000;
const limits = (tiles) => {
  const own = Math.ceil(proposals / tiles);
  return { detectionsPerImage: 1_000_000, rpn: { preNmsTopN: own, postNmsTopN: own } };
};
const ways = {
  'one pass': { tiles: false, ...limits(1) },
  '9 tiles': { tiles: { size: 1024 }, ...limits(9) },
  '25 tiles': { tiles: { size: 512 }, ...limits(25) },
};
const runs = Object.fromEntries(Object.keys(ways).map((name) => [name, []]));
for (let round = 0; round < Number(values.rounds); round++) {
  for (const [name, options] of Object.entries(ways)) {
    const started = performance.now();
    const { cells, seams } = await segmenter.segment(image, options);
    const seconds = (performance.now() - started) / 1000;
    const tiles = seams ? (seams.x.length + 1) * (seams.y.length + 1) : 1;
    runs[name].push({ seconds, tiles, cells: cells.length });
  }
}
console.log(`median of ${values.rounds} rounds, load average ${loadavg()[0].toFixed(1)}`);
console.log('| | tiles | cells | seconds | beside one pass |');
console.log('| --- | --- | --- | --- | --- |');
for (const [name, own] of Object.entries(runs)) {
  const ratio = median(own.map(({ seconds }, i) => seconds / runs['one pass'][i].seconds));
  const seconds = median(own.map((one) => one.seconds));
  console.log(
    `| ${name} | ${own[0].tiles} | ${own[0].cells} | ${seconds.toFixed(2)} | ${ratio.toFixed(2)} |`,
  );
}
await segmenter.dispose();
