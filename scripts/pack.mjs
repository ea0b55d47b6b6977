// Checks the package as users get it: packs once, then publint, the types of every module system, and an installation
// of the tarball (test/pack).
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { runJest } from './jest.mjs';
import { add, finish, runChecks } from './report.mjs';
import { must, run } from './run.mjs';

const folder = mkdtempSync(join(tmpdir(), 'cellroute-pack-'));
try {
  const printed = must('npm', ['pack', '--json', '--pack-destination', folder], { stdout: 'pipe' });
  const [{ filename }] = JSON.parse(printed);
  const tarball = join(folder, filename);
  const total = await runChecks([
    ['publint', () => run('publint', ['run', tarball, '--strict'], { capture: true })],
    [
      'are the types wrong?',
      () => run('attw', [tarball, '--profile', 'node16', '--format', 'ascii'], { capture: true }),
    ],
  ]);
  add(total, runJest(['test/pack'], { env: { CELLROUTE_TARBALL: tarball } }).counts);
  finish(total);
} finally {
  rmSync(folder, { recursive: true, force: true });
}
