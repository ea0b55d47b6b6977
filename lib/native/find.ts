import { existsSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join, resolve } from 'node:path';
import { CUDA_LIBRARY, runtimeLibraries } from './libraries.js';

/** Root folder of the package: lib/native and dist/native are both two levels below it. */
export const packageRoot = resolve(__dirname, '../..');

/** A location where a file was searched. */
export interface SearchedLocation {
  /** Description of the searched file. */
  what: string;
  path: string;
  found: boolean;
  /** Reason why it was not used, if not obvious. */
  note?: string;
}

export interface AddonFiles {
  addon: string;
  preload: string;
  /** For a build of this checkout: the LibTorch with which it was linked. */
  builtWith?: string;
  /** Whether the addon was built with CUDA. */
  cuda?: boolean;
}

/** Name of the platform, such as `linux-x64`, in prebuilds folders and platform packages. */
export function platformName(platform: string = process.platform, arch: string = process.arch): string {
  return `${platform}-${arch}`;
}

/** The package with this platform's addon. */
export const addonPackage = () => `@cellroute/${platformName()}`;
/** The package with this platform's LibTorch. */
export const libtorchPackage = () => `@cellroute/libtorch-${platformName()}`;
/** The package with the starter ensemble. */
export const STARTER_PACKAGE = '@cellroute/starter';

/** Folder of the starter ensemble: the checkout's, or the one of its package. */
export function findStarter(): string {
  const own = join(packageRoot, 'models', 'starter');
  return existsSync(own) ? own : (packageFolder(STARTER_PACKAGE) ?? own);
}

/**
 * The addon: a checkout's own build, what was packed into prebuilds/, or the platform's package. CELLROUTE_BUILD names
 * another build folder.
 */
export function findAddon(): { files: AddonFiles | undefined; locations: SearchedLocation[] } {
  const build = resolve(process.env.CELLROUTE_BUILD ?? join(packageRoot, 'build'));
  const prebuilt = (folder: string): AddonFiles => ({
    addon: join(folder, 'cellroute.node'),
    preload: join(folder, 'cellroute_preload.node'),
  });
  const installed = packageFolder(addonPackage());
  const candidates: AddonFiles[] = [
    { addon: join(build, 'Release/cellroute.node'), preload: join(build, 'preload/cellroute_preload.node') },
    prebuilt(join(packageRoot, 'prebuilds', platformName())),
    ...(installed === undefined ? [] : [prebuilt(installed)]),
  ];
  const names = ['a build of this checkout', 'the packed prebuild', `the package ${addonPackage()}`];
  const record = join(build, 'libtorch.json');
  if (existsSync(record)) {
    candidates[0]!.builtWith = (JSON.parse(readFileSync(record, 'utf8')) as { folder: string }).folder;
  }
  const locations: SearchedLocation[] = candidates.map(({ addon, preload }, i) => ({
    what: names[i]!,
    path: addon,
    found: existsSync(addon) && existsSync(preload),
  }));
  if (installed === undefined)
    locations.push({ what: names[2]!, path: '', found: false, note: 'not installed' });
  return { files: candidates[locations.findIndex((location) => location.found)], locations };
}

/** Version of CUDA, which is part of its libraries' names. */
export const CUDA_MAJOR = 13;

/**
 * Finds the addon with CUDA, if the user has selected a LibTorch with CUDA and the addon exists. Otherwise the addon without
 * CUDA is used, even if a CUDA build of torch is installed.
 */
