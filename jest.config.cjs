const os = require('node:os');

// A worker with LibTorch, networks and images needs up to 1.5 GB.
const bytes = Math.min(os.totalmem(), process.constrainedMemory?.() || Infinity);
const cores = os.availableParallelism();
const maxWorkers = Math.max(1, Math.min(cores, Math.floor(bytes / 2 ** 30 / 1.5)));
// Workers and the programs that tests start share the cores, so each gets its share of threads. The addon reads the first
// variable, LibTorch's OpenMP the second when it is loaded.
process.env.CELLROUTE_THREADS ??= String(Math.max(1, Math.floor(cores / maxWorkers)));
process.env.OMP_WAIT_POLICY ??= 'PASSIVE';

/** @type {import('jest').Config} */
module.exports = {
  testEnvironment: 'node',
  roots: ['<rootDir>/test'],
  testMatch: ['**/*.test.ts'],
  maxWorkers,
  moduleNameMapper: {
    // Sources import each other by the names they have once compiled.
    '^(\\.{1,2}/.*)\\.js$': '$1',
    // ES modules alone, which Jest does not resolve from CommonJS.
    '^zarrita$': '<rootDir>/node_modules/zarrita/dist/src/index.js',
    '^@zarrita/storage/(\\w+)$': '<rootDir>/node_modules/@zarrita/storage/dist/src/$1.js',
    '^numcodecs/(\\w+)$': '<rootDir>/node_modules/numcodecs/dist/$1.js',
  },
  modulePathIgnorePatterns: ['<rootDir>/build', '<rootDir>/out', '<rootDir>/dist'],
  transformIgnorePatterns: ['/node_modules/(?!(zarrita|@zarrita|numcodecs)/)'],
  transform: {
    '^.+\\.[jt]s$': [
      '@swc/jest',
      { jsc: { target: 'es2022', parser: { syntax: 'typescript' } }, module: { type: 'commonjs' } },
    ],
  },
  setupFilesAfterEnv: ['<rootDir>/test/support/equality.ts'],
  testTimeout: 180_000,
};
