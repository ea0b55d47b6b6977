import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { root } from '../support/sdk.js';

/** Runs a program on the built package: worker threads cannot run TypeScript. */
function runProgram(...args: string[]) {
  const program = join(__dirname, 'programs/samples.cjs');
  const { status, signal, stdout, stderr } = spawnSync(
    process.execPath,
    [program, join(root, 'dist'), ...args],
    {
      encoding: 'utf8',
      timeout: 170_000,
    },
  );
  return { status, signal, stdout, stderr };
}

test('workers terminated while samples are prepared take nothing with them', () => {
  const { status, signal, stdout, stderr } = runProgram('terminate');
  expect({ status, signal, stderr }).toEqual({ status: 0, signal: null, stderr: '' });
  const { ended, same } = JSON.parse(stdout) as { ended: number[]; same: boolean };
  expect(ended).toEqual(Array.from({ length: 8 }, () => 1));
  expect(same).toBe(true);
});

test('the main thread and workers prepare the same samples at once', () => {
  const { status, stdout, stderr } = runProgram('together');
  expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
  const digests = JSON.parse(stdout) as string[];
  expect(digests).toHaveLength(4);
  expect(new Set(digests).size).toBe(1);
});

test('process.exit while samples are prepared gives its own status', () => {
  expect(runProgram('exit')).toMatchObject({ status: 7, signal: null, stderr: '' });
});

test('samples nobody waits for do not keep the process alive', () => {
  expect(runProgram('leave')).toMatchObject({ status: 0, signal: null, stdout: 'left\n', stderr: '' });
});
