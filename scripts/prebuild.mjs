// Copies the build's results into the package: the addon and the preload stub of this platform.
import { copyFileSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { root } from './run.mjs';

export const prebuild = join(root, 'prebuilds', `${process.platform}-${process.arch}`);

/** Copies both from build/. They are not moved, because tests may be running with them. */
export function copyPrebuild() {
  mkdirSync(prebuild, { recursive: true });
  copyFileSync(join(root, 'build', 'Release', 'cellroute.node'), join(prebuild, 'cellroute.node'));
  copyFileSync(
    join(root, 'build', 'preload', 'cellroute_preload.node'),
    join(prebuild, 'cellroute_preload.node'),
  );
}
