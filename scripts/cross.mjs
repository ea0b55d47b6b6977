// Builds the addon for another platform on Linux x64: node scripts/cross.mjs linux-arm64 [--if-there]
//   --if-there     if there is no compiler, prints this and succeeds
// The result is prebuilds/<platform>/. The build of this machine is not changed.
import { mkdirSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { compile, compilerCache, configureOnce, configureQuietly, ninja } from './compile.mjs';
import { findLibtorchOf } from './libtorch.mjs';
import { copyPrebuild } from './prebuild.mjs';
import { root } from './run.mjs';
import { ensureArm64, ensureSystem } from './system.mjs';

/** Per platform: the compiler's name, and a function that returns whether it is installed. */
const COMPILERS = {
  'linux-arm64': { compiler: 'g++-aarch64-linux-gnu', ensure: ensureArm64 },
};

/**
 * Compiles for another platform. Returns the folder of CMake's build, that of the addons, and LibTorch; undefined where there is
 * no compiler.
 *
 * @param tests targets of cmake/tests.cmake that are compiled too.
 */
export async function crossBuild(platform, { tests = [] } = {}) {
  if (!COMPILERS[platform].ensure()) return undefined;
  if (tests.length > 0) ensureSystem({ tests: true });
  const folder = join(root, 'out', platform);
  const libtorch = findLibtorchOf(platform);
  const build = join(folder, 'build');
  const definitions = {
    CMAKE_TOOLCHAIN_FILE: join(root, 'cmake', 'toolchains', `${platform}.cmake`),
    CELLROUTE_LIBTORCH: libtorch.folder,
    CELLROUTE_OUTPUT: build,
    CELLROUTE_BUILD_TESTS: tests.length > 0 ? 'ON' : 'OFF',
    ...compilerCache(),
  };
  const generator = ninja();
  const flags = Object.entries(definitions).map(([name, value]) => `-D${name}=${value}`);
  configureOnce(folder, { generator: generator ?? 'default', definitions }, () =>
    configureQuietly('cmake', ['-S', root, '-B', folder, ...(generator ? ['-G', generator] : []), ...flags]),
  );
  await compile(folder, ['cellroute', 'cellroute_preload', ...tests]);
  // As in a build of this machine: CELLROUTE_BUILD names the folder to programs that load the addons.
  mkdirSync(build, { recursive: true });
  writeFileSync(join(build, 'libtorch.json'), `${JSON.stringify({ folder: libtorch.folder })}\n`);
  return { folder, build, libtorch };
}

async function main() {
  const args = process.argv.slice(2);
  const [platform] = args.filter((arg) => !arg.startsWith('--'));
  if (!COMPILERS[platform]) {
    console.error(`Usage: node scripts/cross.mjs ${Object.keys(COMPILERS).join(' | ')} [--if-there]`);
    process.exitCode = 2;
    return;
  }
  const built = await crossBuild(platform);
  if (built) {
    const target = copyPrebuild({ build: built.build, name: platform });
    console.log(
      `cellroute: the addon for ${platform} is built and linked with LibTorch ${built.libtorch.version}: ${target}`,
    );
    return;
  }
  console.log(
    `cellroute: skipped: the addon for ${platform} (${COMPILERS[platform].compiler} is not installed)`,
  );
  if (!args.includes('--if-there')) process.exitCode = 1;
}

if (process.argv[1] && resolve(process.argv[1]) === fileURLToPath(import.meta.url)) await main();
