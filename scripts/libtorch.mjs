// Finds LibTorch for CMake, node-gyp, the tests and the packing scripts.
//   LIBTORCH (a folder) -> the torch of the active Python -> the pinned wheel, unpacked once into a user cache.
// As a program: prints the folder; with --json, the version and the source too.
import { execFileSync } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { homedir } from 'node:os';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { HOST, PLATFORMS } from './platforms.mjs';

/** The addon compiles against these and what is between them. */
export const OLDEST = '2.10';
export const NEWEST = '2.14';
// PyTorch's index of CPU builds, used only if the configured index has none.
const CPU_WHEEL_INDEX = 'https://download.pytorch.org/whl/cpu';

/** The version with which a platform's addon is built and tested. A platform without packages uses that of Linux. */
export const pinned = (platform = HOST) => wheelOf(platform).torch.split('+')[0];

const wheelOf = (platform) => PLATFORMS[platform] ?? PLATFORMS['linux-x64'];

export function cacheFolder() {
  if (process.env.CELLROUTE_CACHE) return resolve(process.env.CELLROUTE_CACHE);
  if (process.platform === 'win32' && process.env.LOCALAPPDATA)
    return join(process.env.LOCALAPPDATA, 'cellroute');
  return join(process.env.XDG_CACHE_HOME ?? join(homedir(), '.cache'), 'cellroute');
}

/** The libraries that a library of Linux needs, by name. None for other systems, and on a machine without binutils. */
export function neededLibraries(path) {
  try {
    const dynamic = execFileSync('readelf', ['-d', path], {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    return [...dynamic.matchAll(/\(NEEDED\).*\[(.+)\]/g)].map(([, name]) => name);
  } catch {
    return [];
  }
}

/**
 * The CUDA library that a LibTorch for Linux needs even on the CPU, such as `libcudart.so.13`; undefined for a CPU build. The
 * wheels for linux-arm64 on PyPI do not have it in their name or version, so only their libraries show it.
 */
export const neededCuda = (folder) =>
  neededLibraries(join(folder, 'lib', 'libtorch_cpu.so')).find((name) => name.startsWith('libcudart.so'));

/** Version of the LibTorch in a folder: {folder, version}; undefined if the folder has none. */
export function inspectLibtorch(folder) {
  const header = join(folder, 'include', 'torch', 'headeronly', 'version.h');
  if (!existsSync(join(folder, 'share', 'cmake', 'Torch', 'TorchConfig.cmake')) || !existsSync(header))
    return undefined;
  const version = /define TORCH_VERSION \\?\s*"([^"]+)"/.exec(readFileSync(header, 'utf8'))?.[1];
  return version ? { folder: resolve(folder), version } : undefined;
}

function inRange(version) {
  const key = (text) =>
    text
      .split('.')
      .slice(0, 2)
      .reduce((sum, part) => sum * 1000 + Number(part), 0);
  return key(version) >= key(OLDEST) && key(version) <= key(NEWEST);
}

export function python() {
  for (const name of process.platform === 'win32' ? ['py', 'python'] : ['python3', 'python']) {
    try {
      execFileSync(name, ['--version'], { stdio: 'ignore' });
      return name;
    } catch {
      // Try the next name.
    }
  }
  return undefined;
}

function fromPython(interpreter) {
  try {
    // find_spec does not import torch, so a broken installation cannot fail here.
    const code =
      'import importlib.util as u; s = u.find_spec("torch"); print(s.submodule_search_locations[0] if s else "")';
    const folder = execFileSync(interpreter, ['-c', code], { encoding: 'utf8' }).trim();
    return folder ? inspectLibtorch(folder) : undefined;
  } catch {
    return undefined;
  }
}

/** Folder of a platform's pinned wheel in the cache. */
const wheelFolder = (platform) =>
  join(cacheFolder(), `libtorch-${platform === HOST ? '' : `${platform}-`}${pinned(platform)}`);

