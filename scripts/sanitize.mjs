// The C++ tests under AddressSanitizer and UndefinedBehaviorSanitizer: configure, build, run.
import { availableParallelism } from 'node:os';
import { findLibtorch } from './libtorch.mjs';
import { has, must } from './run.mjs';

const preset = 'asan-ubsan';
const env = {
  CMAKE_BUILD_PARALLEL_LEVEL: String(availableParallelism()),
  ...(has('ninja') ? { CMAKE_GENERATOR: 'Ninja' } : {}),
  // LibTorch is not instrumented: containers that cross its boundary look overflown, and its caches look leaked.
  ASAN_OPTIONS: 'detect_container_overflow=0:detect_leaks=0',
};
must('cmake', ['--preset', preset, `-DCELLROUTE_LIBTORCH=${findLibtorch().folder}`], { env });
must('cmake', ['--build', '--preset', preset], { env });
must('ctest', ['--preset', preset], { env });
