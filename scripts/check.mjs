// Everything that is checked without running cellroute: types, format, lint, walls, package.
//   node scripts/check.mjs [--fix]

import { resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { boundaries } from './boundaries.mjs';
import { nativeFiles } from './native-files.mjs';
import { run } from './run.mjs';
import { clangTidy } from './tidy.mjs';
import { tool } from './tools.mjs';

const captured = (program, args) => run(program, args, { capture: true });

function clangFormat(fix) {
  return captured(tool('clang-format'), [...(fix ? ['-i'] : ['--dry-run', '-Werror']), ...nativeFiles()]);
}

function checksOf(fix) {
  return [
    [
      'biome',
      () => captured('biome', fix ? ['check', '--write', '--colors=off', '.'] : ['ci', '--colors=off', '.']),
    ],
    ['tsc of the SDK', () => captured('tsc', ['-p', 'tsconfig.json', '--noEmit'])],
    ['tsc of the tests', () => captured('tsc', ['-p', 'test/tsconfig.json'])],
    ['clang-format', () => clangFormat(fix)],
    ...boundaries.map(([name, find]) => [
      name,
      () => {
        const lines = find();
        return { status: lines.length === 0 ? 0 : 1, output: lines.join('\n') };
      },
    ]),
    ['publint', () => captured('publint', ['--strict'])],
    ['are the types wrong?', () => captured('attw', ['--pack', '.', '--format', 'ascii'])],
    ['clang-tidy', clangTidy],
  ];
}

/** Runs every check; returns what the test command adds up. */
export async function runChecks({ fix = false } = {}) {
  const counts = { passed: 0, failed: 0, skipped: 0 };
  for (const [name, check] of checksOf(fix)) {
    const started = Date.now();
    let result;
    try {
      result = await check();
    } catch (error) {
      result = { status: 1, output: String(error.message) };
    }
    const seconds = ((Date.now() - started) / 1000).toFixed(1);
    console.log(`${result.status === 0 ? 'ok    ' : 'FAILED'} ${name} (${seconds} s)`);
    if (result.status !== 0) console.log(result.output.trim());
    counts[result.status === 0 ? 'passed' : 'failed']++;
  }
  return counts;
}

if (process.argv[1] && resolve(process.argv[1]) === fileURLToPath(import.meta.url)) {
  const { passed, failed } = await runChecks({ fix: process.argv.includes('--fix') });
  console.log(`${passed} passed, ${failed} failed`);
  process.exitCode = failed === 0 ? 0 : 1;
}
