// Reads our outputs back with the programs that labs use: Java from Debian, Python from PyPI in a separate environment.
//   node scripts/interop.mjs
// What cannot be installed here is reported, and its tests are skipped by name.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { runJest } from './jest.mjs';
import { finish } from './report.mjs';
import { ensureBuilt, root } from './run.mjs';
import { ensureConsumers } from './system.mjs';
import { virtualEnvironment } from './venv.mjs';

/** Lines of the list, so that another list makes another environment. */
const packages = readFileSync(join(root, 'test', 'interop', 'requirements.txt'), 'utf8')
  .split('\n')
  .filter((line) => line && !line.startsWith('#'));

ensureBuilt();
ensureConsumers();
const program = virtualEnvironment('interop', [packages], 'what reads our outputs');
const { counts } = runJest(['test/interop'], { env: program ? { CELLROUTE_INTEROP_PYTHON: program } : {} });
finish(counts);