export function findCudaAddon(
  libtorch: string,
  isSelected: boolean,
): { files: AddonFiles | undefined; locations: SearchedLocation[] } {
  const folder = join(packageRoot, 'prebuilds', `${platformName()}-cuda${CUDA_MAJOR}`);
  const files = {
    addon: join(folder, 'cellroute.node'),
    preload: join(folder, 'cellroute_preload.node'),
    cuda: true,
  };
  const look = (what: string, path: string, found: boolean, note: string): SearchedLocation => ({
    what,
    path,
    found,
    ...(!found && { note }),
  });
  const library = join(libtorch, CUDA_LIBRARY);
  const locations = [
    look(
      'a LibTorch selected by the user',
      libtorch,
      isSelected,
      'not selected: set CELLROUTE_LIBTORCH or the libtorch option',
    ),
    look('its CUDA library', library, existsSync(library), 'not found: this LibTorch is for the CPU only'),
    look(
      'the addon with CUDA',
      files.addon,
      existsSync(files.addon) && existsSync(files.preload),
      `not found; in a checkout: node scripts/cuda.mjs ${dirname(libtorch)}`,
    ),
  ];
  return { files: locations.every(({ found }) => found) ? files : undefined, locations };
}

/** Finds LibTorch's `lib` folder: the caller's path, CELLROUTE_LIBTORCH, the build's own, or the platform package. */
export function findLibtorch(
  given: string | undefined,
  builtWith: string | undefined,
): { folder: string | undefined; isSelected: boolean; locations: SearchedLocation[] } {
  const locations: SearchedLocation[] = [];
  const look = (what: string, path: string | undefined, note: string): string | undefined => {
    if (!path) {
      locations.push({ what, path: '', found: false, note });
      return undefined;
    }
    const folder = libraryFolder(path);
    locations.push({
      what,
      path,
      found: folder !== undefined,
      ...(!folder && { note: missingLibraries(path) }),
    });
    return folder;
  };
  // A path selected by the user is used or refused, never ignored.
  if (given) return { folder: look('the libtorch option', given, ''), isSelected: true, locations };
  const environment = process.env.CELLROUTE_LIBTORCH;
  if (environment)
    return { folder: look('CELLROUTE_LIBTORCH', environment, ''), isSelected: true, locations };
  locations.push({ what: 'CELLROUTE_LIBTORCH', path: '', found: false, note: 'not set' });
  const folder =
    (builtWith ? look('the LibTorch of this build', builtWith, '') : undefined) ??
    look(`the package ${libtorchPackage()}`, packageFolder(libtorchPackage()), 'not installed');
  return { folder, isSelected: false, locations };
}

/** The installed state of a package that `cellroute` needs on this platform. */
export interface InstalledPackage {
  name: string;
  /** undefined where the package is not installed. */
  version: string | undefined;
  /** The version that this version of cellroute asks for; undefined in a checkout, which asks for none. */
  expected: string | undefined;
  folder: string | undefined;
}

/** The packages of this platform and the starter, installed or not. */
export function installedPackages(): InstalledPackage[] {
  const manifest = readManifest(packageRoot);
  const expected: Record<string, string> = { ...manifest.dependencies, ...manifest.optionalDependencies };
  return [addonPackage(), libtorchPackage(), STARTER_PACKAGE].map((name) => {
    const folder = packageFolder(name);
    return {
      name,
      version: folder === undefined ? undefined : readManifest(folder).version,
      expected: expected[name],
      folder,
    };
  });
}

function readManifest(folder: string) {
  return JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as {
    version: string;
    dependencies?: Record<string, string>;
    optionalDependencies?: Record<string, string>;
  };
}

function packageFolder(name: string): string | undefined {
  try {
    const path = dirname(createRequire(join(packageRoot, 'package.json')).resolve(`${name}/package.json`));
    // Electron: a library inside an archive cannot be opened, but its unpacked copy can.
    return path.replace(/app\.asar(?=[\\/])/, 'app.asar.unpacked');
  } catch {
    return undefined;
  }
}

/** Libraries that every LibTorch has. */
const essential = () => runtimeLibraries().filter((name) => /c10|torch/.test(name));

function libraryFolder(path: string): string | undefined {
  return [join(resolve(path), 'lib'), resolve(path)].find((folder) =>
    essential().every((name) => existsSync(join(folder, name))),
  );
}

function missingLibraries(path: string): string {
  if (!existsSync(path)) return 'the folder does not exist';
  const missing = essential().filter(
    (name) => !existsSync(join(path, 'lib', name)) && !existsSync(join(path, name)),
  );
  return `lacks ${missing.join(', ')}`;
}
