// Compares R50-FPN at 704 x 520 on a GPU with torchvision in eager mode. Prints a Markdown table.
//   node bench/gpu/run.mjs [--device cuda:0] [--quick]
// CELLROUTE_LIBTORCH is the torch folder of a Python that has torchvision (PYTHON, default python3). --device cpu checks that
// both sides run, but measures no GPU; --quick runs one repeat of the smallest cases.
import { mkdtempSync, rmSync } from 'node:fs';
import { cpus, tmpdir } from 'node:os';
import { join } from 'node:path';
import { measure, median, python } from '../side.mjs';

const here = import.meta.dirname;
const argument = (name, fallback) => {
  const at = process.argv.indexOf(name);
  return at < 0 ? fallback : process.argv[at + 1];
};
const device = argument('--device', 'cuda:0');
const quick = process.argv.includes('--quick');
const folder = mkdtempSync(join(tmpdir(), 'cellroute-bench-'));
const cells = Array.from({ length: 60 }, (_, i) => [
  10 + (i % 10) * 68,
  10 + Math.floor(i / 10) * 84,
  40,
  50,
]);
const common = {
  device,
  width: 704,
  height: 520,
  weights: join(folder, 'weights.safetensors'),
  image: join(folder, 'image.raw'),
  cells,
  // Limit of the notebook, which formula weights reach.
  detections: 539,
  warmup: quick ? 1 : 5,
  repeats: quick ? 1 : 20,
};

function ask(program, args, task) {
  try {
    return measure(program, [...args, JSON.stringify(task)]);
  } catch (error) {
    return { failure: error.message.trim().split('\n').at(-1) };
  }
}
const theirs = (task) => ask(python, [join(here, 'torchvision_side.py')], task);
const ours = (task) => ask(process.execPath, [join(here, 'ours.mjs')], task);

const precisions = device === 'cpu' ? ['float32'] : ['float32', 'tf32', 'float16'];
const cases = [
  ...precisions.flatMap((precision) =>
    (quick ? [1] : [1, 8]).map((batch) => ({ kind: 'segment', precision, batch, fetch: false })),
  ),
  // With torchvision's masks copied to the host as whole images; ours are on the host as runs.
  ...(quick ? [] : [{ kind: 'segment', precision: precisions.at(-1), batch: 8, fetch: true }]),
  ...(device === 'cpu' ? ['float32'] : ['float32', 'tf32']).flatMap((precision) =>
    (quick ? [1] : [2, 8]).map((batch) => ({ kind: 'train', precision, batch })),
  ),
];

try {
  const { failure } = theirs({ ...common, kind: 'prepare' });
  if (failure) throw new Error(`torchvision's side cannot start: ${failure}`);
  console.log(
    `R50-FPN, 704 x 520 resized to 800, on ${device}; ${cpus()[0]?.model}, ${cpus().length} threads\n`,
  );
  console.log(
    '| case | precision | images | ours, /s | torchvision, /s | ratio | ours, MiB | torchvision, MiB |',
  );
  console.log('| --- | --- | --- | --- | --- | --- | --- | --- |');
  for (const one of cases) {
    const task = { ...common, ...one };
    const [own, peer] = [ours(task), theirs(task)];
    const rate = ({ seconds }) => one.batch / median(seconds);
    const shown = (side) => (side.failure ? `failed: ${side.failure}` : rate(side).toFixed(2));
    const ratio = own.failure || peer.failure ? '' : (rate(own) / rate(peer)).toFixed(2);
    console.log(
      `| ${one.kind}${one.fetch ? ", torchvision's masks fetched" : ''} | ${one.precision} | ${one.batch} | ${shown(own)} | ${shown(peer)} | ${ratio} | ${own.memoryMiB ?? ''} | ${peer.memoryMiB ?? ''} |`,
    );
    if (own.failure) process.exitCode = 1;
  }
} finally {
  rmSync(folder, { recursive: true });
}
