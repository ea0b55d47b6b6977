// Repeats heavy use and failures of the library for a while, and prints one table.
//   npm run soak -- [MINUTES, default 10] [PROGRAM...]
// Each program is a separate process that reports its results. All programs get the same time.
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { lastLine, runChild } from './child.mjs';
import { finish, noCounts } from './report.mjs';
import { root } from './run.mjs';

const PROGRAMS = {
  calls: 'calls with bad images, aborts and reloads: memory must not grow',
  workers: 'worker threads that are terminated during segmentation',
  aborts: 'running calls that are aborted at random moments',
  queue: 'many calls at once, half of them aborted while they wait',
  kills: 'kill -9 during training: each run resumes at once, and ends with the result of an undisturbed run',
  disk: 'training whose writes fail: the last checkpoint stays complete',
};

const [minutes = '10', ...chosen] = process.argv.slice(2);
const names = chosen.length > 0 ? chosen : Object.keys(PROGRAMS);
if (!(Number(minutes) > 0) || names.some((name) => !(name in PROGRAMS))) {
  console.error(`Usage: npm run soak -- [minutes] [${Object.keys(PROGRAMS).join(' | ')}]`);
  process.exit(2);
}
if (!existsSync(join(root, 'dist/index.js'))) {
  console.error('cellroute: build first (npm run build)');
  process.exit(1);
}
const seconds = (Number(minutes) * 60) / names.length;
/** Seconds after which a program is considered to hang. */
const PATIENCE_SECONDS = 900;

async function run(name) {
  const folder = mkdtempSync(join(tmpdir(), `cellroute-soak-${name}-`));
  const { stdout, stderr, ended } = await runChild(
    process.execPath,
    ['--expose-gc', join(root, 'scripts/soak', `${name}.mjs`), String(seconds), folder],
    // Threads that wait give their core to the other programs of the machine.
    { seconds: seconds + PATIENCE_SECONDS, env: { ...process.env, OMP_WAIT_POLICY: 'PASSIVE' } },
  );
  rmSync(folder, { recursive: true, force: true });
  const report = ended === 0 ? lastLine(stdout) : undefined;
  return report ?? { failures: [`ended with ${ended}`, stderr.trim().slice(-2000)] };
}

const counts = noCounts();
for (const name of names) {
  const { failures, ...figures } = await run(name);
  const text = Object.entries(figures).map(([what, value]) => `${what} ${value}`);
  console.log(`${name.padEnd(9)}${failures.length === 0 ? 'ok    ' : 'FAILED'}  ${text.join(', ')}`);
  console.log(`${' '.repeat(17)}${PROGRAMS[name]}`);
  for (const failure of failures.slice(0, 10)) console.log(`${' '.repeat(17)}- ${failure}`);
  counts[failures.length === 0 ? 'passed' : 'failed']++;
}
finish(counts);
