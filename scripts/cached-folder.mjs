// Folders of installed packages, filled once per list of packages and kept in the cache.
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { cacheFolder } from './libtorch.mjs';

/**
 * The folder for this list of packages.
 *
 * @param fill called with the empty folder where it is not complete. Returns false, or throws, if it cannot fill it.
 * @returns undefined if `fill` returned false.
 */
export function cachedFolder(name, packages, fill) {
  const digest = createHash('sha256').update(JSON.stringify(packages)).digest('hex').slice(0, 12);
  const folder = join(cacheFolder(), `${name}-${digest}`);
  const done = join(folder, 'complete');
  if (existsSync(done)) return folder;
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  if (!fill(folder)) return undefined;
  mkdirSync(done);
  return folder;
}
