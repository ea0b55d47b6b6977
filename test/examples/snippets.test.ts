import { spawnSync } from 'node:child_process';
import { copyFileSync, cpSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import sharp from 'sharp';
import { OLDEST_NODE, oldestNode } from '../support/old-node.js';
import { root } from '../support/sdk.js';
import { pages, type Snippet, snippetsOf } from '../support/snippets.js';

const oldest = oldestNode();
const node = oldest ?? process.execPath;
const snippets = pages.flatMap((page) => snippetsOf(page));
const runnable = snippets.filter(({ reason }) => reason === undefined);

const folder = mkdtempSync(join(tmpdir(), 'cellroute-docs-'));
const programs = join(folder, 'bin');

beforeAll(async () => {
  // Files that the snippets use, and the package as installed in an application.
  for (const name of ['bin', 'images', 'node_modules', 'runs']) mkdirSync(join(folder, name));
  symlinkSync(root, join(folder, 'node_modules', 'cellroute'), 'junction');
  // The packages that snippets import themselves.
  for (const name of ['fastify', 'sharp']) {
    symlinkSync(join(root, 'node_modules', name), join(folder, 'node_modules', name), 'junction');
  }
  const examples = join(root, 'examples', 'images');
  copyFileSync(join(examples, 'fluorescence-small-crowded.png'), join(folder, 'nuclei.png'));
  copyFileSync(join(examples, 'fluorescence-small-crowded.png'), join(folder, 'images', 'nuclei.png'));
  copyFileSync(join(examples, 'histology.png'), join(folder, 'images', 'tissue.png'));
  cpSync(join(root, 'test', 'data', 'nuclei'), join(folder, 'data'), { recursive: true });
  const weights = join(root, 'models', 'starter', 'segmenter-fluorescence.safetensors');
  copyFileSync(weights, join(folder, 'segmenter.safetensors'));
  await sharp(join(examples, 'fluorescence-large.png'))
    .resize(900, 700, { kernel: 'nearest' })
    .tiff({ tile: true, pyramid: true, tileWidth: 256, tileHeight: 256, compression: 'deflate' })
    .toFile(join(folder, 'slide.tif'));
  const main = join(root, 'dist', 'cli', 'main.js');
  writeFileSync(join(programs, 'cellroute'), `#!/bin/sh\nexec "${node}" "${main}" "$@"\n`, { mode: 0o755 });
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const nameOf = ({ page, line }: Snippet) => `${page}, line ${line}`;

test('the documentation has snippets, in languages that can be run', () => {
  expect(runnable.length).toBeGreaterThan(12);
  const wrong = snippets.filter(({ language }) => !['js', 'sh', 'json', 'text', 'python'].includes(language));
  expect(wrong.map(nameOf)).toEqual([]);
});

test('a snippet that is not run has a reason', () => {
  const markers = snippets.filter(({ reason }) => reason !== undefined);
  expect(markers.filter(({ reason }) => reason!.length < 10).map(nameOf)).toEqual([]);
});

(oldest ? test : test.skip)(`the oldest supported Node.js, ${OLDEST_NODE}, runs the snippets`, () => {
  expect(spawnSync(node, ['--version'], { encoding: 'utf8' }).stdout.trim()).toBe(`v${OLDEST_NODE}`);
});

test.each(snippets.filter(({ language }) => language === 'js').map((one) => [nameOf(one), one] as const))(
  '%s is valid syntax',
  (_, { code }) => {
    const file = join(folder, 'syntax.mjs');
    writeFileSync(file, code);
    expect(spawnSync(node, ['--check', file], { encoding: 'utf8' })).toMatchObject({ status: 0, stderr: '' });
  },
);

const commandOf = ({ language, code }: Snippet): [string, string[]] => {
  if (language === 'sh') return ['bash', ['-euo', 'pipefail', '-c', code]];
  const file = join(folder, 'snippet.mjs');
  writeFileSync(file, code);
  return [node, [file]];
};

test.each(runnable.filter(({ language }) => language !== 'text').map((one) => [nameOf(one), one] as const))(
  '%s runs',
  (_, snippet) => {
    const [program, args] = commandOf(snippet);
    const { status, stdout, stderr } = spawnSync(program, args, {
      cwd: folder,
      encoding: 'utf8',
      env: { ...process.env, PATH: `${programs}${delimiter}${process.env.PATH}` },
    });
    expect({ status, ...(status === 0 ? {} : { stdout, stderr }) }).toEqual({ status: 0 });
  },
);
