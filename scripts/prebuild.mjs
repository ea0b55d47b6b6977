// What a package carries of the build: the addon and the stub that opens LibTorch, for this platform.
import { copyFileSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { root } from './run.mjs';

export const prebuild = join(root, 'prebuilds', `${process.platform}-${process.arch}`);

/** Copies both from build/, which stays as it is: tests may be running with it. */
export function copyPrebuild() {
  mkdirSync(prebuild, { recursive: true });
  copyFileSync(join(root, 'build', 'Release', 'cellroute.node'), join(prebuild, 'cellroute.node'));
  copyFileSync(
    join(root, 'build', 'preload', 'cellroute_preload.node'),
    join(prebuild, 'cellroute_preload.node'),
  );
}
