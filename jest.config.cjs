const os = require('node:os');

// A worker with LibTorch, its networks and images takes up to 1.5 GB.
const bytes = Math.min(os.totalmem(), process.constrainedMemory?.() || Infinity);
const memory = Math.floor(bytes / 2 ** 30 / 1.5);
// Each worker's engine has a thread per core: those that wait for work must give the core to another worker's.
// libgomp reads this when the addon is loaded, in workers and in the programs that tests start.
process.env.OMP_WAIT_POLICY ??= 'PASSIVE';

/** @type {import('jest').Config} */
module.exports = {
  testEnvironment: 'node',
  roots: ['<rootDir>/test'],
  testMatch: ['**/*.test.ts'],
  maxWorkers: Math.max(1, Math.min(os.availableParallelism(), memory)),
  // Sources import each other by the names they have once compiled.
  moduleNameMapper: { '^(\\.{1,2}/.*)\\.js$': '$1' },
  modulePathIgnorePatterns: ['<rootDir>/build', '<rootDir>/out', '<rootDir>/dist'],
  transform: {
    '^.+\\.ts$': [
      '@swc/jest',
      { jsc: { target: 'es2022', parser: { syntax: 'typescript' } }, module: { type: 'commonjs' } },
    ],
  },
  testTimeout: 180_000,
};
