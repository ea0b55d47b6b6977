const os = require('node:os');

// A worker with LibTorch, its networks and images takes up to 1.5 GB.
const bytes = Math.min(os.totalmem(), process.constrainedMemory?.() || Infinity);
const cores = os.availableParallelism();
const maxWorkers = Math.max(1, Math.min(cores, Math.floor(bytes / 2 ** 30 / 1.5)));
// Workers share the cores, and so do the programs that tests start: threads that wait for others without a core of their
// own would take it from them. The addon reads the first variable, LibTorch's OpenMP the second when it is loaded.
process.env.CELLROUTE_THREADS ??= String(Math.max(1, Math.floor(cores / maxWorkers)));
process.env.OMP_WAIT_POLICY ??= 'PASSIVE';

/** @type {import('jest').Config} */
module.exports = {
  testEnvironment: 'node',
  roots: ['<rootDir>/test'],
  testMatch: ['**/*.test.ts'],
  maxWorkers,
  // Sources import each other by the names they have once compiled.
  moduleNameMapper: { '^(\\.{1,2}/.*)\\.js$': '$1' },
  modulePathIgnorePatterns: ['<rootDir>/build', '<rootDir>/out', '<rootDir>/dist'],
  transform: {
    '^.+\\.ts$': [
      '@swc/jest',
      { jsc: { target: 'es2022', parser: { syntax: 'typescript' } }, module: { type: 'commonjs' } },
    ],
  },
  setupFilesAfterEnv: ['<rootDir>/test/support/equality.ts'],
  testTimeout: 180_000,
};
