// Builds the addon with CUDA: node scripts/cuda.mjs [torch folder] [--tests] [--if-there]
// The torch folder belongs to a CUDA build of torch (`pip install torch`, then the folder of the package). It is the
// argument, CELLROUTE_CUDA_LIBTORCH, or that of the active Python. nvcc is searched on the PATH and in /usr/local/cuda.
//   --tests     also builds the C++ tests, which detect a GPU themselves
//   --if-there  if nvcc or a CUDA LibTorch is missing, prints this and succeeds
// The result is prebuilds/<platform>-cuda13/. The CPU build is not changed.
import { existsSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { compile, compilerCache, configureOnce, configureQuietly, ninja } from './compile.mjs';
import { inspectLibtorch, python } from './libtorch.mjs';
import { HOST } from './platforms.mjs';
import { copyPrebuild } from './prebuild.mjs';
import { root, run } from './run.mjs';

const CUDA_MAJOR = 13;
const args = process.argv.slice(2);
const options = new Set(args.filter((arg) => arg.startsWith('--')));
const given = args.find((arg) => !arg.startsWith('--'));

function findNvcc() {
  const candidates = [process.env.CUDACXX, 'nvcc', '/usr/local/cuda/bin/nvcc'].filter(Boolean);
  for (const nvcc of candidates) {
    const { status, output, error } = run(nvcc, ['--version'], { capture: true });
    const release = /release (\d+)\.(\d+)/.exec(output);
    if (error || status !== 0 || !release) continue;
    if (Number(release[1]) === CUDA_MAJOR) return { nvcc };
    return { why: `${nvcc} belongs to CUDA ${release[1]}.${release[2]}, but CUDA ${CUDA_MAJOR} is needed` };
  }
  return {
    why: `nvcc was not found (tried ${candidates.join(', ')}). docs/cuda.md has a command that installs it from packages`,
  };
}

function pythonsTorch() {
  const interpreter = python();
  if (!interpreter) return undefined;
  const code =
    'import importlib.util as u; s = u.find_spec("torch"); print(s.submodule_search_locations[0] if s else "")';
  const { status, stdout } = run(interpreter, ['-c', code], { capture: true });
  return status === 0 ? stdout.trim() || undefined : undefined;
}

function findCudaLibtorch() {
  const asked = given ?? process.env.CELLROUTE_CUDA_LIBTORCH;
  const folder = asked ?? pythonsTorch();
  if (!folder) {
    return {
      why: 'no CUDA LibTorch was found: pass the torch folder, set CELLROUTE_CUDA_LIBTORCH, or `pip install torch` (a build for CUDA 13)',
    };
  }
  const libtorch = inspectLibtorch(resolve(folder));
  if (!libtorch) return { why: `${folder} is not a LibTorch folder` };
  if (!existsSync(join(libtorch.folder, 'lib', 'libtorch_cuda.so'))) {
    return { why: `the LibTorch in ${folder} (${libtorch.version}) is for the CPU only` };
  }
  return { libtorch };
}

async function build(nvcc, libtorch) {
  console.log(
    `cellroute: building the addon with CUDA, with ${nvcc}, for LibTorch ${libtorch.version} (${libtorch.folder})`,
  );
  const folder = join(root, 'out', 'cuda');
  const definitions = {
    CELLROUTE_CUDA: 'ON',
    CELLROUTE_LIBTORCH: libtorch.folder,
    CELLROUTE_OUTPUT: join(folder, 'build'),
    CELLROUTE_BUILD_TESTS: options.has('--tests') ? 'ON' : 'OFF',
    CELLROUTE_CUDA_ARCHITECTURES: process.env.CELLROUTE_CUDA_ARCHITECTURES ?? '90',
    CMAKE_BUILD_TYPE: 'Release',
    CMAKE_CUDA_COMPILER: nvcc,
    ...compilerCache(),
  };
  const generator = ninja();
  const flags = Object.entries(definitions).map(([name, value]) => `-D${name}=${value}`);
  configureOnce(folder, { generator: generator ?? 'default', definitions }, () =>
    configureQuietly('cmake', ['-S', root, '-B', folder, ...(generator ? ['-G', generator] : []), ...flags]),
  );
  await compile(folder);
  const target = copyPrebuild({ build: join(folder, 'build'), name: `${HOST}-cuda${CUDA_MAJOR}` });
  console.log(`cellroute: the addon with CUDA is built and linked: ${target}`);
}

const { nvcc, why: noNvcc } = findNvcc();
const { libtorch, why: noLibtorch } = findCudaLibtorch();
const missing = [noNvcc, noLibtorch].filter(Boolean);
if (missing.length === 0) {
  await build(nvcc, libtorch);
} else {
  console.log('cellroute: the addon with CUDA was NOT built:');
  for (const why of missing) console.log(`  - ${why}`);
  if (!options.has('--if-there')) process.exitCode = 1;
}
