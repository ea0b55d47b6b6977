// Builds the addon (cmake-js configures CMakeLists.txt) and the SDK (tsc, and ES modules that re-export its CommonJS).
// Only what changed is built.
//   node scripts/build.mjs [--native | --sdk] [--tests] [--if-missing] [--slowest]
//   --tests     also builds the C++ tests and the testing addon; later builds of the folder keep them
//   --slowest   prints the slowest steps of the last compilation
import { createHash } from 'node:crypto';
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { basename, join } from 'node:path';
import {
  compile,
  compilerCache,
  configured,
  configureOnce,
  configureQuietly,
  ninja,
  slowestSteps,
} from './compile.mjs';
import { findLibtorch, recordLibtorch } from './libtorch.mjs';
import { must, root } from './run.mjs';
import { ensureSystem } from './system.mjs';

const options = new Set(process.argv.slice(2));
// Outside build/, which node-gyp deletes, so that a rebuild only links.
const folder = join(root, 'out', 'Release');

async function buildNative() {
  const before = configured(folder);
  // A prebuild between two test runs keeps the tests.
  const tests = options.has('--tests') || before?.tests === true;
  if (before?.tests !== tests) ensureSystem({ tests });
  // Searched here instead of in CMake, so that a download shows its progress and a failure has a clear message.
  const libtorch = findLibtorch();
  const definitions = {
    CELLROUTE_LIBTORCH: libtorch.folder,
    ...(tests ? { CELLROUTE_BUILD_TESTS: 'ON' } : {}),
    ...compilerCache(),
  };
  configureOnce(
    folder,
    { tests, generator: ninja() ?? 'default', node: process.version, definitions },
    () => {
      console.error(`cellroute: LibTorch ${libtorch.version} from ${libtorch.source} (${libtorch.folder})`);
      const args = Object.entries(definitions).map(([name, value]) => `--CD${name}=${value}`);
      configureQuietly('cmake-js', ['configure', '--out', join('out', 'Release'), ...args]);
    },
  );
  await compile(folder);
  recordLibtorch(join(root, 'build'), libtorch);
}

/** Names of the package's entry points: `index` is `cellroute` itself, `train` is `cellroute/train`. */
const ENTRY_POINTS = Object.entries(
  JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')).exports,
).flatMap(([, target]) => (typeof target === 'object' ? [basename(target.require.default, '.js')] : []));

/** Writes ES modules that re-export the CommonJS modules name by name, so that both systems share one instance. */
function writeEsModules() {
  const dist = join(root, 'dist');
  for (const entry of ENTRY_POINTS) {
    // Loading the SDK does not load the addon, which is loaded on first use.
    const names = Object.keys(createRequire(import.meta.url)(join(dist, `${entry}.js`))).sort();
    const lines = [
      `import cellroute from './${entry}.js';`,
      `export const { ${names.join(', ')} } = cellroute;`,
      'export default cellroute;',
      '',
    ];
    writeFileSync(join(dist, `${entry}.mjs`), lines.join('\n'));
    writeFileSync(
      join(dist, `${entry}.d.mts`),
      `export * from './${entry}.js';\nexport * as default from './${entry}.js';\n`,
    );
  }
}

/** Digest of all inputs of dist/. */
function sdkDigest() {
  const hash = createHash('sha256');
  const sources = readdirSync(join(root, 'lib'), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .sort();
  const own = ['tsconfig.json', 'package.json', 'scripts/build.mjs', 'node_modules/typescript/package.json'];
  for (const path of [...sources, ...own.map((name) => join(root, name))]) {
    const bytes = readFileSync(path);
    hash.update(`${path.slice(root.length)} ${bytes.length}\n`).update(bytes);
  }
  return hash.digest('hex');
}

function buildSdk() {
  const record = join(root, 'out', 'sdk.sha256');
  const digest = sdkDigest();
  const built = existsSync(join(root, 'dist', 'index.mjs')) && existsSync(record);
  if (built && readFileSync(record, 'utf8') === digest) return;
  // Otherwise output of a deleted source would be packed.
  rmSync(join(root, 'dist'), { recursive: true, force: true });
  must('tsc', ['-p', 'tsconfig.json'], { stdout: 2 });
  // Files for browsers (reports, the pages of the service and of reviews) are embedded or served unchanged.
  for (const folder of ['page', 'report', 'review', 'serve']) {
    const assets = join(folder, 'assets');
    cpSync(join(root, 'lib', assets), join(root, 'dist', assets), { recursive: true });
  }
  writeEsModules();
  const main = join(root, 'dist', 'cli', 'main.js');
  if (!readFileSync(main, 'utf8').startsWith('#!'))
    throw new Error('dist/cli/main.js has lost its first line');
  mkdirSync(join(root, 'out'), { recursive: true });
  writeFileSync(record, digest);
}

function printSlowest() {
  const steps = slowestSteps(folder);
  if (!steps) {
    console.error('cellroute: only Ninja records how long each step takes; install it and build again');
    return;
  }
  console.error('cellroute: the slowest steps of the last compilation (s)');
  for (const { seconds, output } of steps) console.error(`${seconds.toFixed(1).padStart(8)}  ${output}`);
}

const built =
  existsSync(join(root, 'build', 'Release', 'cellroute.node')) && existsSync(join(root, 'dist', 'index.mjs'));
if (!(options.has('--if-missing') && built)) {
  if (!options.has('--sdk')) await buildNative();
  if (!options.has('--native')) buildSdk();
}
if (options.has('--slowest')) printSlowest();
