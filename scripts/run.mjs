// Starting programs: the repository's folder, its tools, and one way to fail.
import { spawnSync } from 'node:child_process';
import { createRequire } from 'node:module';
import { delimiter, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

export const root = resolve(fileURLToPath(import.meta.url), '../..');

// So that "node", "cmake-js", "jest" are this checkout's and this Node's, however the script was started.
const PATH = [join(root, 'node_modules', '.bin'), resolve(process.execPath, '..'), process.env.PATH].join(
  delimiter,
);

/** This process's environment with the checkout's programs first on the PATH. */
export const childEnvironment = (env = {}) => ({ ...process.env, ...env, PATH });

/**
 * Runs a program in the repository: its exit status and, with `capture`, what it printed (`stdout` alone, `output` both
 * streams). Without `capture`, `stdout` is where the program's standard output goes: 'pipe' to return it, or one of this
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

/** Runs a program and ends this one with its status where it fails; what it printed on stdout, with `capture`. */
export function must(program, args, options) {
  const { status, error, output, stdout } = run(program, args, options);
  if (status === 0) return stdout;
  if (output) console.error(output);
  console.error(
    `${program} ${args.join(' ')} failed${error ? `: ${error.message}` : ` with status ${status}`}`,
  );
  process.exit(status);
}

export const has = (program) => {
  const { error, status } = run(program, ['--version'], { capture: true });
  return !error && status === 0;
};

export const packageJson = createRequire(import.meta.url)('../package.json');
