// Checks the package as users get it: packs once, then publint, the types of every module system, and an installation
// of the tarball (test/pack).
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { runJest } from './jest.mjs';
import { packAll, packageChecks } from './release/packages.mjs';
import { add, finish, runChecks } from './report.mjs';
import { must } from './run.mjs';

must('node', ['scripts/prepack.mjs']);
const folder = mkdtempSync(join(tmpdir(), 'cellroute-pack-'));
try {
  const packages = packAll(folder);
  const { tarball } = packages.find(({ name }) => name === 'cellroute');
  const total = await runChecks(packageChecks(tarball));
  add(total, runJest(['test/pack'], { env: { CELLROUTE_PACKAGES: JSON.stringify(packages) } }).counts);
  finish(total);
} finally {
  rmSync(folder, { recursive: true, force: true });
}
