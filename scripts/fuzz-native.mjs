// The libFuzzer targets of native/fuzz: built with clang under AddressSanitizer and UndefinedBehaviorSanitizer.
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { runChild } from './child.mjs';
import { compile, compilerCache, configureOnce, configureQuietly, ninja } from './compile.mjs';
import { findLibtorch } from './libtorch.mjs';
import { has, root } from './run.mjs';
import { ensureSystem } from './system.mjs';

const preset = 'fuzz';
const folder = join(root, 'out', preset);

/** Names of the targets, and the maximum length of an input in bytes. */
export const nativeFuzzers = { masks: 1024, polygons: 128, pixels: 1024, weights: 256 };

/** Compiles the targets. Returns false, with a message, if clang is not installed. */
export async function buildNativeFuzzers(names) {
  ensureSystem({ fuzzers: true });
  if (!has('clang++')) {
    console.error(`cellroute: clang is not installed: ${names.join(', ')} are not fuzzed`);
    return false;
  }
  const generator = ninja();
  const definitions = { CELLROUTE_LIBTORCH: findLibtorch().folder, ...compilerCache() };
  configureOnce(folder, { generator: generator ?? 'default', definitions }, () =>
    configureQuietly('cmake', [
      ...['--preset', preset, ...(generator ? ['-G', generator] : [])],
      ...Object.entries(definitions).map(([name, value]) => `-D${name}=${value}`),
    ]),
  );
  await compile(
    folder,
    names.map((name) => `cellroute_${name}_fuzz`),
  );
  return true;
}

/**
 * Runs one target for a number of seconds, or until it has had a number of inputs. Inputs that fail are kept in out/fuzz/.
 *
 * @returns {target, runs, answers}, and `failure` with the pattern of the `file` of the input if there was one.
 */
export async function runNativeFuzzer(name, { seconds, runs, seed }, patience) {
  const corpus = join(folder, 'corpus', name);
  mkdirSync(corpus, { recursive: true });
  const found = join(folder, `${name}-`);
  const { stderr, ended } = await runChild(
    join(folder, `cellroute_${name}_fuzz`),
    [
      ...[`-max_total_time=${seconds}`, `-max_len=${nativeFuzzers[name]}`, '-print_final_stats=1'],
      ...(runs === undefined ? [] : [`-runs=${runs}`]),
      ...(seed === undefined ? [] : [`-seed=${seed}`]),
      // An input of a few KB needs no more. malloc_limit_mb does not include the sanitizers' own memory.
      ...['-malloc_limit_mb=64', '-rss_limit_mb=2048', '-timeout=10', `-artifact_prefix=${found}`],
      ...[corpus, join(root, 'fuzz/seeds/native', name)],
    ],
    {
      seconds: seconds + patience,
      // LibTorch is not instrumented: its containers look overflowed and its caches leaked.
      env: { ...process.env, ASAN_OPTIONS: 'detect_container_overflow=0:detect_leaks=0' },
    },
  );
  const executed = Number(/stat::number_of_executed_units:\s*(\d+)/.exec(stderr)?.[1] ?? 0);
  const answers = /cov: (\d+)(?![\s\S]*cov: )/.exec(stderr)?.[1] ?? '';
  if (ended === 0) return { target: name, runs: executed, answers: `${answers} edges` };
  return {
    target: name,
    runs: executed,
    failure: `ended with ${ended}\n${stderr.slice(-4000)}`,
    file: `${found}*`,
  };
}
