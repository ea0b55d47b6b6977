// Copies a build's results to prebuilds/, from where they are packed and loaded: the addon and the preload stub.
import { copyFileSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { HOST } from './platforms.mjs';
import { root } from './run.mjs';

/** Folder of a platform, whose name may end in `-cuda13`. */
export const prebuildFolder = (name = HOST) => join(root, 'prebuilds', name);

/** Copies both from a build folder; returns the target. They are not moved, because tests may be running with them. */
export function copyPrebuild({ build = join(root, 'build'), name = HOST } = {}) {
  const folder = prebuildFolder(name);
  mkdirSync(folder, { recursive: true });
  copyFileSync(join(build, 'Release', 'cellroute.node'), join(folder, 'cellroute.node'));
  copyFileSync(join(build, 'preload', 'cellroute_preload.node'), join(folder, 'cellroute_preload.node'));
  return folder;
}
