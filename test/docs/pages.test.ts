import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import {
  RESULT_FORMAT_NAMES,
  RESULT_FORMATS,
  type ResultFormatName,
  runFileName,
} from '../../lib/export/formats.js';
import { root } from '../support/sdk.js';
import { pages } from '../support/snippets.js';

const read = (path: string) => readFileSync(join(root, path), 'utf8');
const tracked = execFileSync('git', ['ls-files', '--cached', '--others', '--exclude-standard'], {
  cwd: root,
  encoding: 'utf8',
})
  .split('\n')
  .filter((path) => path && existsSync(join(root, path)));

/** Text in backquotes in the first column of every table of a page. */
const tableNames = (page: string) =>
  read(page)
    .split('\n')
    .filter((line) => line.startsWith('|'))
    .flatMap((line) => [...line.split('|')[1]!.matchAll(/`([^`]+)`/g)].map((found) => found[1]!));

test('troubleshooting has a row for every error code with its cause, and no other', () => {
  const table = read('lib/errors.ts').split('export interface ErrorDetailsByCode {')[1]!.split('\n}')[0]!;
  const codes = [...table.matchAll(/^ {2}\/\*\* (.+) \*\/\n {2}([A-Z_]+):/gm)];
  expect(codes.length).toBeGreaterThan(20);
  expect(codes).toHaveLength([...table.matchAll(/^ {2}[A-Z_]+:/gm)].length);
  const rows = read('docs/troubleshooting.md')
    .split('\n')
    .filter((line) => /^\| `[A-Z_]+` /.test(line))
    .map((line) => line.split('|').map((cell) => cell.trim()));
  expect(new Map(rows.map(([, code, cause]) => [code, cause]))).toEqual(
    new Map(codes.map(([, cause, code]) => [`\`${code}\``, cause])),
  );
  expect(rows).toHaveLength(codes.length);
});

test('every exported function, class and value has a place in the documentation', () => {
  const text = pages.map(read).join('\n');
  const missing = ['index', 'train', 'metrics', 'render', 'report'].flatMap((entry) =>
    Object.keys(require(join(root, 'dist', `${entry}.js`)) as object)
      .filter((name) => !new RegExp(`\\b${name}\\b`).test(text))
      .map((name) => `${entry}: ${name}`),
  );
  expect(missing).toEqual([]);
});

/** Environment variables that the sources read, apart from those that every program has. */
function variablesRead(): string[] {
  const patterns = [
    /process\.env\.([A-Za-z_0-9]+)/g,
    /process\.env\[['"]([A-Za-z_0-9]+)['"]\]/g,
    /getenv\("([A-Za-z_0-9]+)"\)/g,
    /\$\{?(CELLROUTE_[A-Z_0-9]+)/g,
    /os\.environ(?:\.get\(|\[)['"]([A-Z_0-9]+)['"]/g,
  ];
  const names = new Set<string>();
  for (const path of tracked) {
    if (!/\.(ts|mjs|cjs|js|cc|cu|c|h|py|sh)$|\.ci\/run$/.test(path)) continue;
    const text = read(path);
    for (const pattern of patterns) for (const [, name] of text.matchAll(pattern)) names.add(name!);
    // Names in capitals: the others are those of local variables.
    for (const [, some] of text.matchAll(/\{([^{}]*)\} = process\.env\b/g)) {
      for (const [name] of some!.matchAll(/\b[A-Z_]{3,}[A-Z_0-9]*\b/g)) names.add(name);
    }
  }
  for (const common of ['PATH', 'HOME', 'TMPDIR']) names.delete(common);
  return [...names];
}

test('the table of environment variables has exactly those that the sources read', () => {
  expect(tableNames('docs/environment-variables.md').sort()).toEqual(variablesRead().sort());
});

test('the tables of thresholds, commands and options are those of the code', () => {
  const script = join(root, 'scripts', 'doc-tables.mjs');
  const { status, stderr } = spawnSync(process.execPath, [script, '--check'], { encoding: 'utf8' });
  expect(stderr).toBe('');
  expect(status).toBe(0);
});

test('the table of outputs has every format, with its file', () => {
  expect(tableNames('docs/outputs.md').sort()).toEqual([...RESULT_FORMAT_NAMES].sort());
  const rows = read('docs/outputs.md')
    .split('\n')
    .filter((line) => line.startsWith('| `'));
  for (const row of rows) {
    const [word, file] = [...row.matchAll(/`([^`]+)`/g)].map((found) => found[1]!) as [
      ResultFormatName,
      string,
    ];
    const { scope, extension } = RESULT_FORMATS[word];
    expect(file).toBe(scope === 'run' ? runFileName(word) : `NAME${extension}`);
  }
});

test('every relative link and image of a page exists', () => {
  const broken = [
    ...pages,
    'ARCHITECTURE.md',
    'CONTRIBUTING.md',
    'CHANGELOG.md',
    'bench/README.md',
    'models/starter/README.md',
  ].flatMap((page) =>
    [...read(page).matchAll(/\]\(([^)#\s]+)(#[^)]*)?\)/g)]
      .map((found) => found[1]!)
      .filter((target) => !/^[a-z]+:/.test(target))
      .filter((target) => !existsSync(join(root, dirname(page), target)))
      .map((target) => `${page}: ${target}`),
  );
  expect(broken).toEqual([]);
});

test('every step in the drawing of ARCHITECTURE.md exists in the named file', () => {
  const steps = [
    ...read('ARCHITECTURE.md').matchAll(/^ {2}((?:lib|native)\/\S+\.(?:ts|cc|h)) +([A-Za-z_]+)/gm),
  ];
  expect(steps.length).toBeGreaterThan(15);
  const missing = steps.filter(([, path, name]) => !new RegExp(`\\b${name}\\b`).test(read(path!)));
  expect(missing.map(([, path, name]) => `${path}: ${name}`)).toEqual([]);
});
