// Packages of npm for another platform.
import { join } from 'node:path';
import { cachedFolder } from './cached-folder.mjs';
import { must } from './run.mjs';

/**
 * Folder with packages (`name@version`), for NODE_PATH.
 *
 * @param purpose of the packages, for messages.
 * @throws if npm cannot install them.
 */
export function npmPackages(name, packages, purpose) {
  const folder = cachedFolder(name, packages, (empty) => {
    console.error(`cellroute: installing ${purpose} from npm`);
    // --force: npm otherwise refuses packages of another processor.
    const options = ['--force', '--no-save', '--no-audit', '--no-fund', '--ignore-scripts'];
    must('npm', ['install', '--prefix', empty, ...options, ...packages], { capture: true });
    return true;
  });
  return join(folder, 'node_modules');
}
