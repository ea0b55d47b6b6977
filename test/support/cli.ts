import { format } from 'node:util';
import { main } from '../../lib/cli/main.js';

/** What a command printed, and its exit code. */
export interface CommandResult {
  status: number;
  stdout: string;
  stderr: string;
}

/** {@link cellroute} in a working folder. */
export async function cellrouteIn(folder: string, ...args: string[]): Promise<CommandResult> {
  const before = process.cwd();
  process.chdir(folder);
  try {
    return await cellroute(...args);
  } finally {
    process.chdir(before);
  }
}

/**
 * Runs a command line in this process, which saves the time that a process needs to start and to load LibTorch. Tests of
 * signals, kills and locks start processes of their own.
 */
export async function cellroute(...args: string[]): Promise<CommandResult> {
  const result: CommandResult = { status: 0, stdout: '', stderr: '' };
  const collect = (name: 'stdout' | 'stderr') => (chunk: unknown) => {
    result[name] += String(chunk);
    return true;
  };
  const print =
    (name: 'stdout' | 'stderr') =>
    (...values: unknown[]) => {
      collect(name)(`${format(...values)}\n`);
    };
  const spies = [
    jest.spyOn(process.stdout, 'write').mockImplementation(collect('stdout')),
    jest.spyOn(process.stderr, 'write').mockImplementation(collect('stderr')),
    jest.spyOn(console, 'log').mockImplementation(print('stdout')),
    jest.spyOn(console, 'error').mockImplementation(print('stderr')),
    jest.spyOn(console, 'warn').mockImplementation(print('stderr')),
  ];
  const before = process.exitCode;
  process.exitCode = undefined;
  try {
    await main(args);
    result.status = Number(process.exitCode ?? 0);
  } finally {
    process.exitCode = before;
    for (const spy of spies) spy.mockRestore();
  }
  return result;
}
