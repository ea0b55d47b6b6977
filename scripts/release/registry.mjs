// Publishes every package to a registry on this machine and installs them from there, as users do.
//   node scripts/release/registry.mjs [--compare]     test/registry, with a table of what ran and how long it took
//   --compare     also installs onnxruntime-node and sharp in the same way, for the table in docs/installation.md
import { spawn } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { freePort } from '../free-port.mjs';
import { runJest } from '../jest.mjs';
import { HOST } from '../platforms.mjs';
import { finish } from '../report.mjs';
import { must, root, run } from '../run.mjs';
import { constraints, optionalDependencies, packAll } from './packages.mjs';
import { installTools, tools } from './tools.mjs';

const SECONDS_TO_START = 60;

/** A registry that has our packages, and everything else from the registry that npm is configured with. */
async function startRegistry(folder) {
  const port = await freePort();
  const url = `http://127.0.0.1:${port}/`;
  const upstream = run('npm', ['config', 'get', 'registry'], { capture: true }).stdout.trim();
  const open = { access: '$all', publish: '$all', unpublish: '$all' };
  const config = {
    storage: join(folder, 'storage'),
    uplinks: { upstream: { url: upstream, cache: true, maxage: '60m' } },
    packages: { 'cellroute*': open, '@cellroute/*': open, '**': { access: '$all', proxy: 'upstream' } },
    max_body_size: '400mb',
    log: { type: 'file', path: join(folder, 'registry.log'), level: 'warn' },
  };
  // YAML reads JSON.
  writeFileSync(join(folder, 'config.yaml'), JSON.stringify(config));
  const [program, ...args] = tools().verdaccio;
  const child = spawn(
    program,
    [...args, '--config', join(folder, 'config.yaml'), '--listen', `127.0.0.1:${port}`],
    {
      cwd: folder,
      stdio: 'ignore',
    },
  );
  // It ends with this process, also where that ends early.
  child.unref();
  process.on('exit', () => child.kill());
  for (let tried = 0; ; tried++) {
    const answer = await fetch(`${url}-/ping`).catch(() => undefined);
    if (answer?.ok) return url;
    if (child.exitCode !== null || tried > SECONDS_TO_START * 5)
      throw new Error('The registry did not start.');
    await wait(200);
  }
}

/** Seconds and bytes of an installation into an empty folder with an empty cache. */
function measureInstallation(name, url, scratch) {
  const app = mkdtempSync(join(scratch, 'app-'));
  writeFileSync(join(app, 'package.json'), JSON.stringify({ name: 'app', version: '1.0.0', private: true }));
  // Scripts would download more from elsewhere.
  const args = ['install', name, '--registry', url, '--cache', join(app, 'cache'), '--ignore-scripts'];
  const started = Date.now();
  must('npm', [...args, '--no-audit', '--no-fund', '--loglevel', 'error'], { cwd: app, stdout: 'pipe' });
  const seconds = (Date.now() - started) / 1000;
  const bytes = readdirSync(join(app, 'node_modules'), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .reduce((sum, entry) => sum + statSync(join(entry.parentPath ?? entry.path, entry.name)).size, 0);
  rmSync(app, { recursive: true, force: true });
  return { seconds, bytes };
}

const compare = process.argv.includes('--compare');
const jestArguments = process.argv.slice(2).filter((argument) => argument !== '--compare');
const folder = mkdtempSync(join(tmpdir(), 'cellroute-registry-'));
try {
  must('node', ['scripts/prepack.mjs']);
  installTools();
  const packages = packAll(join(folder, 'packages'));
  const url = await startRegistry(folder);
  // npm publishes only with a token, which this registry does not check.
  const npmrc = join(folder, 'npmrc');
  writeFileSync(npmrc, `registry=${url}\n${url.slice(5)}:_authToken=none\n`);
  for (const { tarball } of packages) {
    must('npm', ['publish', tarball, '--userconfig', npmrc, '--loglevel', 'error'], { cwd: folder });
  }
  // A release has the packages of every platform, and Yarn 1 asks for all of them. Those of others are empty here.
  for (const [name, version] of Object.entries(optionalDependencies)) {
    if (name.endsWith(HOST)) continue;
    const empty = mkdtempSync(join(folder, 'empty-'));
    writeFileSync(
      join(empty, 'package.json'),
      JSON.stringify({ name, version, ...constraints(name.replace(/^@cellroute\/(libtorch-)?/, '')) }),
    );
    must('npm', ['publish', empty, '--userconfig', npmrc, '--loglevel', 'error'], { cwd: folder });
  }
  mkdirSync(join(root, 'out'), { recursive: true });
  const record = join(root, 'out', 'registry.jsonl');
  rmSync(record, { force: true });
  const { counts } = runJest(['test/registry', '--runInBand', ...jestArguments], {
    env: {
      CELLROUTE_REGISTRY: url,
      CELLROUTE_PROGRAMS: JSON.stringify(tools()),
      CELLROUTE_RECORD: record,
    },
  });
  const mb = (bytes) => `${(bytes / 1e6).toFixed(1)} MB`;
  console.log('\npackage, packed and installed size');
  for (const { name, size, unpackedSize } of packages) {
    console.log(`  ${name.padEnd(34)} ${mb(size).padStart(9)} ${mb(unpackedSize).padStart(9)}`);
  }
  console.log('\nwhat ran, from the installation to the first cells');
  const rows = existsSync(record)
    ? readFileSync(record, 'utf8')
        .trim()
        .split('\n')
        .map((line) => JSON.parse(line))
    : [];
  for (const { what, seconds, cells } of rows) {
    console.log(`  ${what.padEnd(60)} ${seconds.toFixed(1).padStart(6)} s  ${cells} cells`);
  }
  if (compare) {
    console.log('\nnpm install into an empty folder with an empty cache; the registry has the packages');
    for (const name of ['cellroute', 'onnxruntime-node', 'sharp']) {
      // The first installation fills the registry, which keeps what it fetches.
      measureInstallation(name, url, folder);
      const { seconds, bytes } = measureInstallation(name, url, folder);
      console.log(
        `  ${name.padEnd(20)} ${seconds.toFixed(1).padStart(6)} s ${mb(bytes).padStart(10)} installed`,
      );
    }
  }
  finish(counts);
} finally {
  rmSync(folder, { recursive: true, force: true });
}
