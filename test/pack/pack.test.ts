import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { image, root } from '../support/sdk.js';

jest.setTimeout(900_000);

const folder = mkdtempSync(join(tmpdir(), 'cellroute-pack-'));
const app = join(folder, 'app');
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** What a user's machine has: no build of this checkout, no LibTorch named, and programs that compile are not on the path. */
function run(program: string, args: string[], cwd: string, { bare = false } = {}) {
  const env: NodeJS.ProcessEnv = { ...process.env };
  for (const name of ['CELLROUTE_BUILD', 'CELLROUTE_LIBTORCH', 'LIBTORCH']) delete env[name];
  if (bare) env.PATH = join(process.execPath, '..');
  const { status, stdout, stderr } = spawnSync(program, args, {
    cwd,
    env,
    encoding: 'utf8',
    maxBuffer: 1 << 28,
  });
  return { status, stdout, stderr };
}

function must(program: string, args: string[], cwd: string): string {
  const { status, stdout, stderr } = run(program, args, cwd);
  if (status !== 0) throw new Error(`${program} ${args.join(' ')}: ${status}\n${stdout}\n${stderr}`);
  return stdout;
}

interface Packed {
  filename: string;
  size: number;
  files: { path: string; size: number }[];
}
let packed: Packed;

beforeAll(() => {
  mkdirSync(app);
  // npm packs a tarball's content again, and answers what it holds: scripts/pack.mjs has packed the checkout.
  const source = process.env.CELLROUTE_TARBALL ?? root;
  const printed = must('npm', ['pack', source, '--json', '--pack-destination', folder], folder);
  [packed] = JSON.parse(printed) as [Packed];
  const libtorch = must('node', ['scripts/pack-libtorch.mjs', folder], root).trim().split('\n').at(-1)!;
  writeFileSync(join(app, 'package.json'), JSON.stringify({ name: 'app', version: '1.0.0', private: true }));
  must(
    'npm',
    ['install', '--no-audit', '--no-fund', '--ignore-scripts', join(folder, packed.filename), libtorch],
    app,
  );
});

const cases: [string, string, string][] = [
  [
    'an ES module',
    'main.mjs',
    `import { readFile } from 'node:fs/promises';
import { RoutedEnsemble } from 'cellroute';
const ensemble = await RoutedEnsemble.load();
const result = await ensemble.segment(await readFile(process.argv[2]));
console.log(JSON.stringify({ type: result.cellType, cells: result.cells.length }));
await ensemble.dispose();
`,
  ],
  [
    'a CommonJS module',
    'main.cjs',
    `const { readFile } = require('node:fs/promises');
const { RoutedEnsemble } = require('cellroute');
RoutedEnsemble.load().then(async (ensemble) => {
  const result = await ensemble.segment(await readFile(process.argv[2]));
  console.log(JSON.stringify({ type: result.cellType, cells: result.cells.length }));
  await ensemble.dispose();
});
`,
  ],
];

test.each(cases)('%s segments per image with nothing but the two tarballs', (_, name, source) => {
  writeFileSync(join(app, name), source);
  const { status, stdout, stderr } = run(process.execPath, [name, image.small], app, { bare: true });
  expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
  const { type, cells } = JSON.parse(stdout) as { type: string; cells: number };
  expect(type).toBe('fluorescence');
  expect(cells).toBeGreaterThan(10);
});

const entryPoints: [string, string[]][] = [
  ['cellroute', ['CellClassifier', 'CellSegmenter', 'CellrouteError', 'Masks', 'RoutedEnsemble']],
  ['cellroute/train', ['Dataset', 'SegmenterTrainer', 'openDataset', 'transforms', 'tuneEnsemble']],
  ['cellroute/metrics', ['evaluate', 'metricOf', 'pairFiles']],
  ['cellroute/render', ['renderOverlay', 'renderPlot']],
  ['cellroute/report', ['Report']],
];

test.each(entryPoints)('both module systems hold the same names of %s', (entry, expected) => {
  writeFileSync(
    join(app, 'same.mjs'),
    `import { createRequire } from 'node:module';
import * as es from '${entry}';
const cjs = createRequire(import.meta.url)('${entry}');
const names = Object.keys(cjs).sort();
console.log(JSON.stringify({ same: names.every((name) => es[name] === cjs[name]), names }));
`,
  );
  const { same, names } = JSON.parse(must(process.execPath, ['same.mjs'], app)) as {
    same: boolean;
    names: string[];
  };
  expect(same).toBe(true);
  expect(names).toEqual(expect.arrayContaining(expected));
});

