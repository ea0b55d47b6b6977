// Virtual environments of Python, made once per version of their list of packages and kept in the cache.
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { cacheFolder, python } from './libtorch.mjs';
import { run } from './run.mjs';

/**
 * The Python of an environment with packages from PyPI; undefined, with a message, if it cannot be created.
 *
 * @param installs arguments of pip install, once per call of pip.
 * @param purpose of the packages, for messages.
 */
export function virtualEnvironment(name, installs, purpose) {
  const digest = createHash('sha256').update(JSON.stringify(installs)).digest('hex').slice(0, 12);
  const folder = join(cacheFolder(), `${name}-${digest}`);
  const program = join(
    folder,
    ...(process.platform === 'win32' ? ['Scripts', 'python.exe'] : ['bin', 'python']),
  );
  const done = join(folder, 'complete');
  if (existsSync(done)) return program;
  const interpreter = python();
  if (!interpreter) return undefined;
  console.error(`cellroute: installing ${purpose} from PyPI`);
  mkdirSync(cacheFolder(), { recursive: true });
  rmSync(folder, { recursive: true, force: true });
  const steps = [
    [interpreter, ['-m', 'venv', folder]],
    ...installs.map((args) => [program, ['-m', 'pip', 'install', '--quiet', ...args]]),
  ];
  for (const [command, args] of steps) {
    const { status, output } = run(command, args, { capture: true });
    if (status === 0) continue;
    console.error(output.trim().split('\n').slice(-5).join('\n'));
    return undefined;
  }
  mkdirSync(done);
  return program;
}
