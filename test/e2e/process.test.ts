import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { image, root } from '../support/sdk.js';

// Uses the built package, because worker threads cannot run TypeScript.
const cellroute = join(root, 'dist/index.js');

function runProgram(name: string, ...args: string[]) {
  const program = join(__dirname, 'programs', name);
  const result = spawnSync(process.execPath, [program, cellroute, ...args], {
    encoding: 'utf8',
    timeout: 170_000,
  });
  return { status: result.status, signal: result.signal, stdout: result.stdout, stderr: result.stderr };
}

test('worker threads and the main thread segment concurrently', () => {
  const { status, stdout, stderr } = runProgram('workers.cjs', image.small);
  expect(stderr).toBe('');
  expect(status).toBe(0);
  const counts = JSON.parse(stdout) as number[];
  expect(counts).toHaveLength(4);
  expect(counts[0]).toBeGreaterThan(0);
  expect(new Set(counts).size).toBe(1);
});

test('70 calls that share a signal cause no warning of a listener leak', () => {
  // Process warnings do not reach a test's realm.
  const { status, stdout, stderr } = runProgram('many.cjs', image.small);
  expect(stderr).toBe('');
  expect(status).toBe(0);
  const { calls, ...answers } = JSON.parse(stdout) as { calls: number } & Record<string, unknown[]>;
  expect(calls).toBe(70);
  // Whatever form the image has, and whatever else runs.
  for (const same of Object.values(answers)) expect(new Set(same).size).toBe(1);
  expect(answers.cells![0]).toBeGreaterThan(0);
});

test('a worker terminated during native work does not affect the process', () => {
  const { status, signal, stdout, stderr } = runProgram('terminate.cjs', image.large);
  expect({ status, signal, stderr }).toEqual({ status: 0, signal: null, stderr: '' });
  const { statuses, same, cells } = JSON.parse(stdout) as {
    statuses: number[];
    same: boolean;
    cells: number;
  };
  expect(statuses).toEqual([1, 1, 1, 1, 1]);
  expect(same).toBe(true);
  expect(cells).toBeGreaterThan(0);
});

test('a terminated worker releases its room in the queue', () => {
  const { status, signal, stdout, stderr } = runProgram('terminate-queue.cjs', image.small);
  expect({ status, signal, stderr }).toEqual({ status: 0, signal: null, stderr: '' });
  const { held, cells, after } = JSON.parse(stdout) as { held: number; cells: number; after: number };
  expect(held).toBeLessThanOrEqual(1);
  expect(cells).toBeGreaterThan(0);
  expect(after).toBe(0);
});

test('process.exit during native work keeps its status', () => {
  expect(runProgram('exit.cjs', image.large, 'exit')).toMatchObject({ status: 7, signal: null });
});

test('an uncaught exception during native work ends the process with its message', () => {
  const { status, signal, stderr } = runProgram('exit.cjs', image.large, 'throw');
  expect({ status, signal }).toEqual({ status: 1, signal: null });
  expect(stderr).toMatch(/nobody catches this/);
});

test('an ensemble that is not disposed does not keep the process alive', () => {
  const { status, stdout } = runProgram('idle.cjs', image.small);
  expect(status).toBe(0);
  expect(Number(stdout)).toBeGreaterThan(0);
});
