// Runs the addon for linux-arm64 on Linux x64 with QEMU's user mode: node scripts/arm64.mjs [--if-there]
//   --if-there     if the compiler or QEMU is missing, prints this and succeeds
// The addons and C++ tests are cross-compiled (scripts/cross.mjs). Node.js for linux-arm64 and the binaries of sharp, swc and
// jest come from npm. QEMU is a check of results, not of speed.
import { existsSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { crossBuild } from './cross.mjs';
import { runCtest } from './ctest.mjs';
import { runJest } from './jest.mjs';
import { cacheFolder, pinned } from './libtorch.mjs';
import { npmPackages } from './npm-packages.mjs';
import { HOST } from './platforms.mjs';
import { add, finish, noCounts, runChecks } from './report.mjs';
import { ensureBuilt, must, root, run } from './run.mjs';
import { ensureArm64, ensureQemuArm64 } from './system.mjs';

const PLATFORM = 'linux-arm64';
const NODE = `node-${PLATFORM}@22.23.5`;
const SYSROOT = '/usr/aarch64-linux-gnu';
/** C++ tests that need no LibTorch. */
const CPP_TESTS = ['mask', 'measure', 'metrics', 'data'].map((name) => `cellroute_${name}_test`);
/** Goldens, and of the networks' detections those of the smallest image. */
const GOLDENS = [
  { files: ['ops', 'resize', 'rle'], options: [] },
  { files: ['sdk'], options: ['--testNamePattern', 'b0d6dfcc95e4d087'] },
];
/** Milliseconds per test: QEMU is slow, on a busy machine by any factor. */
const TEST_TIMEOUT = 7_200_000;
/** Packages with a binary per platform that these programs load. */
const BINARY_PACKAGES = [
  '@img/sharp-PLATFORM',
  '@img/sharp-libvips-PLATFORM',
  '@swc/core-PLATFORM-gnu',
  '@unrs/resolver-binding-PLATFORM-gnu',
];
/** Image, left, top and size of the crop whose cells are compared. */
const CROP = ['examples/images/fluorescence-small-crowded.png', '0', '0', '96'];
/** Allowed difference of a box's sides, in pixels of the image. */
const BOX_TOLERANCE = 1e-3;
/** Allowed number of different pixels per mask: those whose probability is the threshold, up to rounding. */
const MASK_TOLERANCE = 1;

/** The binaries of npm packages for linux-arm64, in the versions that are installed for this machine. */
const binaryPackages = () =>
  BINARY_PACKAGES.map((name) => {
    const installed = join(root, 'node_modules', name.replace('PLATFORM', HOST), 'package.json');
    const { version } = JSON.parse(readFileSync(installed, 'utf8'));
    return `${name.replace('PLATFORM', PLATFORM)}@${version}`;
  });

/**
 * Folder of zlib for linux-arm64, which a library of LibTorch needs. Debian's cross compiler does not come with it: the
 * package for arm64 is unpacked into the cache.
 */
function zlibFolder() {
  const installed = '/usr/lib/aarch64-linux-gnu';
  if (existsSync(join(installed, 'libz.so.1'))) return installed;
  const target = join(cacheFolder(), `zlib-${PLATFORM}`);
  const libraries = join(target, 'lib', 'aarch64-linux-gnu');
  if (existsSync(join(libraries, 'libz.so.1'))) return libraries;
  console.error('cellroute: fetching zlib1g for arm64 with apt-get');
  const work = mkdtempSync(join(tmpdir(), 'cellroute-zlib-'));
  try {
    const [lists, cache, unpacked] = ['lists', 'cache', 'unpacked'].map((name) => join(work, name));
    for (const folder of [lists, cache]) mkdirSync(join(folder, 'partial'), { recursive: true });
    const settings = {
      'APT::Architecture': 'arm64',
      'APT::Architectures::': 'arm64',
      'APT::Sandbox::User': 'root',
      'Acquire::Languages': 'none',
      'Dir::State::lists': lists,
      'Dir::Cache': cache,
    };
    const options = Object.entries(settings).flatMap(([name, value]) => ['-o', `${name}=${value}`]);
    // Own lists: the system's have packages of this machine's processor only.
    must('apt-get', [...options, 'update'], { capture: true });
    must('apt-get', [...options, 'download', 'zlib1g'], { cwd: work, capture: true });
    must('sh', ['-c', 'dpkg-deb --extract zlib1g_*.deb unpacked'], { cwd: work, capture: true });
    mkdirSync(cacheFolder(), { recursive: true });
    rmSync(target, { recursive: true, force: true });
    renameSync(unpacked, target);
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
  return libraries;
}

/** Command and environment that start Node.js for linux-arm64. */
function emulatedNode(build) {
  const modules = npmPackages(
    PLATFORM,
    [NODE, ...binaryPackages()],
    `Node.js and binaries of packages for ${PLATFORM}`,
  );
  return {
    command: ['qemu-aarch64-static', '-L', SYSROOT, join(modules, `node-${PLATFORM}`, 'bin', 'node')],
    env: { CELLROUTE_BUILD: build, NODE_PATH: modules, LD_LIBRARY_PATH: zlibFolder() },
  };
}

/** Runs the goldens by jest under the emulated Node.js. Returns the counts of the tests that were selected. */
function runGoldens({ command, env }) {
  const counts = noCounts();
  for (const { files, options } of GOLDENS) {
    const args = [
      // One process: without binfmt_misc, an emulated program cannot start another one.
      ...['--runInBand', '--watchman=false', '--testTimeout', String(TEST_TIMEOUT), ...options],
      ...files.map((name) => `test/golden/${name}.test.ts`),
    ];
    const result = runJest(args, {
      // The goldens of the checkout are small.
      env: {
        ...env,
        CELLROUTE_GOLDEN: join(root, 'test', 'golden'),
        CELLROUTE_DATA: join(root, 'test', 'data'),
      },
      command: [...command, join('node_modules', 'jest', 'bin', 'jest.js')],
    });
    const isSelection = options.length > 0;
    if (isSelection && result.counts.passed + result.counts.failed === 0) result.counts.failed = 1;
    add(counts, { ...result.counts, ...(isSelection ? { skipped: 0 } : {}) });
  }
  return counts;
}

/** Whether `cellroute doctor` finds the addon, LibTorch and no problem. */
function diagnose({ command: [program, ...start], env }) {
  const { status, stdout, output } = run(program, [...start, 'dist/cli/main.js', 'doctor', '--json'], {
    env,
    capture: true,
  });
  if (status !== 0) return { status, output };
  const { system, node, libtorch, problems, cpuCapability } = JSON.parse(stdout);
  const isRight =
    system.startsWith(`${PLATFORM} `) && libtorch.version === pinned(PLATFORM) && problems.length === 0;
  return {
    status: isRight ? 0 : 1,
    output,
    note: `Node.js ${node}, LibTorch ${libtorch.version}, instruction set ${cpuCapability}`,
  };
}

/** Value of each pixel, from the lengths of runs that start with background. */
function pixelsOf(counts) {
  const pixels = new Uint8Array(counts.reduce((sum, count) => sum + count, 0));
  let position = 0;
  counts.forEach((count, run) => {
    pixels.fill(run % 2, position, position + count);
    position += count;
  });
  return pixels;
}

/** Number of pixels in which two masks of one size differ. */
function differentPixels(a, b) {
  const [first, second] = [pixelsOf(a), pixelsOf(b)];
  return first.reduce((sum, value, i) => sum + (value === second[i] ? 0 : 1), 0);
}

/** Compares the starter ensemble's cells of a crop on this machine and on the emulated one. */
function compareCells({ command: [program, ...start], env }) {
  const args = ['scripts/arm64/cells.mjs', ...CROP];
  const expected = JSON.parse(must('node', args, { capture: true }));
  const actual = JSON.parse(must(program, [...start, ...args], { env, capture: true }));
  const problems = [];
  if (actual.cellType !== expected.cellType)
    problems.push(`cell type ${actual.cellType} instead of ${expected.cellType}`);
  if (expected.boxes.length === 0) problems.push(`no cells on ${HOST}`);
  if (actual.boxes.length !== expected.boxes.length)
    problems.push(`${actual.boxes.length} cells instead of ${expected.boxes.length}`);
  const distance = (a, b) => Math.max(...a.map((value, side) => Math.abs(value - b[side])));
  const free = new Set(actual.boxes.keys());
  let worst = 0;
  let equalMasks = 0;
  for (const [i, box] of expected.boxes.entries()) {
    // Cells with equal scores may have any order.
    const [found] = [...free].sort((a, b) => distance(actual.boxes[a], box) - distance(actual.boxes[b], box));
    if (found === undefined) break;
    free.delete(found);
    const difference = distance(actual.boxes[found], box);
    worst = Math.max(worst, difference);
    if (!(difference <= BOX_TOLERANCE)) problems.push(`cell ${i}: its box differs by ${difference} px`);
    const pixels = differentPixels(actual.masks[found], expected.masks[i]);
    if (pixels === 0) equalMasks++;
    if (pixels > MASK_TOLERANCE) problems.push(`cell ${i}: its mask differs in ${pixels} pixels`);
  }
  return {
    status: problems.length === 0 ? 0 : 1,
    output: problems.join('\n'),
    note: `${actual.boxes.length} cells, ${equalMasks} masks equal, boxes within ${worst.toFixed(5)} px`,
  };
}

/** Names of what is missing to run programs for linux-arm64 here. */
function missing() {
  if (HOST !== 'linux-x64') return ['Linux x64'];
  return [
    ...(ensureArm64() ? [] : ['g++-aarch64-linux-gnu']),
    ...(ensureQemuArm64() ? [] : ['qemu-user-static']),
  ];
}

const lacks = missing();
if (lacks.length > 0) {
  console.log(`skipped: the addon for ${PLATFORM} under QEMU (missing: ${lacks.join(', ')})`);
  const isAllowed = process.argv.includes('--if-there');
  finish({ ...noCounts(), [isAllowed ? 'skipped' : 'failed']: 1 });
} else {
  ensureBuilt();
  const { folder, build } = await crossBuild(PLATFORM, { tests: ['cellroute_testing', ...CPP_TESTS] });
  const counts = noCounts();
  add(counts, runCtest(folder, {}, { program: CPP_TESTS.join('|') }).counts);
  const node = emulatedNode(build);
  add(counts, runGoldens(node));
  add(
    counts,
    await runChecks([
      ['cellroute doctor', () => diagnose(node)],
      [`the starter's cells are those of ${HOST}`, () => compareCells(node)],
    ]),
  );
  finish(counts);
}
