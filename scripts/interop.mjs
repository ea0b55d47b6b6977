// Reads our outputs back with the programs that labs use: Java from Debian, Python from PyPI in an environment of its own.
//   node scripts/interop.mjs
// What cannot be installed here is reported, and its tests are skipped by name.
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { runJest } from './jest.mjs';
import { cacheFolder, python } from './libtorch.mjs';
import { finish } from './report.mjs';
import { must, root, run } from './run.mjs';
import { ensureConsumers } from './system.mjs';

const requirements = join(root, 'test', 'interop', 'requirements.txt');

/** The Python that has the packages, made once per version of their list; undefined where it cannot be made. */
function pythonWithPackages() {
  const digest = createHash('sha256').update(readFileSync(requirements)).digest('hex').slice(0, 12);
  const folder = join(cacheFolder(), `interop-${digest}`);
  const program = join(
    folder,
    ...(process.platform === 'win32' ? ['Scripts', 'python.exe'] : ['bin', 'python']),
  );
  const done = join(folder, 'complete');
  if (existsSync(done)) return program;
  const interpreter = python();
  if (!interpreter) return undefined;
  console.error('cellroute: installing what reads our outputs from PyPI');
  mkdirSync(cacheFolder(), { recursive: true });
  rmSync(folder, { recursive: true, force: true });
  const steps = [
    [interpreter, ['-m', 'venv', folder]],
    [program, ['-m', 'pip', 'install', '--quiet', '-r', requirements]],
  ];
  for (const [command, args] of steps) {
    const { status, output } = run(command, args, { capture: true });
    if (status === 0) continue;
    console.error(output);
    return undefined;
  }
  mkdirSync(done);
  return program;
}

must('node', ['scripts/build.mjs', '--if-missing']);
must('node', ['scripts/build.mjs', '--sdk']);
ensureConsumers();
const program = pythonWithPackages();
const { counts } = runJest(['test/interop'], { env: program ? { CELLROUTE_INTEROP_PYTHON: program } : {} });
finish(counts);
