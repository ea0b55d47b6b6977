// The fuzz targets of fuzz/targets.mjs, each in a process of its own, so that a crash or a hang does not stop the others.
import { join } from 'node:path';
import { lastLine, runChild } from './child.mjs';
import { root } from './run.mjs';

/**
 * Runs one target for a number of seconds, or until it has had a number of inputs.
 *
 * @returns what fuzz/run.mjs prints: {target, runs, refused, answers, seed}, and `failure` with the `file` of the input if
 *   there was one.
 */
export async function runTypeScriptFuzzer(name, { seconds, runs, seed = Date.now() % 2 ** 31 }, patience) {
  const limits = ['--max-semi-space-size=16', '--max-old-space-size=1024'];
  const count = runs === undefined ? [] : [String(runs)];
  const { stdout, stderr, ended } = await runChild(
    process.execPath,
    [...limits, join(root, 'fuzz/run.mjs'), name, String(seconds), String(seed), ...count],
    { seconds: seconds + patience },
  );
  const failure = `ended with ${ended} in cellroute-fuzz-${name}-*\n${stderr}`;
  return lastLine(stdout) ?? { target: name, runs: 0, failure };
}
