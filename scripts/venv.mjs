// Virtual environments of Python.
import { join } from 'node:path';
import { cachedFolder } from './cached-folder.mjs';
import { python } from './libtorch.mjs';
import { run } from './run.mjs';

/**
 * The Python of an environment with packages from PyPI; undefined, with a message, if it cannot be created.
 *
 * @param installs arguments of pip install, once per call of pip.
 * @param purpose of the packages, for messages.
 */
export function virtualEnvironment(name, installs, purpose) {
  const programIn = (folder) =>
    join(folder, ...(process.platform === 'win32' ? ['Scripts', 'python.exe'] : ['bin', 'python']));
  const folder = cachedFolder(name, installs, (empty) => {
    const interpreter = python();
    if (!interpreter) return false;
    console.error(`cellroute: installing ${purpose} from PyPI`);
    const steps = [
      [interpreter, ['-m', 'venv', empty]],
      ...installs.map((args) => [programIn(empty), ['-m', 'pip', 'install', '--quiet', ...args]]),
    ];
    for (const [command, args] of steps) {
      const { status, output } = run(command, args, { capture: true });
      if (status === 0) continue;
      console.error(output.trim().split('\n').slice(-5).join('\n'));
      return false;
    }
    return true;
  });
  return folder && programIn(folder);
}
