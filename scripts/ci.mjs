// Second part of .ci/run: runs every script that a change must pass, and prints the sum of all counts. A failure does not
// stop the other scripts.
import { existsSync, mkdirSync, readFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { add, closingLine, noCounts } from './report.mjs';
import { run } from './run.mjs';

const SCRIPTS = [
  ['build:gyp'],
  ['build:prebuild'],
  ['docs'],
  // Every program and command of the documentation: 1.5 to 3 minutes.
  ['test:examples'],
  ['test:browser'],
  ['test:pack'],
  // Publishes to a registry on this machine and installs from there.
  ['test:registry'],
  ['test:interop'],
  // Skipped where there are no CPU builds of torch and torchvision.
  ['test:python', '--cpu-builds'],
  ['test:serve'],
  // Job queues over Debian's redis-server: minutes.
  ['test:queue'],
  // Without a limit, a change of a header that is read everywhere takes half an hour.
  ['lint:native', '--minutes', '12'],
  // All C++ tests under AddressSanitizer and UndefinedBehaviorSanitizer: 4.5 minutes on two cores with a full build.
  ['test:sanitize'],
  // Threads, jobs and memory under ThreadSanitizer: half a minute.
  ['test:sanitize', '--thread'],
  // Seconds per target.
  ['fuzz', '30'],
  // Compiled and linked if nvcc and a CUDA LibTorch exist; otherwise reported as skipped.
  ['build:cuda', '--if-there'],
];

const record = process.env.CELLROUTE_COUNTS;
mkdirSync(dirname(record), { recursive: true });
const counted = () =>
  existsSync(record)
    ? readFileSync(record, 'utf8')
        .split('\n')
        .filter(Boolean)
        .map((line) => JSON.parse(line))
    : [];

const total = noCounts();
const rows = [];

// `npm test` ran before and left its counts. Without counts, the build failed.
const before = counted()[0] ?? { passed: 0, failed: 1, skipped: 0 };
add(total, before);
rows.push(['npm install && npm test', Number(process.env.CELLROUTE_STARTED), before]);

for (const [script, ...args] of SCRIPTS) {
  const name = ['npm run', script, ...args].join(' ');
  console.log(`\n=== ${name}`);
  const started = Date.now();
  const known = counted().length;
  const { status } = run('npm', ['run', '--silent', script, '--', ...args]);
  const own = counted().slice(known);
  // A script without counts is one check. If it failed without counting a failure, one is added.
  const counts = noCounts();
  for (const each of own) add(counts, each);
  if (own.length === 0) counts[status === 0 ? 'passed' : 'failed'] = 1;
  else if (status !== 0 && counts.failed === 0) counts.failed = 1;
  add(total, counts);
  rows.push([name, started, counts]);
}

console.log('\n=== minutes');
const ends = [...rows.slice(1).map(([, started]) => started), Date.now()];
rows.forEach(([name, started, counts], i) => {
  const minutes = ((ends[i] - started) / 60_000).toFixed(1);
  console.log(`${minutes.padStart(6)}  ${name.padEnd(32)} ${closingLine(counts)}`);
});
console.log(`\n${closingLine(total)}`);
process.exitCode = total.failed === 0 ? 0 : 1;
