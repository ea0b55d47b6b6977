// clang-tidy over every compiled file of ours, many files to a reading of LibTorch's headers.
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { dirname, extname, join } from 'node:path';
import { nativeFiles } from './native-files.mjs';
import { root } from './run.mjs';
import { tool } from './tools.mjs';

/** Of a file's half minute the headers take the most: so many files are read as one. */
const TOGETHER = 12;

const folder = join(root, 'out', 'tidy');

/** Each compiled file of ours once, with its command less GCC's precompiled header, which clang cannot read. */
function compiledFiles() {
  const source = join(root, 'out', 'Release', 'compile_commands.json');
  if (!existsSync(source)) throw new Error('clang-tidy needs the compile commands of a build: npm run build');
  const entries = new Map();
  for (const entry of JSON.parse(readFileSync(source, 'utf8'))) {
    if (!entry.file.startsWith(join(root, 'native')) || entries.has(entry.file)) continue;
    const command = entry.command.replaceAll(/ -Winvalid-pch| -include \S+| -o \S+/g, ' ');
    entries.set(entry.file, { ...entry, command });
  }
  return [...entries.values()];
}

/** What a file's verdict depends on: itself, every header of ours, and the rules. */
function verdictKeys(entries) {
  const digest = (paths) => {
    const hash = createHash('sha256');
    for (const path of paths) hash.update(readFileSync(path));
    return hash.digest('hex');
  };
  const headers = nativeFiles().filter((path) => path.endsWith('.h'));
  const common = digest([join(root, '.clang-tidy'), ...headers.map((path) => join(root, path))]);
  return new Map(entries.map(({ file }) => [file, `${common} ${digest([file])}`]));
}

/** What a file names for itself alone, by clang-format's layout: what stands at the margin of an unnamed namespace. */
function ownNames(path) {
  const unnamed = readFileSync(path, 'utf8').matchAll(/^namespace \{$(.*?)^\} {2}\/\/ namespace$/gms);
  const names = [...unnamed].flatMap(([, body]) =>
    [
      ...body.matchAll(
        /^(?!namespace|TEST_CASE)[a-zA-Z][^\n(={;]*?(\w+)(?: final)?(?: : [^\n(={;]*)? ?(?:[(={;[]|$)/gm,
      ),
    ].map(([, name]) => name),
  );
  return new Set(names);
}

/** Files of one folder that are compiled by the same command and share no name of their own. */
function groupsOf(entries) {
  const kinds = new Map();
  for (const entry of entries) {
    const kind = `${dirname(entry.file)} ${entry.command.replaceAll(entry.file, '')}`;
    const groups = kinds.get(kind) ?? [];
    kinds.set(kind, groups);
    const own = ownNames(entry.file);
    let group = groups.find(
      ({ files, names }) => files.length < TOGETHER && [...own].every((name) => !names.has(name)),
    );
    if (!group) {
      group = { files: [], names: new Set() };
      groups.push(group);
    }
    group.files.push(entry);
    for (const name of own) group.names.add(name);
  }
  return [...kinds.values()].flat().map(({ files }) => files);
}

/** Runs clang-tidy over a file as it stands, or over several whose text is put into one. */
async function examine(program, group) {
  let [{ file, command, directory }] = group;
  if (group.length > 1) {
    // Put together as text: of what a file includes, only a part of the rules speaks.
    const name = createHash('sha256')
      .update(group.map((entry) => entry.file).join('\n'))
      .digest('hex');
    const together = join(folder, `${name.slice(0, 16)}${extname(file)}`);
    writeFileSync(together, group.map((entry) => readFileSync(entry.file, 'utf8')).join('\n'));
    command = `${command.replaceAll(file, together)} -iquote ${dirname(file)}`;
    file = together;
  }
  const database = join(folder, `${file.slice(root.length + 1).replaceAll(/[^\w.]/g, '-')}.commands`);
  mkdirSync(database, { recursive: true });
  writeFileSync(join(database, 'compile_commands.json'), JSON.stringify([{ directory, command, file }]));
  const rules = `--config-file=${join(root, '.clang-tidy')}`;
  const child = spawn(program, ['--quiet', rules, '-p', database, file], { cwd: root });
  const output = [];
  child.stdout.on('data', (chunk) => output.push(chunk));
  const status = await new Promise((done) => child.on('close', done));
  return { clean: status === 0, output: Buffer.concat(output).toString() };
}

/** Asks about every file that has not passed as it stands. */
export async function clangTidy() {
  const entries = compiledFiles();
  mkdirSync(folder, { recursive: true });
  const program = tool('clang-tidy');
  const record = join(folder, 'passed.json');
  const passed = existsSync(record) ? JSON.parse(readFileSync(record, 'utf8')) : {};
  const keys = verdictKeys(entries);
  const waiting = groupsOf(entries.filter(({ file }) => passed[file] !== keys.get(file)));
  const failures = [];
  const worker = async () => {
    for (let group = waiting.shift(); group; group = waiting.shift()) {
      const { clean, output } = await examine(program, group);
      if (clean) {
        for (const { file } of group) passed[file] = keys.get(file);
        writeFileSync(record, JSON.stringify(passed));
      } else if (group.length > 1) {
        // A finding, or two files that use one name for themselves: only a file alone is found guilty.
        const half = group.length >> 1;
        waiting.unshift(group.slice(0, half), group.slice(half));
      } else failures.push(output);
    }
  };
  await Promise.all(Array.from({ length: availableParallelism() }, worker));
  return { status: failures.length === 0 ? 0 : 1, output: failures.join('\n') };
}
