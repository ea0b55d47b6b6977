// Runs one target for a while: node fuzz/run.mjs TARGET SECONDS [SEED [RUNS]]. Prints one line of JSON.
//
// An input is a seed with changes. Seeds are the target's files, and inputs of this run with a new answer. Each reason to
// refuse an input has its own message, so a new message means that an input reached new code.
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { getHeapStatistics } from 'node:v8';
import fc from 'fast-check';
import { memoryFile } from './memory-file.mjs';
import { bytesOf, inputs } from './mutate.mjs';
import { targets } from './targets.mjs';

const [name, seconds, seed = String(Date.now() % 2 ** 31), runs = String(Number.MAX_SAFE_INTEGER)] =
  process.argv.slice(2);
const target = targets[name];
if (!target || !(Number(seconds) > 0))
  throw new Error(`Expected a target (${Object.keys(targets)}) and seconds`);

/** Maximum memory for an input of this many bytes. */
const memoryCap = (bytes) => 64 * 2 ** 20 + 20 * bytes;
/** Inputs between two measurements of the process's peak memory, which takes as long as an input. */
const INPUTS_PER_PEAK = 512;
const MAX_SECONDS_PER_INPUT = 10;
const MAX_POOL = 400;

const root = new URL('../', import.meta.url);
const pool = target.seeds.flatMap(([folder, pattern = /./]) =>
  readdirSync(new URL(folder, root))
    .filter((file) => pattern.test(file))
    .sort()
    .map((file) => readFileSync(new URL(`${folder}/${file}`, root))),
);
if (pool.length === 0) throw new Error(`${name} has no seeds`);
const words = target.words.map((word) => Buffer.from(word, 'latin1'));
const folder = mkdtempSync(join(process.env.CELLROUTE_FUZZ_FOLDER ?? tmpdir(), `cellroute-fuzz-${name}-`));
const file = join(folder, target.file);
const setInput = memoryFile(file);

const heapBytes = () => {
  const { used_heap_size, external_memory, malloced_memory } = getHeapStatistics();
  return used_heap_size + external_memory + malloced_memory;
};
const peakBytes = () => process.resourceUsage().maxRSS * 1024;
/** Of the process at the last measurement. */
let peak;
/** Inputs since then. */
let unmeasured = [];

/** The error if the peak rose by more than one of the inputs since the last measurement may use; otherwise undefined. */
function peakError() {
  if (unmeasured.length === 0) return undefined;
  const before = peak;
  peak = peakBytes();
  const largest = Math.max(...unmeasured.map(({ length }) => length));
  if (peak - before > memoryCap(largest)) {
    for (const [i, bytes] of unmeasured.entries()) writeFileSync(join(folder, `memory-${i}`), bytes);
    return new Error(
      `one of the files memory-* took ${peak - before} bytes of memory; its size is at most ${largest}`,
    );
  }
  unmeasured = [];
  return undefined;
}

function checkLimits(bytes, seconds, heap) {
  if (seconds > MAX_SECONDS_PER_INPUT)
    throw new Error(`${bytes.length} bytes took ${seconds.toFixed(1)} seconds`);
  const cap = memoryCap(bytes.length);
  if (heap > cap)
    throw new Error(`${bytes.length} bytes took ${heap} bytes of memory; at most ${cap} are allowed`);
  unmeasured.push(bytes);
  const error = unmeasured.length === INPUTS_PER_PEAK ? peakError() : undefined;
  if (error) throw error;
}

const answers = new Set();
let refused = 0;

async function attempt(bytes, limits = true) {
  setInput(bytes);
  const heap = heapBytes();
  const started = performance.now();
  let answer = 'read';
  try {
    await target.run(file);
  } catch (error) {
    if (error.name !== 'CellrouteError' || error.code === 'NATIVE_FAILURE') throw error;
    refused++;
    answer = `${error.code} ${error.message.replaceAll(file, '').replaceAll(/"[^"]*"|'[^']*'|\d+/g, '')}`;
  }
  const took = (performance.now() - started) / 1000;
  if (limits) checkLimits(bytes, took, heapBytes() - heap);
  if (!answers.has(answer) && pool.length < MAX_POOL) {
    answers.add(answer);
    pool.push(bytes);
  }
}

// Unchanged seeds first: memory of modules that are loaded on first use is not attributed to inputs.
for (const bytes of [...pool]) await attempt(bytes, false);
peak = peakBytes();
for (const bytes of [...pool]) await attempt(bytes, true);
refused = 0;
const property = fc.asyncProperty(inputs, (input) => attempt(Buffer.from(bytesOf(input, { pool, words }))));
const result = await fc.check(property, {
  numRuns: Number(runs),
  interruptAfterTimeLimit: 1000 * Number(seconds),
  markInterruptAsFailure: false,
  seed: Number(seed),
});
const summary = { target: name, runs: result.numRuns, refused, answers: answers.size, seed: Number(seed) };
const isFailed = result.failed && !result.interrupted;
const failure = isFailed ? result.errorInstance : peakError();
if (isFailed || failure) {
  const [input] = result.counterexample ?? [];
  if (input) writeFileSync(file, bytesOf(input, { pool, words }));
  console.log(JSON.stringify({ ...summary, failure: String(failure?.stack ?? failure), file }));
  process.exitCode = 1;
} else {
  rmSync(folder, { recursive: true, force: true });
  console.log(JSON.stringify(summary));
}
