// Tries every kind of data set and of image through everything that reads it (test/e2e/inputs.test.ts, image-kinds.test.ts)
// and prints which are read, reported and refused.
import { run } from './run.mjs';

const tests = ['inputs', 'image-kinds'].map((name) => `test/e2e/${name}.test.ts`);
const { status } = run('jest', tests, { env: { CELLROUTE_PRINT_INPUTS: '1' } });
process.exitCode = status;
