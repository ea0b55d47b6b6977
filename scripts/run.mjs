// Starts programs in the repository, with its own tools on the PATH.
import { spawnSync } from 'node:child_process';
import { createRequire } from 'node:module';
import { delimiter, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

export const root = resolve(fileURLToPath(import.meta.url), '../..');

// "node", "cmake-js" and "jest" are those of this checkout and of this Node, however the script was started.
const PATH = [join(root, 'node_modules', '.bin'), resolve(process.execPath, '..'), process.env.PATH].join(
  delimiter,
);

/** This process's environment with the checkout's programs first on the PATH. */
export const childEnvironment = (env = {}) => ({ ...process.env, ...env, PATH });

/**
 * Runs a program in the repository. Returns its exit status and, with `capture`, its output (`stdout`, and `output` of both
 * streams). Without `capture`, `stdout` is the target of the program's standard output: 'pipe' to return it, or one of this
 * process's streams.
 */
export function run(program, args, { env = {}, cwd = root, capture = false, stdout: target = 1 } = {}) {
  const result = spawnSync(program, args, {
    cwd,
    env: childEnvironment(env),
    stdio: capture ? ['ignore', 'pipe', 'pipe'] : ['inherit', target, 'inherit'],
    encoding: 'utf8',
    maxBuffer: 1 << 28,
    shell: process.platform === 'win32',
  });
  const { stdout, stderr, status, error } = result;
  return { status: status ?? 1, stdout: stdout ?? '', output: `${stdout ?? ''}${stderr ?? ''}`, error };
}

/** A program that failed. Where nothing catches it, this process ends with the program's status. */
class CommandFailed extends Error {
  constructor(message, status) {
    super(message);
    this.status = status;
  }
}

// An error and not process.exit, which would skip `finally`.
process.on('uncaughtException', (error) => {
  const isKnown = error instanceof CommandFailed;
  console.error(isKnown ? error.message : error);
  process.exit(isKnown ? error.status : 1);
});

/**
 * Runs a program. Returns its stdout with `capture`.
 *
 * @throws {CommandFailed} if the program fails.
 */
export function must(program, args, options) {
  const { status, error, output, stdout } = run(program, args, options);
  if (status === 0) return stdout;
  const reason = error ? `: ${error.message}` : ` with status ${status}`;
  throw new CommandFailed(`${output}${program} ${args.join(' ')} failed${reason}`, status);
}

/** Builds the addon if there is none, and the SDK if its sources changed. */
export function ensureBuilt() {
  must('node', ['scripts/build.mjs', '--if-missing']);
  must('node', ['scripts/build.mjs', '--sdk']);
}

export const has = (program) => {
  const { error, status } = run(program, ['--version'], { capture: true });
  return !error && status === 0;
};

export const packageJson = createRequire(import.meta.url)('../package.json');
