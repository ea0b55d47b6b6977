// Builds the addon for linux-arm64 on Linux x64, with Debian's g++-aarch64-linux-gnu: node scripts/cross.mjs [--if-there]
//   --if-there     if there is no compiler, prints this and succeeds
// The result is prebuilds/linux-arm64/. The build of this machine is not changed.
import { join } from 'node:path';
import { compile, compilerCache, configureOnce, configureQuietly, ninja } from './compile.mjs';
import { findLibtorchOf } from './libtorch.mjs';
import { copyPrebuild } from './prebuild.mjs';
import { root } from './run.mjs';
import { ensureArm64 } from './system.mjs';

const PLATFORM = 'linux-arm64';

if (ensureArm64()) {
  const folder = join(root, 'out', PLATFORM);
  const libtorch = findLibtorchOf(PLATFORM);
  const build = join(folder, 'build');
  const definitions = {
    CMAKE_TOOLCHAIN_FILE: join(root, 'cmake', 'toolchains', `${PLATFORM}.cmake`),
    CELLROUTE_LIBTORCH: libtorch.folder,
    CELLROUTE_OUTPUT: build,
    ...compilerCache(),
  };
  const generator = ninja();
  const flags = Object.entries(definitions).map(([name, value]) => `-D${name}=${value}`);
  configureOnce(folder, { generator: generator ?? 'default', definitions }, () =>
    configureQuietly('cmake', ['-S', root, '-B', folder, ...(generator ? ['-G', generator] : []), ...flags]),
  );
  await compile(folder, ['cellroute', 'cellroute_preload']);
  const target = copyPrebuild({ build, name: PLATFORM });
  console.log(
    `cellroute: the addon for ${PLATFORM} is built and linked with LibTorch ${libtorch.version}: ${target}`,
  );
} else {
  console.log(`cellroute: skipped: the addon for ${PLATFORM} (g++-aarch64-linux-gnu is not installed)`);
  if (!process.argv.includes('--if-there')) process.exitCode = 1;
}
