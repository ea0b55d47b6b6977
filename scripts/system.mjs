// System packages that a build needs: installs them on Debian and Ubuntu as root, otherwise lists what to install.
import { existsSync } from 'node:fs';
import { has, run } from './run.mjs';

const windows = process.platform === 'win32';
const anyOf = (paths) => paths.some((path) => existsSync(path));

const NEEDS = [
  { what: 'CMake', packages: 'cmake', there: () => has('cmake') },
  // On Windows, CMake finds Visual Studio's compiler, which is not on the PATH.
  { what: 'a C++20 compiler', packages: 'g++', there: () => windows || has('c++') },
  { what: 'Python 3 with pip', packages: 'python3-pip', there: () => hasPip() },
  {
    what: 'doctest, for the C++ tests',
    packages: 'doctest-dev',
    testsOnly: true,
    there: () =>
      Boolean(process.env.doctest_DIR) ||
      anyOf(['/usr', '/usr/local', '/opt/homebrew'].map((prefix) => `${prefix}/include/doctest/doctest.h`)),
  },
  {
    what: 'clang, for the native fuzzers',
    // The sanitizers' and libFuzzer's libraries are a package that clang only recommends.
    packages: 'clang libclang-rt-dev',
    fuzzersOnly: true,
    // Without it those are reported as skipped.
    optional: true,
    there: () => has('clang++'),
  },
  // Make works too, but takes seconds when nothing changed.
  { what: 'Ninja', packages: 'ninja-build', optional: true, there: () => windows || has('ninja') },
];

/** A browser for the tests of pages, which are reported as skipped without one. */
const BROWSER = {
  what: 'Chromium, for the tests of pages',
  packages: 'chromium',
  there: () =>
    windows ||
    Boolean(process.env.CELLROUTE_CHROMIUM) ||
    anyOf([
      ...['chromium', 'chromium-browser', 'google-chrome'].map((name) => `/usr/bin/${name}`),
      '/Applications/Google Chrome.app',
    ]),
};

/** Programs that read our outputs back. Tests report that they are skipped where one is missing. */
const CONSUMERS = [
  { what: 'a JDK', packages: 'default-jdk-headless', there: () => has('javac') },
  ...['ij', 'jts', 'json-simple'].map((name) => ({
    what: `lib${name}-java`,
    packages: `lib${name}-java`,
    there: () => anyOf(['', '-core'].map((part) => `/usr/share/java/${name}${part}.jar`)),
  })),
];

function hasPip() {
  const python = windows ? 'py' : 'python3';
  return run(python, ['-m', 'pip', '--version'], { capture: true }).status === 0;
}

/** Installs with apt-get; a second attempt updates the package lists first. Returns whether it succeeded. */
function install(needs, ...flags) {
  const packages = needs.flatMap((need) => need.packages.split(' '));
  console.error(`cellroute: installing ${packages.join(', ')} with apt-get`);
  const aptGet = (...args) =>
    run('apt-get', args, { env: { DEBIAN_FRONTEND: 'noninteractive' }, capture: true });
  const once = () => aptGet('install', '-y', '-q', ...flags, ...packages);
  if (once().status === 0) return true;
  aptGet('update', '-q');
  const { status, output } = once();
  if (status !== 0) console.error(output);
  return status === 0;
}

/** Installs missing packages as root, and names those that are still missing. */
function ensure(needs) {
  const missing = needs.filter(({ there }) => !there());
  const canInstall = process.getuid?.() === 0 && has('apt-get');
  if (missing.length === 0 || (canInstall && install(missing, '--no-install-recommends'))) return;
  console.error(`cellroute: not installed: ${missing.map(({ what }) => what).join('; ')}`);
}

/** Installs the Java programs that tests of outputs use, if apt-get can, and names the missing ones. */
export const ensureConsumers = () => ensure(CONSUMERS);

/** The same for the browser that the tests of pages use. */
export const ensureBrowser = () => ensure([BROWSER]);

/** Whether a program is there; apt-get installs its package where it can. */
function ensureProgram(program, packages) {
  const canInstall = process.getuid?.() === 0 && has('apt-get');
  return has(program) || (canInstall && install([{ packages }], '--no-install-recommends'));
}

/** A Redis server, for the tests of job queues. */
export const ensureRedis = () => ensureProgram('redis-server', 'redis-server');

/** A cross compiler for linux-arm64. */
export const ensureArm64 = () => ensureProgram('aarch64-linux-gnu-g++', 'g++-aarch64-linux-gnu');

/** QEMU's user mode, which runs programs for linux-arm64. */
export const ensureQemuArm64 = () => ensureProgram('qemu-aarch64-static', 'qemu-user-static');

/** Ends the program with instructions if a required package is missing and cannot be installed. */
export function ensureSystem({ tests = false, fuzzers = false }) {
  const wanted = ({ testsOnly, fuzzersOnly }) => (tests || !testsOnly) && (fuzzers || !fuzzersOnly);
  const missing = NEEDS.filter((need) => wanted(need) && !need.there());
  const canInstall = process.getuid?.() === 0 && has('apt-get');
  // Installed separately, so that a failing optional package does not prevent the required ones.
  const optional = missing.filter((need) => need.optional);
  if (optional.length > 0 && !(canInstall && install(optional, '--no-install-recommends'))) {
    console.error(`cellroute: optional and not installed: ${optional.map(({ what }) => what).join('; ')}`);
  }
  const needed = missing.filter((need) => !need.optional);
  if (needed.length === 0 || (canInstall && install(needed))) return;
  console.error(
    `Building cellroute needs ${needed.map(({ what }) => what).join('; ')}, which was not found.`,
  );
  console.error(`Debian, Ubuntu: sudo apt-get install ${needed.map((need) => need.packages).join(' ')}`);
  console.error('macOS: xcode-select --install && brew install cmake ninja python doctest');
  console.error(
    'Windows: Visual Studio with C++, CMake and Python 3 (and vcpkg install doctest, for the tests)',
  );
  process.exit(1);
}