/** Downloads a platform's pinned CPU wheel into the cache; never the CUDA build, which has gigabytes. */
function fetchWheel(interpreter, log, platform) {
  const cache = cacheFolder();
  const target = wheelFolder(platform);
  mkdirSync(cache, { recursive: true });
  const work = mkdtempSync(join(cache, 'unpack-'));
  try {
    const { torch, wheel: tag } = wheelOf(platform);
    const wanted = [
      `torch==${torch}`,
      ...(platform === HOST ? [] : ['--platform', tag, '--only-binary=:all:']),
    ];
    const attempts = [wanted, [...wanted, '--index-url', CPU_WHEEL_INDEX]];
    const failures = [];
    for (const attempt of attempts) {
      log(`cellroute: fetching ${attempt.join(' ')} (about 190 MB, once)`);
      try {
        execFileSync(
          interpreter,
          ['-m', 'pip', 'download', '--quiet', '--no-deps', '--dest', work, ...attempt],
          { stdio: ['ignore', 'ignore', 'pipe'] },
        );
        break;
      } catch (error) {
        failures.push(
          String(error.stderr ?? error)
            .trim()
            .split('\n')
            .at(-1),
        );
      }
    }
    const wheel = readdirSync(work).find((name) => name.endsWith('.whl'));
    if (!wheel) throw new Error(failures.join('\n'));
    log(`cellroute: unpacking ${wheel}`);
    const unpack =
      'import sys, zipfile\n' +
      'keep = ("torch/lib/", "torch/include/", "torch/share/")\n' +
      'z = zipfile.ZipFile(sys.argv[1])\n' +
      'z.extractall(sys.argv[2], [n for n in z.namelist() if n.startswith(keep) and "libtorch_python." not in n or ".dist-info/" in n])\n';
    execFileSync(interpreter, ['-c', unpack, join(work, wheel), join(work, 'wheel')]);
    rmSync(join(work, wheel));
    const cuda = neededCuda(join(work, 'wheel', 'torch'));
    if (cuda) throw new Error(`${wheel} is a CUDA build, which needs ${cuda}`);
    try {
      renameSync(join(work, 'wheel'), target);
    } catch (error) {
      if (!existsSync(target)) throw error; // Another process was faster; its copy is used.
    }
    return inspectLibtorch(join(target, 'torch'));
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

/** LibTorch of this machine: LIBTORCH, or the torch of the active Python. */
function findInstalled(interpreter, tried) {
  if (process.env.LIBTORCH) {
    const found = inspectLibtorch(process.env.LIBTORCH);
    if (!found)
      throw new Error(
        `LIBTORCH is set to ${process.env.LIBTORCH}, which is not a LibTorch folder (no share/cmake/Torch/TorchConfig.cmake in it).`,
      );
    return { ...found, source: 'LIBTORCH', tried };
  }
  tried.push('LIBTORCH: not set');
  if (!interpreter) {
    tried.push('python3: not found');
    return undefined;
  }
  const found = fromPython(interpreter);
  const cuda = found && neededCuda(found.folder);
  if (found && !cuda && inRange(found.version))
    return { ...found, source: `the torch of ${interpreter}`, tried };
  const why = () => {
    if (!found) return 'none installed';
    if (cuda) return `${found.version} is a CUDA build, which needs ${cuda}`;
    return `${found.version} is outside ${OLDEST} to ${NEWEST}`;
  };
  tried.push(`torch of ${interpreter}: ${why()}`);
  return undefined;
}

/** The pinned wheel of a platform, from the cache or fetched; undefined with the reasons in `tried`. */
function findWheel(platform, { fetch, log, interpreter, tried }) {
  const cached = inspectLibtorch(join(wheelFolder(platform), 'torch'));
  if (cached) return { ...cached, source: 'the cache', tried };
  tried.push(`cache ${cacheFolder()}: empty`);
  if (!fetch || !interpreter) return undefined;
  try {
    const fetched = fetchWheel(interpreter, log, platform);
    if (fetched) return { ...fetched, source: 'the wheel, just fetched', tried };
  } catch (error) {
    tried.push(`pip download: ${error.message}`);
  }
  return undefined;
}

/** The LibTorch of another platform, for builds that this machine makes for it: {folder, version, source, tried}. */
export function findLibtorchOf(platform, { log = (line) => console.error(line) } = {}) {
  const tried = [];
  const found = findWheel(platform, { fetch: true, log, interpreter: python(), tried });
  if (found) return found;
  throw new Error(`No LibTorch for ${platform} was found.\n${tried.map((line) => `  - ${line}`).join('\n')}`);
}

/** Returns {folder, version, source, tried}; throws with instructions if there is no LibTorch. */
export function findLibtorch({ fetch = true, log = (line) => console.error(line) } = {}) {
  const tried = [];
  const interpreter = python();
  const installed = findInstalled(interpreter, tried);
  if (installed) return installed;
  const found = findWheel(HOST, { fetch, log, interpreter, tried });
  if (found) return found;
  throw new Error(
    `No LibTorch was found.\n${tried.map((line) => `  - ${line}`).join('\n')}\nDo one of these:\n` +
      `  pip install "torch==${pinned()}" (a CPU build), then run this again\n` +
      `  export LIBTORCH=/path/to/libtorch (a folder with lib, include and share)\n` +
      `  install Python 3 with pip, so that the pinned wheel can be fetched`,
  );
}

/**
 * Writes which LibTorch the addons in a folder were built with: a checkout uses it, while an installed package uses its platform
 * package.
 */
export function recordLibtorch(build, { folder }) {
  mkdirSync(build, { recursive: true });
  writeFileSync(join(build, 'libtorch.json'), `${JSON.stringify({ folder })}\n`);
}

if (process.argv[1] && resolve(process.argv[1]) === fileURLToPath(import.meta.url)) {
  try {
    const { values } = parseArgs({
      options: {
        'no-fetch': { type: 'boolean' },
        json: { type: 'boolean' },
      },
    });
    const found = findLibtorch({ fetch: !values['no-fetch'] });
    console.log(values.json ? JSON.stringify(found, null, 2) : found.folder);
  } catch (error) {
    console.error(error.message);
    process.exitCode = 1;
  }
}
