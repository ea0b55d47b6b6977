// Builds the addon (cmake-js over CMakeLists.txt) and the SDK (tsc, and an ES module face over its CommonJS).
//   node scripts/build.mjs [--native | --sdk] [--tests] [--if-missing]
import { cpSync, existsSync, readFileSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { findLibtorch } from './libtorch.mjs';
import { must, root } from './run.mjs';
import { ensureSystem } from './system.mjs';

const options = new Set(process.argv.slice(2));

function buildNative() {
  ensureSystem({ tests: options.has('--tests') });
  // Asked here first, so that a download shows its progress and a failure its own words.
  const libtorch = findLibtorch();
  console.error(`cellroute: LibTorch ${libtorch.version} from ${libtorch.source} (${libtorch.folder})`);
  // Not named, it stays as it was: a prebuild made between two test runs does not throw the tests' build away.
  const definitions = [
    `--CDCELLROUTE_LIBTORCH=${libtorch.folder}`,
    ...(options.has('--tests') ? ['--CDCELLROUTE_BUILD_TESTS=ON'] : []),
  ];
  // Outside build/, which node-gyp wipes: a rebuild then links anew and does not compile anew.
  // Not `compile`, which throws everything away where one file fails, and not `build` alone, which leaves a build that
  // was configured without tests without them.
  for (const step of ['configure', 'build']) {
    must('cmake-js', [step, '--out', join('out', 'Release'), ...definitions], {
      env: { CMAKE_BUILD_PARALLEL_LEVEL: String(availableParallelism()) },
    });
  }
  // A checkout runs with the LibTorch it was built with; an installed package asks its platform package.
  writeFileSync(join(root, 'build', 'libtorch.json'), `${JSON.stringify({ folder: libtorch.folder })}\n`);
}

/** One instance for both module systems: the ES module re-exports the CommonJS one, name by name. */
function writeModuleFace() {
  const dist = join(root, 'dist');
  // Loading the SDK loads no addon: that waits for the first use.
  const names = Object.keys(createRequire(import.meta.url)(join(dist, 'index.js'))).sort();
  const lines = [
    "import cellroute from './index.js';",
    `export const { ${names.join(', ')} } = cellroute;`,
    'export default cellroute;',
    '',
  ];
  writeFileSync(join(dist, 'index.mjs'), lines.join('\n'));
  writeFileSync(
    join(dist, 'index.d.mts'),
    "export * from './index.js';\nexport * as default from './index.js';\n",
  );
}

function buildSdk() {
  must('tsc', ['-p', 'tsconfig.json']);
  // What a report does in the browser is put into it as it is.
  cpSync(join(root, 'lib', 'report', 'assets'), join(root, 'dist', 'report', 'assets'), { recursive: true });
  writeModuleFace();
  const main = join(root, 'dist', 'cli', 'main.js');
  if (!readFileSync(main, 'utf8').startsWith('#!'))
    throw new Error('dist/cli/main.js has lost its first line');
}

const built =
  existsSync(join(root, 'build', 'Release', 'cellroute.node')) && existsSync(join(root, 'dist', 'index.mjs'));
if (!(options.has('--if-missing') && built)) {
  if (!options.has('--sdk')) buildNative();
  if (!options.has('--native')) buildSdk();
}
