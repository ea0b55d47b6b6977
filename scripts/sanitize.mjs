// The C++ tests under AddressSanitizer and UndefinedBehaviorSanitizer: configure, build, run.
import { join } from 'node:path';
import { compile, compilerCache, configureOnce, configureQuietly, ninja } from './compile.mjs';
import { runCtest } from './ctest.mjs';
import { findLibtorch } from './libtorch.mjs';
import { finish } from './report.mjs';
import { root } from './run.mjs';
import { ensureSystem } from './system.mjs';

const preset = 'asan-ubsan';
const folder = join(root, 'out', preset);

ensureSystem({ tests: true });
const generator = ninja();
const definitions = { CELLROUTE_LIBTORCH: findLibtorch().folder, ...compilerCache() };
configureOnce(folder, { generator: generator ?? 'default', definitions }, () =>
  configureQuietly('cmake', [
    ...['--preset', preset, ...(generator ? ['-G', generator] : [])],
    ...Object.entries(definitions).map(([name, value]) => `-D${name}=${value}`),
  ]),
);
await compile(folder, ['cellroute_tests']);
// LibTorch is not instrumented: containers that cross its boundary look overflown, and its caches look leaked.
finish(runCtest(folder, { ASAN_OPTIONS: 'detect_container_overflow=0:detect_leaks=0' }).counts);
