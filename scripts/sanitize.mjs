// The C++ tests under sanitizers: configure, build, run.
//   npm run test:sanitize                AddressSanitizer and UndefinedBehaviorSanitizer, all tests
//   npm run test:sanitize -- --thread    ThreadSanitizer: engine, jobs, block cache and parallel loops
import { join } from 'node:path';
import { compile, compilerCache, configureOnce, configureQuietly, ninja } from './compile.mjs';
import { runCtest } from './ctest.mjs';
import { findLibtorch } from './libtorch.mjs';
import { finish } from './report.mjs';
import { root } from './run.mjs';
import { ensureSystem } from './system.mjs';

const suppressions = (name) => `suppressions=${join(root, 'cmake/sanitizers', name)}`;

const FORMS = {
  address: {
    preset: 'asan-ubsan',
    environment: {
      // LibTorch is not instrumented: containers that cross its boundary look overflown.
      ASAN_OPTIONS: 'detect_container_overflow=0:detect_leaks=1',
      LSAN_OPTIONS: `${suppressions('leak.supp')}:print_suppressions=0`,
      UBSAN_OPTIONS: 'print_stacktrace=1',
    },
  },
  thread: {
    preset: 'tsan',
    program: 'cellroute_engine_test',
    environment: {
      TSAN_OPTIONS: `${suppressions('thread.supp')}:ignore_noninstrumented_modules=1:halt_on_error=0`,
    },
  },
};

const args = process.argv.slice(2);
if (args.some((arg) => arg !== '--thread')) {
  console.error('Usage: npm run test:sanitize -- [--thread]');
  process.exit(2);
}
const { preset, program, environment } = FORMS[args.includes('--thread') ? 'thread' : 'address'];
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
await compile(folder, [program ?? 'cellroute_tests']);
// LibTorch is not instrumented: its containers look overflowed and its caches leaked.
finish(runCtest(folder, environment, { program }).counts);
