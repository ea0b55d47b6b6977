// Fuzzes every reader of untrusted bytes: the TypeScript readers of fuzz/targets.mjs and, if clang is installed, the native
// readers of native/fuzz.
//   npm run fuzz -- [SECONDS PER TARGET, default 30] [TARGET...]
//   npm run fuzz -- --runs INPUTS [TARGET...]
// The second form gives every target a number of inputs. It works in parts, each with its own seed, and records them in
// out/fuzz/runs.jsonl: the same command continues after an interruption.
import { appendFileSync, existsSync, mkdirSync, readFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { dirname, join } from 'node:path';
import { targets } from '../fuzz/targets.mjs';
import { buildNativeFuzzers, nativeFuzzers, runNativeFuzzer } from './fuzz-native.mjs';
import { runTypeScriptFuzzer } from './fuzz-typescript.mjs';
import { finish, noCounts } from './report.mjs';
import { root } from './run.mjs';

/** Seconds after which a process that should have ended is killed: an input hangs. */
const PATIENCE_SECONDS = 90;
const INPUTS_PER_PART = 1_000_000;
const MAX_SECONDS_PER_PART = 3600;
const record = join(root, 'out/fuzz/runs.jsonl');
const names = [...Object.keys(targets), ...Object.keys(nativeFuzzers)];

const args = process.argv.slice(2);
const isCounted = args[0] === '--runs';
if (isCounted) args.shift();
const hasNumber = args[0] !== undefined && !Number.isNaN(Number(args[0]));
const number = hasNumber ? Number(args.shift()) : 30;
if (!(number > 0) || (isCounted && !hasNumber) || args.some((name) => !names.includes(name))) {
  console.error(`Usage: npm run fuzz -- [SECONDS | --runs INPUTS] [${names.join(' | ')}]`);
  process.exit(2);
}
if (!existsSync(join(root, 'dist/index.js'))) {
  console.error('cellroute: build first (npm run build)');
  process.exit(1);
}

const chosen = args.length === 0 ? names : names.filter((name) => args.includes(name));
const native = chosen.filter((name) => name in nativeFuzzers);
const counts = noCounts();
const earlier = recorded();
const hasNative = native.length > 0 && (await buildNativeFuzzers(native));
if (!hasNative) counts.skipped = native.length;
const work = chosen.filter((name) => hasNative || !native.includes(name)).flatMap(partsOf);

/** The parts of a target that are not recorded. */
function partsOf(name) {
  if (!isCounted) return [{ name, limits: { seconds: number } }];
  const count = Math.ceil(number / INPUTS_PER_PART);
  return Array.from({ length: count }, (_, i) => ({
    name,
    limits: {
      seconds: MAX_SECONDS_PER_PART,
      runs: Math.min(INPUTS_PER_PART, number - i * INPUTS_PER_PART),
      seed: i + 1,
    },
  })).filter(({ limits: { seed, runs } }) => {
    return !earlier.some((part) => part.target === name && part.seed === seed && part.runs >= runs);
  });
}

function recorded() {
  if (!existsSync(record)) return [];
  return readFileSync(record, 'utf8')
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line));
}

async function worker() {
  for (let next = work.shift(); next; next = work.shift()) {
    const { name, limits } = next;
    const run = native.includes(name) ? runNativeFuzzer : runTypeScriptFuzzer;
    const result = { seed: limits.seed, ...(await run(name, limits, PATIENCE_SECONDS)) };
    print(result);
    if (isCounted && !result.failure) {
      mkdirSync(dirname(record), { recursive: true });
      appendFileSync(record, `${JSON.stringify(result)}\n`);
    }
    counts[result.failure ? 'failed' : 'passed']++;
  }
}

function print({ target, runs, refused = '', answers = '', seed = '', failure, file = '' }) {
  const cells = [String(runs).padStart(10), String(refused).padStart(10), String(answers).padStart(9), seed];
  console.log(`${target.padEnd(14)}${cells.join('  ')}${failure ? `  FAILED\n${failure}\n${file}` : ''}`);
}

print({ target: 'target', runs: 'runs', refused: 'refused', answers: 'answers', seed: 'seed' });
await Promise.all(Array.from({ length: Math.min(availableParallelism(), work.length) }, worker));
if (isCounted) {
  for (const name of chosen) {
    const parts = recorded().filter(({ target }) => target === name);
    print({ target: name, runs: parts.reduce((sum, { runs }) => sum + runs, 0), answers: 'in all' });
  }
}
finish(counts);
