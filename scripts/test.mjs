// Gets what is needed, builds, and runs every test. Ends with one line: what the runners counted, added up.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { runChecks } from './check.mjs';
import { must, root, run } from './run.mjs';

const total = { passed: 0, failed: 0, skipped: 0 };
const add = (counts) => {
  for (const key of Object.keys(total)) total[key] += counts[key] ?? 0;
};

const title = (text) => console.log(`\n=== ${text}`);

/** doctest's own count of its cases. */
function runNative(program) {
  title(program);
  const { status, output } = run(join(root, 'out', 'Release', program), [], { capture: true });
  console.log(output.trim());
  const found = /test cases:\s*(\d+)\s*\|\s*(\d+) passed\s*\|\s*(\d+) failed(?:\s*\|\s*(\d+) skipped)?/.exec(
    output,
  );
  if (!found) return add({ failed: 1 });
  const [, , passed, failed, skipped = 0] = found.map(Number);
  // A crash after the last line is a failure too.
  add({ passed, failed: failed || (status === 0 ? 0 : 1), skipped: skipped || 0 });
}

function runJest() {
  title('jest');
  const report = join(root, 'out', 'jest.json');
  run('jest', ['--json', `--outputFile=${report}`, ...process.argv.slice(2)]);
  const { numPassedTests, numFailedTests, numPendingTests, numRuntimeErrorTestSuites } = JSON.parse(
    readFileSync(report, 'utf8'),
  );
  add({
    passed: numPassedTests,
    failed: numFailedTests + numRuntimeErrorTestSuites,
    skipped: numPendingTests,
  });
}

title('build');
must('node', ['scripts/build.mjs', '--tests']);
title('node-gyp and prebuildify, from the same description');
must('node', ['scripts/gyp.mjs', 'prebuild']);
for (const program of [
  'cellroute_mask_test',
  'cellroute_metrics_test',
  'cellroute_data_test',
  'cellroute_core_test',
])
  runNative(program);
runJest();
title('checks');
add(await runChecks());

const { passed, failed, skipped } = total;
console.log(`\n${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ''}`);
process.exitCode = failed === 0 ? 0 : 1;
