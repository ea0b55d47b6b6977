// The quick checks, which do not run cellroute: types, format and lint of TypeScript, rules between folders, words.
//   node scripts/check.mjs [--fix]     --fix formats TypeScript and C++
import { resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { boundaries } from './boundaries.mjs';
import { nativeFiles } from './native-files.mjs';
import { finish, runChecks } from './report.mjs';
import { run } from './run.mjs';
import { tool } from './tools.mjs';
import { oldWords } from './words.mjs';

const captured = (program, args) => run(program, args, { capture: true });

export const quickChecks = ({ fix = false } = {}) => [
  [
    'biome',
    () => captured('biome', fix ? ['check', '--write', '--colors=off', '.'] : ['ci', '--colors=off', '.']),
  ],
  ['types of the SDK', () => captured('tsc', ['-p', 'tsconfig.json', '--noEmit'])],
  ['types of the tests', () => captured('tsc', ['-p', 'test/tsconfig.json'])],
  ...[...boundaries, ['words of the style guide', oldWords]].map(([name, find]) => [
    name,
    () => {
      const lines = find();
      return { status: lines.length === 0 ? 0 : 1, output: lines.join('\n') };
    },
  ]),
  ...(fix ? [['clang-format', () => captured(tool('clang-format'), ['-i', ...nativeFiles()])]] : []),
];

if (process.argv[1] && resolve(process.argv[1]) === fileURLToPath(import.meta.url)) {
  finish(await runChecks(quickChecks({ fix: process.argv.includes('--fix') })));
}
