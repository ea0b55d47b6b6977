// Builds and runs the tests that every change must pass: C++ tests, JS tests, types, lint, rules between folders.
//   node scripts/test.mjs [--slowest] [arguments for jest]
//   --slowest   prints how long the slowest tests took
// The last line has the sum of the runners' counts.
import { join } from 'node:path';
import { quickChecks } from './check.mjs';
import { runCtest } from './ctest.mjs';
import { runJest } from './jest.mjs';
import { add, finish, noCounts, runChecks } from './report.mjs';
import { must, root } from './run.mjs';

const args = process.argv.slice(2);
const slowest = args.includes('--slowest');
const jestArguments = args.filter((arg) => arg !== '--slowest');

const title = (text) => console.log(`\n=== ${text}`);

const total = noCounts();
title('build');
must('node', ['scripts/build.mjs', '--tests']);
title('checks');
add(total, await runChecks(quickChecks()));
title('C++ tests');
const native = runCtest(join(root, 'out', 'Release'));
add(total, native.counts);
title('jest');
// Scripts of their own run these: `test:pack` installs the packed tarball, `test:interop` the programs that read outputs,
// `test:browser` Chromium, and `test:examples` starts every program of the documentation.
const jest = runJest(['--testPathIgnorePatterns=/test/(pack|interop|browser|examples)/', ...jestArguments]);
add(total, jest.counts);
if (slowest) {
  title('slowest');
  const all = [...native.seconds, ...jest.seconds].sort((a, b) => b.seconds - a.seconds);
  for (const { name, seconds } of all.slice(0, 20))
    console.log(`${seconds.toFixed(1).padStart(8)} s  ${name}`);
}
finish(total);
