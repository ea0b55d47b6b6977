// Fuzzes every reader of untrusted bytes: the TypeScript readers of fuzz/targets.mjs and, if clang is installed, the native
// readers of native/fuzz.
//   npm run fuzz -- [SECONDS PER TARGET, default 30] [TARGET...]
import { existsSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { targets } from '../fuzz/targets.mjs';
import { lastLine, runChild } from './child.mjs';
import { buildNativeFuzzers, nativeFuzzers, runNativeFuzzer } from './fuzz-native.mjs';
import { finish, noCounts } from './report.mjs';
import { root } from './run.mjs';

/** Seconds after which a process that should have ended is killed: an input hangs. */
const PATIENCE_SECONDS = 90;

const [first, ...rest] = process.argv.slice(2);
const seconds = first === undefined || Number.isNaN(Number(first)) ? 30 : Number(first);
const chosen = first !== undefined && Number.isNaN(Number(first)) ? [first, ...rest] : rest;
const wanted = (name) => chosen.length === 0 || chosen.includes(name);
const unknown = chosen.filter((name) => !(name in targets) && !(name in nativeFuzzers));
if (unknown.length > 0 || !(seconds > 0)) {
  console.error(
    `Usage: npm run fuzz -- [seconds] [${[...Object.keys(targets), ...Object.keys(nativeFuzzers)].join(' | ')}]`,
  );
  process.exit(2);
}
if (!existsSync(join(root, 'dist/index.js'))) {
  console.error('cellroute: build first (npm run build)');
  process.exit(1);
}

/** Runs a TypeScript target in its own process, so that a crash or a hang does not stop the other targets. */
async function runTarget(name) {
  const limits = ['--max-semi-space-size=16', '--max-old-space-size=1024'];
  const { stdout, stderr, ended } = await runChild(
    process.execPath,
    [...limits, join(root, 'fuzz/run.mjs'), name, String(seconds)],
    { seconds: seconds + PATIENCE_SECONDS },
  );
  const failure = `ended with ${ended} in cellroute-fuzz-${name}-*\n${stderr}`;
  return lastLine(stdout) ?? { target: name, runs: 0, failure };
}

const work = Object.keys(targets)
  .filter(wanted)
  .map((name) => () => runTarget(name));
const native = Object.keys(nativeFuzzers).filter(wanted);
const counts = noCounts();
if (native.length > 0 && (await buildNativeFuzzers(native))) {
  work.push(...native.map((name) => () => runNativeFuzzer(name, seconds, PATIENCE_SECONDS)));
} else {
  counts.skipped = native.length;
}

async function worker() {
  for (let next = work.shift(); next; next = work.shift()) {
    const result = await next();
    const { target, runs, refused = '', answers = '', seed = '', failure } = result;
    const cells = [
      String(runs).padStart(10),
      String(refused).padStart(10),
      String(answers).padStart(8),
      seed,
    ];
    console.log(
      `${target.padEnd(14)}${cells.join('  ')}${failure ? `  FAILED\n${failure}\n${result.file ?? ''}` : ''}`,
    );
    counts[failure ? 'failed' : 'passed']++;
  }
}
console.log(
  `${'target'.padEnd(14)}${['runs', 'refused', 'answers'].map((word, i) => word.padStart([10, 10, 8][i])).join('  ')}  seed`,
);
await Promise.all(Array.from({ length: Math.min(availableParallelism(), work.length) }, worker));
finish(counts);