test("'cellroute' loads nothing of training, metrics, drawing and reports", () => {
  const printed = must(
    process.execPath,
    ['-e', "require('cellroute'); console.log(JSON.stringify(Object.keys(require.cache)))"],
    app,
  );
  const loaded = (JSON.parse(printed) as string[]).map((path) => path.replace(/.*cellroute\/dist\//, ''));
  expect(loaded).toContain('index.js');
  expect(
    loaded.filter((path) =>
      /^(annotations|data|transforms|metrics|trainer|tune|render|report|cli)\//.test(path),
    ),
  ).toEqual([]);
});

test.each([
  ['an ES module', 'main.mts', 'nodenext'],
  ['a CommonJS module', 'main.cts', 'nodenext'],
  ['a bundler', 'main.ts', 'preserve'],
])('TypeScript compiles %s against the package', (_, name, module) => {
  writeFileSync(
    join(app, name),
    `import { RoutedEnsemble, type RoutedSegmentation } from 'cellroute';
import { evaluate, type Evaluation } from 'cellroute/metrics';
import { renderOverlay } from 'cellroute/render';
import { Report } from 'cellroute/report';
import { type Dataset, SegmenterTrainer } from 'cellroute/train';
export async function count(bytes: Uint8Array): Promise<number> {
  const ensemble = await RoutedEnsemble.load();
  const result: RoutedSegmentation = await ensemble.segment(bytes, { minScore: 0.6 });
  // @ts-expect-error there is no such option
  await ensemble.segment(bytes, { minimumScore: 0.6 });
  // @ts-expect-error members marked internal are not declared
  ensemble.classifier.classifyDecoded;
  return result.cells.length;
}
export async function train(data: Dataset, bytes: Uint8Array): Promise<Evaluation> {
  const trainer = new SegmenterTrainer({ data, folder: 'runs/first' });
  for await (const event of trainer.run()) if (event.kind === 'epoch') console.log(event.total);
  const ensemble = await RoutedEnsemble.load({ device: 'cpu' });
  const result = await ensemble.segment(bytes);
  const report = new Report({ title: 'cells', expected: 1 });
  await report.add('image', bytes, result);
  const overlay: Buffer = await renderOverlay(bytes, result);
  console.log(overlay.length);
  const { masks, scores } = result.cells;
  return evaluate([{ id: 'image', truth: masks, predicted: masks, scores }]);
}
`,
  );
  const resolution = module === 'preserve' ? ['--moduleResolution', 'bundler'] : [];
  const args = [
    '--strict',
    '--noEmit',
    '--target',
    'es2022',
    '--lib',
    'es2023,esnext.disposable',
    '--skipLibCheck',
    'false',
    '--module',
    module,
    ...resolution,
    name,
  ];
  const { status, stdout } = run(
    join(root, 'node_modules/.bin/tsc'),
    [...args, '--typeRoots', join(root, 'node_modules/@types'), '--types', 'node'],
    app,
  );
  expect(stdout).toBe('');
  expect(status).toBe(0);
});

test('the command line runs from the tarball', () => {
  const { status, stdout } = run(
    process.execPath,
    [join(app, 'node_modules/cellroute/dist/cli/main.js'), 'doctor'],
    app,
    { bare: true },
  );
  expect(stdout).toMatch(/@cellroute\/libtorch-[\w-]+ .*: found/);
  expect(stdout).toMatch(/Everything works\./);
  expect(status).toBe(0);
});

test('without LibTorch the error is a page of help', () => {
  const hidden = join(app, 'node_modules/@cellroute');
  const { stdout } = run(
    process.execPath,
    [
      '-e',
      `require('node:fs').renameSync(${JSON.stringify(hidden)}, ${JSON.stringify(`${hidden}-hidden`)});
      try { require('cellroute').loadNative(); } catch (error) { console.log(error.code + '\\n' + error.message); }
      require('node:fs').renameSync(${JSON.stringify(`${hidden}-hidden`)}, ${JSON.stringify(hidden)});`,
    ],
    app,
  );
  expect(stdout).toMatch(/^LIBTORCH_NOT_FOUND\n/);
  expect(stdout).toMatch(/npm install @cellroute\/libtorch-/);
  expect(stdout).toMatch(/CELLROUTE_LIBTORCH/);
});

test('the tarball carries what runs and nothing else, and no install script', () => {
  const paths = packed.files.map(({ path }) => path);
  expect(paths).toEqual(
    expect.arrayContaining([
      'dist/index.js',
      'dist/index.mjs',
      'dist/index.d.ts',
      'dist/index.d.mts',
      ...['train', 'metrics', 'render', 'report'].flatMap((name) =>
        ['js', 'mjs', 'd.ts', 'd.mts'].map((ending) => `dist/${name}.${ending}`),
      ),
      'models/starter/ensemble.json',
    ]),
  );
  // The addon with CUDA goes along where somebody built it.
  const addons = paths.filter((path) => path.endsWith('.node') && !/-cuda\d+\//.test(path));
  expect(addons).toHaveLength(2);
  expect(paths.filter((path) => /^(native|test|lib|scripts|out|build|node_modules)\//.test(path))).toEqual(
    [],
  );
  const manifest = JSON.parse(readFileSync(join(app, 'node_modules/cellroute/package.json'), 'utf8')) as {
    scripts?: Record<string, string>;
  };
  for (const script of ['preinstall', 'install', 'postinstall', 'prepare'])
    expect(manifest.scripts?.[script]).toBeUndefined();
  const models = packed.files.filter(({ path }) => path.startsWith('models/'));
  const weights = models.reduce((sum, { size }) => sum + size, 0);
  expect(weights).toBeLessThan(40e6);
  expect(statSync(join(folder, packed.filename)).size - weights).toBeLessThan(15e6);
});
