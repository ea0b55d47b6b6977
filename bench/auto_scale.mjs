// The cost of `scale: 'auto'`: the time in which a segmenter decides the scale of an image, as a ratio to a pass over the image at
// scale 1, measured alternately. node bench/auto_scale.mjs [IMAGE...] [--rounds 7] [--precision float32]; without images, those
// of examples/images, each with the segmenter of its type.
import { readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { parseArgs } from 'node:util';
import { decodeImage, RoutedEnsemble } from '../dist/index.mjs';
import { packageRoot } from '../dist/native/find.js';

const { values: flags, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    rounds: { type: 'string', default: '7' },
    precision: { type: 'string', default: 'float32' },
  },
});
const own = ['phase-contrast', 'histology', 'fluorescence-crowded', 'fluorescence-sparse'];
const paths =
  positionals.length > 0
    ? positionals
    : own.map((name) => join(packageRoot, 'examples/images', `${name}.png`));
const rounds = Number(flags.rounds);

const median = (values) => [...values].sort((a, b) => a - b)[values.length >> 1];

/** Milliseconds of the clock and of all processors that a call takes. */
async function timed(body) {
  const [clock, processor] = [performance.now(), process.cpuUsage()];
  const result = await body();
  const { user, system } = process.cpuUsage(processor);
  return { result, clock: performance.now() - clock, processor: (user + system) / 1000 };
}

const ensemble = await RoutedEnsemble.load({ precision: flags.precision });
console.log('| image | pixels | scale | cells | pass, ms | decision, ms | ratio | ratio of processor time |');
console.log('| --- | --- | --- | --- | --- | --- | --- | --- |');
for (const path of paths) {
  const image = await decodeImage(readFileSync(path));
  const { cellType } = await ensemble.classifier.classify(image);
  const segmenter = ensemble.segmenters[cellType];
  const options = ensemble.thresholds[cellType];
  const turns = [];
  for (let round = 0; round <= rounds; round++) {
    const pass = await timed(() => segmenter.segment(image, options));
    const decision = await timed(() => segmenter.decideScale(image));
    // The first turn allocates memory.
    if (round > 0) turns.push({ pass, decision });
  }
  const ratio = (of) => median(turns.map(({ pass, decision }) => decision[of] / pass[of])).toFixed(2);
  const time = (what) => median(turns.map((turn) => turn[what].clock)).toFixed(0);
  const [{ pass, decision }] = turns;
  console.log(
    `| ${basename(path)} | ${image.width} × ${image.height} | ${decision.result} | ${pass.result.cells.length} | ${time('pass')} | ${time('decision')} | ${ratio('clock')} | ${ratio('processor')} |`,
  );
}
await ensemble.dispose();
