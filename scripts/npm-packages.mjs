// Packages of npm for another platform, installed once per list and kept in the cache.
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { cacheFolder } from './libtorch.mjs';
import { must } from './run.mjs';

/**
 * Folder with packages (`name@version`), for NODE_PATH.
 *
 * @param purpose of the packages, for messages.
 * @throws if npm cannot install them.
 */
export function npmPackages(name, packages, purpose) {
  const digest = createHash('sha256').update(JSON.stringify(packages)).digest('hex').slice(0, 12);
  const folder = join(cacheFolder(), `${name}-${digest}`);
  const done = join(folder, 'complete');
  const modules = join(folder, 'node_modules');
  if (existsSync(done)) return modules;
  console.error(`cellroute: installing ${purpose} from npm`);
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  // --force: npm otherwise refuses packages of another processor.
  const options = ['--force', '--no-save', '--no-audit', '--no-fund', '--ignore-scripts'];
  must('npm', ['install', '--prefix', folder, ...options, ...packages], { capture: true });
  mkdirSync(done);
  return modules;
}
