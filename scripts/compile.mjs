// Configures and compiles with CMake: only what changed, with a compiler cache if one is installed, with little output.
import { spawn } from 'node:child_process';
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { childEnvironment, has, must, root } from './run.mjs';

// Variables of ccache: paths relative to the checkout give cache hits in every clone.
const CACHE_ENVIRONMENT = { CCACHE_BASEDIR: root, CCACHE_NOHASHDIR: '1' };

/** CMake's definitions for an installed compiler cache; empty without one. */
export function compilerCache() {
  // CMake reads this variable itself.
  if (process.env.CMAKE_CXX_COMPILER_LAUNCHER !== undefined) return {};
  const program = ['ccache', 'sccache'].find(has);
  return program ? { CMAKE_C_COMPILER_LAUNCHER: program, CMAKE_CXX_COMPILER_LAUNCHER: program } : {};
}

/** Ninja as the generator, if it is installed: it is faster than Make when nothing changed. */
export const ninja = () => (has('ninja') ? 'Ninja' : undefined);

const recordOf = (folder) => join(folder, 'configured.json');

/** Inputs of the last successful configuration of this checkout's folder. */
export function configured(folder) {
  if (!existsSync(recordOf(folder))) return undefined;
  const { from, ...inputs } = JSON.parse(readFileSync(recordOf(folder), 'utf8'));
  return from === root ? inputs : undefined;
}

/**
 * Runs `configure` if `inputs` differ from those of the last configuration, or if that failed. CMake itself detects changes
 * of CMakeLists.txt.
 */
export function configureOnce(folder, inputs, configure) {
  const before = configured(folder);
  if (before && isDeepStrictEqual(before, inputs)) return;
  // A folder of another generator, a copied checkout or unknown inputs cannot be configured again.
  if (before?.generator !== inputs.generator) rmSync(folder, { recursive: true, force: true });
  rmSync(recordOf(folder), { force: true });
  configure();
  writeFileSync(recordOf(folder), `${JSON.stringify({ from: root, ...inputs }, null, 2)}\n`);
}

/** Runs CMake's configuration and shows its output only if it fails. */
export function configureQuietly(program, args, env) {
  console.error('cellroute: configuring the build');
  must(program, args, { env, capture: true });
}

/** Shows progress: one line that is updated on a terminal, otherwise one line per tenth of the work. */
function progressLine(stream) {
  const started = Date.now();
  let shown = -1;
  let open = false;
  return {
    show(text, fraction) {
      const seconds = Math.round((Date.now() - started) / 1000);
      if (stream.isTTY) {
        const line = `${text} (${seconds} s)`;
        stream.write(`\r\x1b[K${line.slice(0, (stream.columns ?? 80) - 1)}`);
        open = true;
        return;
      }
      const tenth = Math.floor(fraction * 10);
      if (tenth === shown) return;
      shown = tenth;
      stream.write(`cellroute: ${Math.round(fraction * 100)} % compiled, ${seconds} s\n`);
    },
    end() {
      if (open) stream.write('\r\x1b[K');
      open = false;
    },
  };
}

// "[12/151] Building CXX object …" of Ninja, "[ 12%] Building CXX object …" of Make.
const PROGRESS = /^\[\s*(\d+)(?:%|\/(\d+))\]\s+(.*)$/;
const CHATTER =
  /^(ninja: no work to do|\[\d+\/\d+\] Re-running CMake|-- |Consolidate compiler generated|Scanning dep)/;

/** Compiles a configured folder. Warnings and errors are printed, everything else is shown as progress. */
export async function compile(folder, targets = []) {
  const args = ['--build', folder, '--config', 'Release', '--parallel', String(availableParallelism())];
  if (targets.length > 0) args.push('--target', ...targets);
  const child = spawn('cmake', args, {
    cwd: root,
    env: childEnvironment(CACHE_ENVIRONMENT),
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const progress = progressLine(process.stderr);
  const read = (stream) => {
    let rest = '';
    stream.setEncoding('utf8');
    stream.on('data', (chunk) => {
      const lines = (rest + chunk).split('\n');
      rest = lines.pop();
      for (const line of lines) show(line);
    });
    stream.on('end', () => rest && show(rest));
  };
  const show = (line) => {
    const found = PROGRESS.exec(line);
    if (found) {
      const [, done, all, what] = found;
      progress.show(`[${done}${all ? `/${all}` : ' %'}] ${what}`, Number(done) / Number(all ?? 100));
    } else if (line.trim() !== '' && !CHATTER.test(line)) {
      progress.end();
      console.error(line);
    }
  };
  read(child.stdout);
  read(child.stderr);
  const status = await new Promise((done) => {
    child.on('error', (error) => {
      console.error(`cmake could not be started: ${error.message}`);
      done(1);
    });
    child.on('close', (code) => done(code ?? 1));
  });
  progress.end();
  if (status === 0) return;
  console.error(`cellroute: compiling in ${folder} failed with status ${status}`);
  process.exit(status);
}

/** The slowest steps of the last build, from Ninja's log: [{seconds, output}], slowest first. */
export function slowestSteps(folder, count = 20) {
  const log = join(folder, '.ninja_log');
  if (!existsSync(log)) return undefined;
  const steps = new Map();
  for (const line of readFileSync(log, 'utf8').split('\n')) {
    const [start, end, , output] = line.split('\t');
    // Only the last entry of an output is used.
    if (output) steps.set(output, { seconds: (Number(end) - Number(start)) / 1000, output });
  }
  return [...steps.values()].sort((a, b) => b.seconds - a.seconds).slice(0, count);
}
