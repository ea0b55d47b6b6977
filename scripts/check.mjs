// Everything that is checked without running cellroute: types, format, lint, walls, package.
//   node scripts/check.mjs [--fix]

import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { boundaries } from './boundaries.mjs';
import { nativeFiles } from './native-files.mjs';
import { root, run } from './run.mjs';
import { tool } from './tools.mjs';

const captured = (program, args) => run(program, args, { capture: true });

function clangFormat(fix) {
  return captured(tool('clang-format'), [...(fix ? ['-i'] : ['--dry-run', '-Werror']), ...nativeFiles()]);
}

/** The compile commands without GCC's precompiled header, which clang cannot read. */
function tidyDatabase() {
  const source = join(root, 'out', 'Release', 'compile_commands.json');
  if (!existsSync(source)) throw new Error('clang-tidy needs the compile commands of a build: npm run build');
  const ours = JSON.parse(readFileSync(source, 'utf8')).filter(({ file }) =>
    file.startsWith(join(root, 'native')),
  );
  const entries = ours.map((entry) => ({
    ...entry,
    command: entry.command.replaceAll(/ -Winvalid-pch| -include \S+/g, ' '),
  }));
  const folder = join(root, 'out', 'tidy');
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, 'compile_commands.json'), JSON.stringify(entries));
  return { folder, files: [...new Set(entries.map(({ file }) => file))] };
}

/** What a file's verdict depends on: itself, every header of ours, and the rules. */
function tidyKeys(files) {
  const digest = (paths) => {
    const hash = createHash('sha256');
    for (const path of paths) hash.update(readFileSync(path));
    return hash.digest('hex');
  };
  const headers = nativeFiles().filter((path) => path.endsWith('.h'));
  const common = digest([join(root, '.clang-tidy'), ...headers.map((path) => join(root, path))]);
  return new Map(files.map((file) => [file, `${common} ${digest([file])}`]));
}

async function clangTidy() {
  const { folder, files } = tidyDatabase();
  const program = tool('clang-tidy');
  // A file takes half a minute: those that passed as they stand are not asked again.
  const record = join(folder, 'passed.json');
  const passed = existsSync(record) ? JSON.parse(readFileSync(record, 'utf8')) : {};
  const keys = tidyKeys(files);
  const waiting = files.filter((file) => passed[file] !== keys.get(file));
  const failures = [];
  const worker = async () => {
    for (let file = waiting.shift(); file; file = waiting.shift()) {
      const output = [];
      const child = spawn(program, ['--quiet', '-p', folder, file], { cwd: root });
      child.stdout.on('data', (chunk) => output.push(chunk));
      const status = await new Promise((done) => child.on('close', done));
      if (status === 0) passed[file] = keys.get(file);
      else failures.push(Buffer.concat(output).toString());
      writeFileSync(record, JSON.stringify(passed));
    }
  };
  await Promise.all(Array.from({ length: availableParallelism() }, worker));
  return { status: failures.length === 0 ? 0 : 1, output: failures.join('\n') };
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
