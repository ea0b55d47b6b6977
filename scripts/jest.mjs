// Runs jest and counts its results.
import { existsSync, readFileSync, rmSync } from 'node:fs';
import { join, relative } from 'node:path';
import { noCounts } from './report.mjs';
import { root, run } from './run.mjs';

/** Counts of a run, and the seconds per test file. `command` starts jest. */
export function runJest(args, { env, command: [program, ...start] = ['jest'] } = {}) {
  const report = join(root, 'out', 'jest.json');
  rmSync(report, { force: true });
  run(program, [...start, '--json', `--outputFile=${report}`, ...args], { env });
  if (!existsSync(report)) return { counts: { ...noCounts(), failed: 1 }, seconds: [] };
  const result = JSON.parse(readFileSync(report, 'utf8'));
  return {
    counts: {
      passed: result.numPassedTests,
      failed: result.numFailedTests + result.numRuntimeErrorTestSuites,
      skipped: result.numPendingTests,
    },
    seconds: result.testResults.map(({ name, startTime, endTime }) => ({
      name: relative(root, name),
      seconds: (endTime - startTime) / 1000,
    })),
  };
}
