// The platforms of a release, from lib/native/platforms.json: the version of torch whose wheel has LibTorch and pip's tag of it, the oldest glibc,
// and the machine and the variable with the container in which release.yml builds.
//   node scripts/platforms.mjs     prints the matrix of release.yml
import { readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { root } from './run.mjs';

export const PLATFORMS = JSON.parse(readFileSync(join(root, 'lib', 'native', 'platforms.json'), 'utf8'));

/** The platform of this machine. */
export const HOST = `${process.platform}-${process.arch}`;

if (process.argv[1] && resolve(process.argv[1]) === fileURLToPath(import.meta.url)) {
  const include = Object.entries(PLATFORMS).map(([platform, { runner, container, glibc }]) => ({
    platform,
    runner,
    container,
    glibc,
  }));
  console.log(`matrix=${JSON.stringify({ include })}`);
}
