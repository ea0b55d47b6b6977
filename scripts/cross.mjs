// Builds the addon for another platform on Linux x64: node scripts/cross.mjs linux-arm64 | darwin-arm64 [--if-there]
//   --if-there     if there is no compiler, prints this and succeeds
// linux-arm64: the result is prebuilds/linux-arm64/.
// darwin-arm64: checks that the addon compiles and links with zig. Nothing here runs the result, so it stays in out/darwin-arm64.
// The build of this machine is not changed.
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { compile, compilerCache, configureOnce, configureQuietly, ninja } from './compile.mjs';
import { findLibtorchOf, recordLibtorch } from './libtorch.mjs';
import { importedSymbols } from './mach-o.mjs';
import { copyPrebuild } from './prebuild.mjs';
import { root } from './run.mjs';
import { ensureArm64, ensureSystem } from './system.mjs';
import { zigTools } from './zig.mjs';

/**
 * Per platform: the compiler's name; a function that returns CMake's definitions for it, or undefined where it is not installed;
 * and what is done with the addon: it is packed, or only checked.
 */
const TARGETS = {
  'linux-arm64': {
    compiler: 'g++-aarch64-linux-gnu',
    prepare: () => (ensureArm64() ? compilerCache() : undefined),
    use: (build) => copyPrebuild({ build, name: 'linux-arm64' }),
  },
  'darwin-arm64': {
    compiler: 'zig, from PyPI (ziglang),',
    prepare() {
      // zig has a cache itself.
      const tools = zigTools('aarch64-macos.14.0');
      return tools && { CELLROUTE_ZIG: tools };
    },
    use: checkImports,
  },
};

/** Symbols of Node-API, which the program that loads an addon provides. */
const NODE_API = /^_(napi|node_api)_/;

/**
 * Checks that linked libraries provide every symbol that the addons for macOS import, except Node-API's: the linker accepts any
 * missing symbol, because Node-API's have no library.
 */
function checkImports(build) {
  for (const path of ['Release/cellroute.node', 'preload/cellroute_preload.node']) {
    const missing = importedSymbols(join(build, path)).filter(
      ({ name, library }) => library === undefined && !NODE_API.test(name),
    );
    if (missing.length === 0) continue;
    throw new Error(
      `No library provides what ${path} imports:\n${missing.map(({ name }) => name).join('\n')}`,
    );
  }
  return build;
}

/**
 * Compiles for another platform. Returns the folder of CMake's build, that of the addons, and LibTorch; undefined where there is
 * no compiler.
 *
 * @param tests targets of cmake/tests.cmake that are compiled too.
 */
export async function crossBuild(platform, { tests = [] } = {}) {
  const compiler = TARGETS[platform].prepare();
  if (!compiler) return undefined;
  if (tests.length > 0) ensureSystem({ tests: true });
  const folder = join(root, 'out', platform);
  const libtorch = findLibtorchOf(platform);
  const build = join(folder, 'build');
  const definitions = {
    CMAKE_TOOLCHAIN_FILE: join(root, 'cmake', 'toolchains', `${platform}.cmake`),
    CELLROUTE_LIBTORCH: libtorch.folder,
    CELLROUTE_OUTPUT: build,
    CELLROUTE_BUILD_TESTS: tests.length > 0 ? 'ON' : 'OFF',
    ...compiler,
  };
  const generator = ninja();
  const flags = Object.entries(definitions).map(([name, value]) => `-D${name}=${value}`);
  configureOnce(folder, { generator: generator ?? 'default', definitions }, () =>
    configureQuietly('cmake', ['-S', root, '-B', folder, ...(generator ? ['-G', generator] : []), ...flags]),
  );
  await compile(folder, ['cellroute', 'cellroute_preload', ...tests]);
  // CELLROUTE_BUILD names the folder to programs that load the addons.
  recordLibtorch(build, libtorch);
  return { folder, build, libtorch };
}

async function main() {
  const args = process.argv.slice(2);
  const [platform] = args.filter((arg) => !arg.startsWith('--'));
  if (!TARGETS[platform]) {
    console.error(`Usage: node scripts/cross.mjs ${Object.keys(TARGETS).join(' | ')} [--if-there]`);
    process.exitCode = 2;
    return;
  }
  const built = await crossBuild(platform);
  if (built) {
    const target = TARGETS[platform].use(built.build);
    console.log(
      `cellroute: the addon for ${platform} is built and linked with LibTorch ${built.libtorch.version}: ${target}`,
    );
    return;
  }
  console.log(
    `cellroute: skipped: the addon for ${platform} (${TARGETS[platform].compiler} is not installed)`,
  );
  if (!args.includes('--if-there')) process.exitCode = 1;
}

if (process.argv[1] && resolve(process.argv[1]) === fileURLToPath(import.meta.url)) await main();
