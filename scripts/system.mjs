// What a build needs of the system: looked for, installed where that is plain (Debian and Ubuntu, as root), named elsewhere.
import { existsSync } from 'node:fs';
import { has, run } from './run.mjs';

const windows = process.platform === 'win32';
const anyOf = (paths) => paths.some((path) => existsSync(path));

const NEEDS = [
  { what: 'CMake', packages: 'cmake', there: () => has('cmake') },
  // On Windows CMake finds Visual Studio's compiler, which is on no path.
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
];

function hasPip() {
  const python = windows ? 'py' : 'python3';
  return run(python, ['-m', 'pip', '--version'], { capture: true }).status === 0;
}

const install = (packages) =>
  run('apt-get', ['install', '-y', '-q', ...packages], { env: { DEBIAN_FRONTEND: 'noninteractive' } });

/** Ends the program, with what to do, where something is missing and cannot be installed from here. */
export function ensureSystem({ tests }) {
  const missing = NEEDS.filter(({ testsOnly, there }) => (tests || !testsOnly) && !there());
  if (missing.length === 0) return;
  const packages = missing.map((need) => need.packages);
  if (process.getuid?.() === 0 && has('apt-get')) {
    console.error(`cellroute: installing ${packages.join(', ')} with apt-get`);
    // Lists that were never fetched, or are old, do not know the packages.
    if (install(packages).status === 0) return;
    run('apt-get', ['update', '-q']);
    if (install(packages).status === 0) return;
  }
  console.error(
    `Building cellroute needs ${missing.map(({ what }) => what).join('; ')}. Not found on this machine.`,
  );
  console.error(`Debian, Ubuntu: sudo apt-get install ${packages.join(' ')}`);
  console.error('macOS: xcode-select --install && brew install cmake ninja python doctest');
  console.error(
    'Windows: Visual Studio with C++, CMake and Python 3 (and vcpkg install doctest, for the tests)',
  );
  process.exit(1);
}
