import { spawnSync } from 'node:child_process';
import {
  appendFileSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { image, root } from '../support/sdk.js';

jest.setTimeout(600_000);

// scripts/release/registry.mjs starts the registry, publishes the packages there and names the programs.
const registry = process.env.CELLROUTE_REGISTRY;
const programs = JSON.parse(process.env.CELLROUTE_PROGRAMS ?? '{}') as Record<string, string[] | undefined>;
const whenPublished = registry ? describe : describe.skip;

const folder = mkdtempSync(join(tmpdir(), 'cellroute-install-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** The application that the runtimes use too. */
const kept = ['home', 'bin', 'esm'];
// An installation takes 420 MB.
afterEach(() => {
  for (const name of readdirSync(folder)) {
    if (!kept.includes(name)) rmSync(join(folder, name), { recursive: true, force: true });
  }
});

/** One home and one cache for all installations, and nothing that a user's machine lacks: no compiler, no Python. */
const home = join(folder, 'home');
const bin = join(folder, 'bin');
mkdirSync(home);
mkdirSync(bin);
const environment: NodeJS.ProcessEnv = {
  HOME: home,
  PATH: [bin, dirname(process.execPath)].join(delimiter),
  npm_config_registry: registry,
  npm_config_audit: 'false',
  npm_config_fund: 'false',
  npm_config_update_notifier: 'false',
  YARN_NPM_REGISTRY_SERVER: registry,
  YARN_UNSAFE_HTTP_WHITELIST: '127.0.0.1',
  YARN_ENABLE_TELEMETRY: '0',
  YARN_ENABLE_IMMUTABLE_INSTALLS: 'false',
  YARN_REGISTRY: registry,
  // Yarn 4 does not install what was published less than a day ago.
  YARN_NPM_MINIMAL_AGE_GATE: '0',
};

function run(command: readonly string[], cwd: string, env: NodeJS.ProcessEnv = {}) {
  const [program, ...args] = command;
  return spawnSync(program!, args, {
    cwd,
    env: { ...environment, ...env },
    encoding: 'utf8',
    maxBuffer: 1 << 28,
  });
}

function must(command: readonly string[], cwd: string, env?: NodeJS.ProcessEnv): string {
  const { status, stdout, stderr, error } = run(command, cwd, env);
  if (status === 0) return stdout;
  throw new Error(`${command.join(' ')}: ${error?.message ?? status}\n${stdout}\n${stderr}`);
}

/** A new folder with a package.json. */
function application(name: string, manifest: object = {}): string {
  const path = join(folder, name);
  mkdirSync(path, { recursive: true });
  writeManifest(path, manifest);
  return path;
}

function writeManifest(path: string, manifest: object): void {
  const whole = { name: 'app', version: '1.0.0', private: true, ...manifest };
  writeFileSync(join(path, 'package.json'), JSON.stringify(whole));
}

const PROGRAM = `
  const ensemble = await RoutedEnsemble.load();
  const result = await ensemble.segment(await readFile(process.argv.at(-1)));
  console.log(JSON.stringify({ type: result.cellType, boxes: [...result.cells.boxes] }));
  await ensemble.dispose();
`;
const esModule = `import { readFile } from 'node:fs/promises';
import { RoutedEnsemble } from 'cellroute';
${PROGRAM}`;
const commonJs = `const { readFile } = require('node:fs/promises');
const { RoutedEnsemble } = require('cellroute');
(async () => {${PROGRAM}})();`;
const typeScript = `import { readFile } from 'node:fs/promises';
import { type RoutedSegmentation, RoutedEnsemble } from 'cellroute';
const ensemble = await RoutedEnsemble.load();
const result: RoutedSegmentation = await ensemble.segment(await readFile(process.argv.at(-1)!));
console.log(JSON.stringify({ type: result.cellType, boxes: [...result.cells.boxes] }));
await ensemble.dispose();
`;

/** What one program printed; every other one must print the same. */
let reference: string | undefined;

/** Runs a program of an application and compares its cells with those of the first one. */
function expectCells(command: readonly string[], path: string, what: string, started: number): void {
  const printed = must([...command, image.small], path)
    .trim()
    .split('\n')
    .at(-1)!;
  reference ??= printed;
  expect(printed).toBe(reference);
  const { type, boxes } = JSON.parse(printed) as { type: string; boxes: number[] };
  expect(type).toBe('fluorescence');
  expect(boxes.length).toBeGreaterThan(40);
  const row = { what, seconds: (Date.now() - started) / 1000, cells: boxes.length / 4 };
  if (process.env.CELLROUTE_RECORD) appendFileSync(process.env.CELLROUTE_RECORD, `${JSON.stringify(row)}\n`);
}

function write(path: string, name: string, text: string): string {
  writeFileSync(join(path, name), text);
  return name;
}

/** The program of that name, or the reason why the test is skipped. */
const withProgram = (name: string) => (programs[name] ? test : test.skip);

whenPublished('npm', () => {
  const node = process.execPath;

  test('an ES module', () => {
    const started = Date.now();
    const path = application('esm');
    must(['npm', 'install', 'cellroute'], path);
    expectCells([node, write(path, 'main.mjs', esModule)], path, 'npm, ES module', started);
  });

  test('from the cache, without a network and without install scripts', () => {
    const started = Date.now();
    const path = application('offline');
    must(['npm', 'install', 'cellroute', '--offline', '--ignore-scripts'], path, {
      HTTP_PROXY: 'http://127.0.0.1:9',
    });
    expectCells(
      [node, write(path, 'main.cjs', commonJs)],
      path,
      'npm, offline, --ignore-scripts, CommonJS',
      started,
    );
  });

  test('TypeScript', () => {
    const started = Date.now();
    const path = application('typescript', { type: 'module' });
    must(['npm', 'install', 'cellroute'], path);
    const tsc = join(root, 'node_modules', '.bin', 'tsc');
    const types = ['--typeRoots', join(root, 'node_modules', '@types'), '--types', 'node'];
    const target = ['--target', 'es2022', '--lib', 'es2023,esnext.disposable', '--module', 'nodenext'];
    must([tsc, '--strict', ...target, ...types, write(path, 'main.ts', typeScript)], path);
    expectCells([node, 'main.js'], path, 'npm, TypeScript', started);
  });

  test('a path with spaces and characters outside ASCII', () => {
    const started = Date.now();
    const path = application('Zellen zählen – 細胞');
    must(['npm', 'install', 'cellroute'], path);
    expectCells([node, write(path, 'main.mjs', esModule)], path, 'npm, path with spaces and 細', started);
  });

  test('a dependency of a dependency', () => {
    const started = Date.now();
    const tool = application('lab-tool', { name: 'lab-tool', dependencies: { cellroute: '*' } });
    write(tool, 'index.js', commonJs);
    const path = application('nested');
    must(['npm', 'install', '--install-links', tool], path);
    expectCells([node, 'node_modules/lab-tool/index.js'], path, 'npm, dependency of a dependency', started);
  });

  test('a workspace', () => {
    const started = Date.now();
    const path = application('workspace', { workspaces: ['packages/*'] });
    const member = application('workspace/packages/member', {
      name: 'member',
      dependencies: { cellroute: '*' },
    });
    must(['npm', 'install'], path);
    expectCells([node, write(member, 'main.mjs', esModule)], member, 'npm, workspace', started);
  });

  test('the command line', () => {
    const path = join(folder, 'esm');
    expect(must(['npx', 'cellroute', 'doctor'], path)).toMatch(/Everything works\./);
    must(['npx', 'cellroute', 'segment', image.small, '--out', 'results'], path);
    expect(readdirSync(join(path, 'results')).some((name) => name.endsWith('.json'))).toBe(true);
  });

  test.each([
    ['linux-x64', 'ADDON_NOT_FOUND'],
    ['libtorch-linux-x64', 'LIBTORCH_NOT_FOUND'],
  ])('without @cellroute/%s, the error says what to install', (name, code) => {
    const path = join(folder, 'esm');
    const own = join(path, 'node_modules', '@cellroute', name);
    renameSync(own, `${own}-hidden`);
    const { status, stderr } = run([node, 'main.mjs', image.small], path);
    renameSync(`${own}-hidden`, own);
    expect(status).not.toBe(0);
    expect(stderr).toContain(code);
    expect(stderr).toContain(`npm install @cellroute/${name}`);
  });

  // Node.js of other versions, Bun and Deno run what npm installed.
  test.each(['node22', 'node24', 'node26', 'bun', 'deno'])('%s runs the same binary', (name) => {
    const program = programs[name];
    if (!program) {
      console.log(`skipped: ${name} is not there for ${process.platform}-${process.arch}`);
      return;
    }
    const started = Date.now();
    const path = join(folder, 'esm');
    const command = name === 'deno' ? [...program, 'run', '--allow-all'] : program;
    expectCells([...command, 'main.mjs'], path, `${name}, main thread`, started);
    write(
      path,
      'worker.mjs',
      `import { Worker } from 'node:worker_threads';
const worker = new Worker(new URL('./thread.mjs', import.meta.url), { workerData: process.argv.at(-1) });
worker.on('message', (text) => { console.log(text); });
worker.on('error', (error) => { console.error(error); process.exitCode = 1; });
`,
    );
    write(
      path,
      'thread.mjs',
      `import { readFile } from 'node:fs/promises';
import { parentPort, workerData } from 'node:worker_threads';
import { RoutedEnsemble } from 'cellroute';
const ensemble = await RoutedEnsemble.load();
const result = await ensemble.segment(await readFile(workerData));
await ensemble.dispose();
parentPort.postMessage(JSON.stringify({ type: result.cellType, boxes: [...result.cells.boxes] }));
`,
    );
    expectCells([...command, 'worker.mjs'], path, `${name}, worker thread`, started);
  });
});

whenPublished('other package managers', () => {
  const node = process.execPath;

  withProgram('pnpm')('pnpm', () => {
    const started = Date.now();
    const path = application('pnpm');
    must([...programs.pnpm!, 'add', 'cellroute', '--registry', registry!], path);
    expectCells([node, write(path, 'main.mjs', esModule)], path, 'pnpm', started);
  });

  withProgram('yarn')('Yarn 1', () => {
    const started = Date.now();
    const path = application('yarn');
    must(
      [...programs.yarn!, 'add', 'cellroute', '--registry', registry!, '--network-timeout', '300000'],
      path,
    );
    expectCells([node, write(path, 'main.cjs', commonJs)], path, 'Yarn 1', started);
  });

  test.each(['node-modules', 'pnp'])('Yarn 4 with %s', (linker) => {
    const started = Date.now();
    const path = application(`yarn-${linker}`);
    write(path, '.yarnrc.yml', `nodeLinker: ${linker}\n`);
    write(path, 'yarn.lock', '');
    const yarn = programs['yarn-berry']!;
    must([...yarn, 'add', 'cellroute'], path);
    write(path, 'main.mjs', esModule);
    expectCells([...yarn, 'node', 'main.mjs'], path, `Yarn 4, ${linker}`, started);
  });
});
