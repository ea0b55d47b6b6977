import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { root } from '../support/sdk.js';

/** Runs a program with the built package, because worker threads cannot run TypeScript. */
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

test('workers terminated while samples are prepared do not affect the process', () => {
  const { status, signal, stdout, stderr } = runProgram('terminate');
  expect({ status, signal, stderr }).toEqual({ status: 0, signal: null, stderr: '' });
  const { ended, same } = JSON.parse(stdout) as { ended: number[]; same: boolean };
  expect(ended).toEqual(Array.from({ length: 8 }, () => 1));
  expect(same).toBe(true);
});

test('the main thread and workers prepare equal samples concurrently', () => {
  const { status, stdout, stderr } = runProgram('together');
  expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
  const digests = JSON.parse(stdout) as string[];
  expect(digests).toHaveLength(4);
  expect(new Set(digests).size).toBe(1);
});

test('process.exit while samples are prepared keeps its status', () => {
  expect(runProgram('exit')).toMatchObject({ status: 7, signal: null, stderr: '' });
});

test('samples that are not awaited do not keep the process alive', () => {
  expect(runProgram('leave')).toMatchObject({ status: 0, signal: null, stdout: 'left\n', stderr: '' });
});
