import { spawnSync } from 'node:child_process';
import {
  copyFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import platforms from '../../lib/native/platforms.json';
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
  name: string;
  tarball: string;
  size: number;
  files: string[];
}
let packages: Packed[];
let core: Packed;

beforeAll(() => {
  mkdirSync(app);
  // scripts/pack.mjs has packed them; a single test packs for itself.
  const printed =
    process.env.CELLROUTE_PACKAGES ??
    must('node', ['scripts/release/packages.mjs', join(folder, 'packages')], root);
  packages = JSON.parse(printed.trim().split('\n').at(-1)!) as Packed[];
  core = packages.find(({ name }) => name === 'cellroute')!;
  writeFileSync(join(app, 'package.json'), JSON.stringify({ name: 'app', version: '1.0.0', private: true }));
  // The packages of other platforms are in no registry: npm skips what it does not find.
  must(
    'npm',
    ['install', '--no-audit', '--no-fund', '--ignore-scripts', ...packages.map(({ tarball }) => tarball)],
    app,
  );
});

interface Manifest {
  version: string;
  scripts?: Record<string, string>;
  dependencies?: Record<string, string>;
  optionalDependencies?: Record<string, string>;
}

const manifestOf = (name: string) =>
  JSON.parse(readFileSync(join(app, 'node_modules', name, 'package.json'), 'utf8')) as Manifest;

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

