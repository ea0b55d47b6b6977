import { existsSync, realpathSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { types } from 'node:util';
import { isMainThread } from 'node:worker_threads';
import { familySync, GLIBC, versionSync } from 'detect-libc';
import { checkOptions, checkString, maskError } from '../check.js';
import { CellrouteError } from '../errors.js';
import type { NativeAddon } from './contract.js';
import {
  addonPackage,
  CUDA_MAJOR,
  findAddon,
  findCudaAddon,
  findLibtorch,
  libtorchPackage,
  packageRoot,
  platformName,
  type SearchedLocation,
} from './find.js';
import { runtimeLibraries } from './libraries.js';
import platforms from './platforms.json';

const OPTIONAL_NOTE =
  'an optional dependency of cellroute: --omit=optional and settings of package managers leave it out, and a lockfile or node_modules folder of another platform lacks it';
const PLATFORMS = Object.keys(platforms);

interface Preload {
  /** Opens a library for the lifetime of the process. Returns its aoti_torch_abi_version(), if it has one. */
  open(path: string): bigint | undefined;
  builtForVersion: string;
  builtForAbi: bigint;
}

/** Options of {@link loadNative}. */
export interface LoadOptions {
  /** A LibTorch folder (which contains `lib`, or that `lib`), instead of CELLROUTE_LIBTORCH or the platform package. */
  libtorch?: string | undefined;
}

/** The loaded addon and LibTorch. */
export interface Loaded {
  addon: NativeAddon;
  addonPath: string;
  libtorchFolder: string;
  libtorchVersion: string;
  /** Whether the addon was built with CUDA. GPUs have not been searched yet. */
  cuda: boolean;
}

let loaded: Loaded | undefined;

/**
 * Loads the addon and LibTorch now, instead of at first use.
 *
 * @throws {CellrouteError} PLATFORM_UNSUPPORTED, ADDON_NOT_FOUND, LIBTORCH_NOT_FOUND or LIBTORCH_MISMATCH; the message
 *   lists the searched locations and what to do.
 */
export function loadNative(options: LoadOptions = {}): Loaded {
  checkOptions(options, ['libtorch']);
  if (options.libtorch !== undefined) checkString('libtorch', options.libtorch);
  if (loaded) {
    if (
      options.libtorch &&
      !isSameFolder(findLibtorch(options.libtorch, undefined).folder, loaded.libtorchFolder)
    ) {
      throw new CellrouteError(
        'LIBTORCH_MISMATCH',
        `LibTorch is already loaded from ${loaded.libtorchFolder}; a process can hold one, so ${options.libtorch} was not loaded. Call loadNative before anything else.`,
        { expected: loaded.libtorchFolder, got: options.libtorch, file: options.libtorch },
      );
    }
    return loaded;
  }
  checkPlatform();
  const { files: own, locations } = findAddon();
  const { folder, isSelected, locations: libtorchLocations } = findLibtorch(options.libtorch, own?.builtWith);
  const cuda = folder === undefined ? undefined : findCudaAddon(folder, isSelected).files;
  const files = cuda ?? own;
  if (!files) {
    throw helpPage('ADDON_NOT_FOUND', `cellroute has no addon for ${platformName()}.`, locations, [
      `npm install ${addonPackage()} (${OPTIONAL_NOTE})`,
      'in a checkout: npm run build',
    ]);
  }
  if (!folder) {
    throw helpPage('LIBTORCH_NOT_FOUND', 'cellroute found no LibTorch.', libtorchLocations, [
      `npm install ${libtorchPackage()} (${OPTIONAL_NOTE})`,
      'or set CELLROUTE_LIBTORCH to the folder of a LibTorch, for example the torch folder of a Python environment',
      'Electron: unpack both packages from the archive (asarUnpack: "**/node_modules/{cellroute,@cellroute}/**")',
    ]);
  }
  const preload = openAddon<Preload>(files.preload, folder);
  let abi: bigint | undefined;
  for (const name of runtimeLibraries(process.platform, cuda !== undefined)) {
    const path = join(folder, name);
    // A LibTorch from another source may use the system's OpenMP, but LibTorch itself must exist.
    if (!existsSync(path) && !/c10|torch/.test(name)) continue;
    try {
      abi = preload.open(path) ?? abi;
    } catch (error) {
      throw helpPage(
        'LIBTORCH_NOT_FOUND',
        `${path} could not be opened: ${(error as Error).message}`,
        libtorchLocations,
        [
          /lib(cuda|cudart|cupti|nv)/.test((error as Error).message)
            ? 'this LibTorch is a CUDA build, as the wheels for linux-arm64 on PyPI are from 2.11 on: use a CPU build (PyTorch has a separate index for those), or install the NVIDIA packages that it names'
            : `reinstall ${libtorchPackage()}; the file may be damaged or for another processor`,
        ],
      );
    }
  }
  if (abi !== preload.builtForAbi) {
    throw new CellrouteError(
      'LIBTORCH_MISMATCH',
      `The LibTorch in ${folder} is ${versionOf(abi)}, but this addon was built for ${preload.builtForVersion}. ` +
        (cuda
          ? `Install torch ${preload.builtForVersion} for CUDA ${CUDA_MAJOR}, or rebuild against yours (node scripts/cuda.mjs ${dirname(folder)}).`
          : `Install the same version (npm install ${libtorchPackage()}@${preload.builtForVersion}), or rebuild against yours (LIBTORCH=${folder} npm run build).`),
      { expected: preload.builtForVersion, got: versionOf(abi), file: folder },
    );
  }
  loaded = {
    addon: openAddon<NativeAddon>(files.addon, folder),
    addonPath: files.addon,
    libtorchFolder: folder,
    libtorchVersion: versionOf(abi),
    cuda: cuda !== undefined,
  };
  // process.exit() and uncaught exceptions do not run cleanup hooks of the main thread, and LibTorch's static objects would
  // be destroyed during a running job. Worker threads have their own hooks and share the engine.
  const { addon } = loaded;
  if (isMainThread) process.once('exit', () => addon.stopEngine());
  return loaded;
}

const isSameFolder = (one: string | undefined, other: string): boolean =>
  one !== undefined && realpathSync(one) === realpathSync(other);

/** Returns the addon, which is loaded at first use. */
export function native(): NativeAddon {
  return (loaded ?? loadNative()).addon;
}

/** Calls the addon and converts its exceptions to CellrouteErrors. */
export function call<T>(action: () => T): T {
  try {
    return action();
  } catch (error) {
    throw fromNative(error);
  }
}

/** As call, for asynchronous functions. A cancelled job keeps the code CANCELLED, which the caller replaces. */
export async function callAsync<T>(action: () => Promise<T>): Promise<T> {
  try {
    return await action();
  } catch (error) {
    throw fromNative(error);
  }
}

function fromNative(error: unknown): unknown {
  // Not instanceof Error: the addon's errors belong to the main realm, and the caller may be in another (Jest, a vm context).
  if (error instanceof CellrouteError || !types.isNativeError(error)) return error;
  const { code, position, mask } = error as Error & { code?: string; position?: number; mask?: number };
  const details = position === undefined ? {} : { position };
  // The addon's codes are those of INVALID_ARGUMENT's form, and CANCELLED, which the caller replaces.
  const named = (code ?? 'NATIVE_FAILURE') as 'INVALID_ARGUMENT';
  const converted = new CellrouteError(named, error.message, details, { cause: error });
  return mask === undefined ? converted : maskError(mask, converted);
}

function checkPlatform(): void {
  if (!PLATFORMS.includes(platformName())) {
    throw new CellrouteError(
      'PLATFORM_UNSUPPORTED',
      `cellroute runs on ${PLATFORMS.join(', ')}; this is ${platformName()}, for which there is no LibTorch build.`,
      { expected: PLATFORMS.join(', '), got: platformName() },
    );
  }
  if (process.platform !== 'linux') return;
  const family = familySync();
  if (family !== null && family !== GLIBC) {
    throw new CellrouteError(
      'PLATFORM_UNSUPPORTED',
      `cellroute needs glibc, because LibTorch does, but this system has ${family} (Alpine Linux?). Use an image based on Debian, Ubuntu or Red Hat.`,
      { expected: 'glibc', got: family },
    );
  }
  const version = versionSync();
  // That of LibTorch's wheels.
  const oldest = platforms[platformName() as 'linux-x64' | 'linux-arm64'].glibc;
  if (version && version.localeCompare(oldest, undefined, { numeric: true }) < 0) {
    throw new CellrouteError(
      'PLATFORM_UNSUPPORTED',
      `cellroute needs glibc ${oldest} or newer, because LibTorch does, but this system has ${version}.`,
      {
        expected: oldest,
        got: version,
      },
    );
  }
}

function openAddon<T>(path: string, libtorch: string): T {
  try {
    return require(path) as T;
  } catch (error) {
    // A LibTorch for another CUDA has another runtime library.
    if (/libcudart\.so/.test((error as Error).message)) {
      throw new CellrouteError(
        'LIBTORCH_MISMATCH',
        `The LibTorch in ${libtorch} is not for CUDA ${CUDA_MAJOR}, which ${path} needs: ${(error as Error).message}\nInstall the build of torch for CUDA ${CUDA_MAJOR} (its version ends in +cu${CUDA_MAJOR}0).`,
        { expected: `CUDA ${CUDA_MAJOR}`, got: 'another CUDA', file: libtorch },
        { cause: error },
      );
    }
    throw new CellrouteError(
      'ADDON_NOT_FOUND',
      `${path} exists but could not be loaded: ${(error as Error).message}\nLibTorch in use: ${libtorch}. \`npx cellroute doctor\` shows what was found.`,
      { file: path },
      { cause: error },
    );
  }
}

function helpPage(
  code: 'ADDON_NOT_FOUND' | 'LIBTORCH_NOT_FOUND',
  headline: string,
  locations: SearchedLocation[],
  cures: string[],
): CellrouteError {
  const looked = locations.map(
    ({ what, path, found, note }) =>
      `  - ${what}${path ? ` (${path})` : ''}: ${found ? 'found' : (note ?? 'not found')}`,
  );
  const lines = [
    headline,
    'Looked at:',
    ...looked,
    'What helps:',
    ...cures.map((cure) => `  - ${cure}`),
    `Package folder: ${packageRoot}`,
  ];
  return new CellrouteError(code, lines.join('\n'));
}

/** Converts the number of aoti_torch_abi_version() to text such as "2.13.0": one byte each for major, minor and patch, from the top. */
function versionOf(abi: bigint | undefined): string {
  if (abi === undefined) return 'of unknown version';
  return [56n, 48n, 40n].map((shift) => String((abi >> shift) & 0xffn)).join('.');
}
