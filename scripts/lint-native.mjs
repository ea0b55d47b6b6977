// Runs clang-format and clang-tidy on native/.
//   node scripts/lint-native.mjs [--all | --since COMMIT] [--minutes N]
// clang-tidy is slow, so it checks only files that changed, directly or through a header, since the commit in .ci/tidy-base,
// at which every file passed. --all checks every file; if all pass and nothing is uncommitted, the commit is written to
// .ci/tidy-base. With --minutes, files that changed themselves come first, and after that time no further file is started:
// the number of the remaining ones is printed.
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { dirname, join, relative, resolve } from 'node:path';
import { configureOnce, configureQuietly, ninja } from './compile.mjs';
import { findLibtorch, python } from './libtorch.mjs';
import { nativeFiles } from './native-files.mjs';
import { finish, runChecks } from './report.mjs';
import { root, run } from './run.mjs';
import { ensureSystem } from './system.mjs';
import { tool } from './tools.mjs';

const args = process.argv.slice(2);
const everything = args.includes('--all');
const argumentOf = (option) => (args.includes(option) ? args[args.indexOf(option) + 1] : undefined);
const given = argumentOf('--since');
const minutes = Number(argumentOf('--minutes') ?? Infinity);

const folder = join(root, 'out', 'lint');
const baseFile = join(root, '.ci', 'tidy-base');
// A change of these files may affect the result of every file.
const RULES = ['.clang-tidy', 'scripts/lint-native.mjs', 'scripts/tools.mjs'];

const git = (...command) => run('git', command, { capture: true });

/** Compile commands with one file per command. */
function configure() {
  ensureSystem({ tests: true });
  const definitions = {
    CELLROUTE_LIBTORCH: findLibtorch({ log: () => {} }).folder,
    CELLROUTE_BUILD_TESTS: 'ON',
    CELLROUTE_OUTPUT: join(folder, 'build'),
    CELLROUTE_UNITY: 'OFF',
  };
  const generator = ninja();
  const flags = Object.entries(definitions).map(([name, value]) => `-D${name}=${value}`);
  configureOnce(folder, { generator: generator ?? 'default', definitions }, () =>
    configureQuietly('cmake', ['-S', root, '-B', folder, ...(generator ? ['-G', generator] : []), ...flags]),
  );
}

/** Files that changed since a commit, including uncommitted changes; undefined if git does not know the commit. */
function changedSince(commit) {
  const known = git('cat-file', '-e', `${commit}^{commit}`).status === 0;
  if (!known) return undefined;
  const changed = git('diff', '--name-only', '-z', commit, '--');
  const untracked = git('ls-files', '-z', '--others', '--exclude-standard');
  return new Set(`${changed.stdout}${untracked.stdout}`.split('\0').filter(Boolean));
}

/** Files of native/ that each compilation step reads, from Ninja's log. */
function filesReadTogether() {
  const build = join(root, 'out', 'Release');
  const { status, stdout } = run('ninja', ['-C', build, '-t', 'deps'], { capture: true });
  if (status !== 0) return [];
  return stdout.split(/\n(?=\S)/).map((step) =>
    step
      .split('\n')
      .slice(1)
      .filter(Boolean)
      .map((line) => relative(root, resolve(build, line.trim())).replaceAll('\\', '/'))
      .filter((path) => path.startsWith('native/')),
  );
}

/** Files whose result may have changed, and the reason. */
function filesToCheck(compiled) {
  const all = (why) => ({ files: compiled, why });
  if (everything) return all('all files');
  const base = given ?? (existsSync(baseFile) ? readFileSync(baseFile, 'utf8').trim() : undefined);
  if (!base) return all('all files: .ci/tidy-base is missing');
  const changed = changedSince(base);
  if (!changed) return all(`all files: this clone does not have commit ${base}`);
  const rule = RULES.find((path) => changed.has(path));
  if (rule) return all(`all files: ${rule} changed since ${base}`);
  const steps = filesReadTogether();
  // A file that no step reads may include anything, so it is checked.
  const read = new Set(steps.flat());
  // A changed source file affects only itself, although it is compiled in a batch.
  const affects = (path) => path.endsWith('.h') && changed.has(path);
  const touched = new Set(steps.filter((paths) => paths.some(affects)).flat());
  const files = [
    ...compiled.filter((path) => changed.has(path)),
    ...compiled.filter((path) => !changed.has(path) && (touched.has(path) || !read.has(path))),
  ];
  return {
    files,
    why: `${files.length} of ${compiled.length} files: changes since ${base.slice(0, 12)}`,
  };
}

function clangFormat() {
  return run(tool('clang-format'), ['--dry-run', '-Werror', ...nativeFiles()], { capture: true });
}

function clangTidy() {
  configure();
  const commands = JSON.parse(readFileSync(join(folder, 'compile_commands.json'), 'utf8'));
  const compiled = [
    ...new Set(commands.map(({ file }) => relative(root, file).replaceAll('\\', '/'))),
  ].filter((path) => path.startsWith('native/'));
  const { files, why } = filesToCheck(compiled);
  console.log(`clang-tidy of ${why}`);
  if (files.length === 0) return { status: 0, output: '' };
  const end = performance.now() + 60_000 * minutes;
  // Whole batches, so that every processor has work; without a limit one batch has all files.
  const batch = Number.isFinite(minutes) ? 4 * availableParallelism() : files.length;
  const result = { status: 0, output: '' };
  let done = 0;
  while (done < files.length && performance.now() < end) {
    const { status, output } = tidy(files.slice(done, done + batch));
    result.status ||= status;
    result.output += output;
    done = Math.min(files.length, done + batch);
  }
  if (done < files.length)
    result.note = `${files.length - done} of ${files.length} files were not checked in ${minutes} minutes`;
  if (result.status === 0 && done === compiled.length) recordBase();
  return result;
}

/** Runs clang-tidy on some files, on all processors. */
function tidy(files) {
  const program = tool('clang-tidy');
  const escaped = files.map((path) => `${join(root, path).replaceAll(/[.+()[\]\\]/g, '\\$&')}$`);
  return run(
    python(),
    [
      join(dirname(program), 'run-clang-tidy.py'),
      ...['-clang-tidy-binary', program, '-config-file', join(root, '.clang-tidy'), '-p', folder],
      ...['-quiet', '-hide-progress', '-j', String(availableParallelism()), ...escaped],
    ],
    { capture: true },
  );
}

/** Records that every file passed, so that later runs check only later changes. */
function recordBase() {
  const { status, stdout } = git('status', '--porcelain', '--', 'native', ...RULES);
  if (status !== 0 || stdout.trim() !== '') return;
  writeFileSync(baseFile, git('rev-parse', 'HEAD').stdout);
}

finish(
  await runChecks([
    ['clang-format', clangFormat],
    ['clang-tidy', clangTidy],
  ]),
);