test.each(cases)('%s segments an image with only the packages', (_, name, source) => {
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
  ['cellroute/fastify', ['MemoryJobStore', 'cellroutePlugin', 'startServer']],
  ['cellroute/queue', ['FileObjects', 'createQueue', 'createWorker']],
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
  ensemble.classifier.classifyLoaded;
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
  return evaluate([{ id: 'image', groundTruth: masks, predicted: masks, scores }]);
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

test('members marked internal exist at run time and are not declared', () => {
  const dist = join(app, 'node_modules', 'cellroute', 'dist');
  const internal = /@internal/;
  const declared = (readdirSync(dist, { recursive: true }) as string[])
    .filter((path) => path.endsWith('.d.ts'))
    .filter((path) => internal.test(readFileSync(join(dist, path), 'utf8')));
  expect(declared).toEqual([]);
  expect(readFileSync(join(dist, 'inference', 'classifier.js'), 'utf8')).toContain('classifyLoaded(');
});

test('tsc --strict accepts the examples against the package', () => {
  cpSync(join(root, 'examples'), join(app, 'examples'), { recursive: true });
  const config = JSON.parse(readFileSync(join(root, 'examples', 'tsconfig.json'), 'utf8')) as {
    compilerOptions: { strict: boolean; paths?: object };
  };
  expect(config.compilerOptions.strict).toBe(true);
  // An example imports an optional peer, which its application has installed.
  symlinkSync(join(root, 'node_modules', 'fastify'), join(app, 'node_modules', 'fastify'), 'junction');
  // Resolved as an application does, in node_modules.
  delete config.compilerOptions.paths;
  writeFileSync(join(app, 'examples', 'tsconfig.json'), JSON.stringify(config));
  const types = ['--typeRoots', join(root, 'node_modules/@types')];
  const { status, stdout } = run(join(root, 'node_modules/.bin/tsc'), ['-p', 'examples', ...types], app);
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
  const hidden = join(app, `node_modules/@cellroute/libtorch-${process.platform}-${process.arch}`);
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

test('the packages have only what is needed at run time, and no install script', () => {
  expect(core.files).toEqual(
    expect.arrayContaining([
      'dist/index.js',
      'dist/index.mjs',
      'dist/index.d.ts',
      'dist/index.d.mts',
      ...['train', 'metrics', 'render', 'report'].flatMap((name) =>
        ['js', 'mjs', 'd.ts', 'd.mts'].map((ending) => `dist/${name}.${ending}`),
      ),
    ]),
  );
  expect(core.files.filter((path) => !/^(dist\/|[A-Z]+\.md$|LICENSE$|package\.json$)/.test(path))).toEqual(
    [],
  );
  const addon = packages.find(({ name }) => name === `@cellroute/${process.platform}-${process.arch}`)!;
  expect(addon.files.filter((path) => path.endsWith('.node'))).toHaveLength(2);
  const starter = packages.find(({ name }) => name === '@cellroute/starter')!;
  expect(starter.files).toContain('ensemble.json');
  for (const { name } of packages) {
    const manifest = manifestOf(name);
    for (const script of ['preinstall', 'install', 'postinstall', 'prepare'])
      expect(manifest.scripts?.[script]).toBeUndefined();
  }
  expect(core.size).toBeLessThan(2e6);
});

test('the core package asks for exactly the versions of its parts, on every platform', () => {
  const { version, dependencies, optionalDependencies } = manifestOf('cellroute');
  expect(dependencies?.['@cellroute/starter']).toBe(version);
  expect(Object.keys(optionalDependencies ?? {}).sort()).toEqual(
    Object.keys(platforms)
      .flatMap((platform) => [`@cellroute/${platform}`, `@cellroute/libtorch-${platform}`])
      .sort(),
  );
  for (const { name } of packages.filter(({ name }) => name !== 'cellroute')) {
    const own = manifestOf(name);
    expect({ ...dependencies, ...optionalDependencies }[name]).toBe(own.version);
    if (name !== '@cellroute/starter')
      expect(own).toMatchObject({ os: [process.platform], cpu: [process.arch] });
  }
});

test('an Electron application with both packages unpacked from its archive segments an image', () => {
  // The archive is a folder here. As in a real one, native files inside it cannot be opened.
  const resources = join(folder, 'resources');
  const archive = join(resources, 'app.asar', 'node_modules');
  const unpacked = join(resources, 'app.asar.unpacked', 'node_modules');
  mkdirSync(unpacked, { recursive: true });
  cpSync(join(app, 'node_modules'), archive, { recursive: true });
  renameSync(join(archive, '@cellroute'), join(unpacked, '@cellroute'));
  for (const name of readdirSync(join(unpacked, '@cellroute'))) {
    const inside = join(archive, '@cellroute', name);
    mkdirSync(inside, { recursive: true });
    copyFileSync(join(unpacked, '@cellroute', name, 'package.json'), join(inside, 'package.json'));
  }
  const [, name, source] = cases[1]!;
  writeFileSync(join(resources, 'app.asar', name), source);
  const { status, stdout, stderr } = run(
    process.execPath,
    [join(resources, 'app.asar', name), image.small],
    folder,
    {
      bare: true,
    },
  );
  expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
  expect((JSON.parse(stdout) as { cells: number }).cells).toBeGreaterThan(10);
});

test('the addon imports no function that makes external buffers, which Electron forbids', () => {
  const bytes = readFileSync(
    join(app, 'node_modules', '@cellroute', `${process.platform}-${process.arch}`, 'cellroute.node'),
  );
  expect(bytes.includes('napi_create_arraybuffer')).toBe(true);
  expect(bytes.includes('napi_create_external')).toBe(false);
});

test.each([
  ['cellroute', 'README.md', 20],
  ['@cellroute/starter', 'models/starter/README.md', 5],
])('the README of %s has absolute links to files of the repository', (name, page, least) => {
  const text = readFileSync(join(app, 'node_modules', name, 'README.md'), 'utf8');
  const targets = [...text.matchAll(/\]\(([^)\s#][^)\s]*)\)/g)].map((link) => link[1]!);
  expect(targets.length).toBeGreaterThan(least);
  const { version } = manifestOf('cellroute');
  const bases = [
    `https://github.com/cellroute/cellroute/blob/v${version}/`,
    `https://github.com/cellroute/cellroute/tree/v${version}/`,
    `https://raw.githubusercontent.com/cellroute/cellroute/v${version}/`,
  ];
  for (const target of targets) {
    const base = bases.find((start) => target.startsWith(start));
    expect({ target, base }).toEqual({ target, base: expect.any(String) });
    expect(existsSync(join(root, target.slice(base!.length).replace(/#.*/, '')))).toBe(true);
  }
  expect(readFileSync(join(root, page), 'utf8')).not.toContain('https://github.com/cellroute/cellroute/blob');
});
