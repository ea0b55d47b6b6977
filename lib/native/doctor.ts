import { existsSync, readFileSync } from 'node:fs';
import { arch, availableParallelism, cpus, platform, release, totalmem } from 'node:os';
import { join } from 'node:path';
import { familySync, versionSync } from 'detect-libc';
import { checkOptions } from '../check.js';
import { CellrouteError } from '../errors.js';
import type { NativeGpu } from './contract.js';
import {
  findAddon,
  findCudaAddon,
  findLibtorch,
  findStarter,
  type InstalledPackage,
  installedPackages,
  packageRoot,
  type SearchedLocation,
  STARTER_PACKAGE,
} from './find.js';
import { runJob } from './job.js';
import { loadNative, native } from './load.js';
import { availableMemory } from './memory.js';

/** Result of {@link diagnose}. */
export interface Diagnosis {
  cellroute: string;
  node: string;
  system: string;
  processor: string;
  memoryGiB: number;
  /** Memory limit of the container, if it is below the machine's memory. */
  memoryLimitGiB: number | undefined;
  /** The packages of this platform and the starter ensemble; none is needed in a checkout. */
  packages: InstalledPackage[];
  /** Variables that set what OpenMP's threads do while they wait; undefined where they are not set. */
  openMp: { waitPolicy: string | undefined; threads: string | undefined; spinCount: string | undefined };
  addon: { path: string | undefined; locations: SearchedLocation[] };
  libtorch: { folder: string | undefined; version: string | undefined; locations: SearchedLocation[] };
  /** Why the addon with CUDA is or is not used, step by step; `problem` is the reason if no GPU can be used. */
  cuda: {
    used: boolean;
    locations: SearchedLocation[];
    gpus: readonly NativeGpu[];
    problem: string | undefined;
  };
  /** Devices on which a network can run. */
  devices: string[];
  threads: number;
  /** Instruction set of LibTorch's kernels. */
  cpuCapability: string | undefined;
  /** One text per problem, with the command that solves it; empty if everything works. */
  problems: string[];
}

/** Options of {@link diagnose}. */
export interface DiagnoseOptions {
  /** Folder of the LibTorch to check. Default: the one that cellroute would load. */
  libtorch?: string | undefined;
}

/** LibTorch's libraries, the starter ensemble and an image of a few megapixels. */
const SMALLEST_MEMORY = 2 ** 30;

const inGiB = (bytes: number) => Math.round((bytes / 2 ** 30) * 10) / 10;

/**
 * Checks the installation: loads the addon and LibTorch, and searches for GPUs. Problems are part of the result.
 *
 * @throws {CellrouteError} INVALID_ARGUMENT for options.
 */
export async function diagnose(options: DiagnoseOptions = {}): Promise<Diagnosis> {
  checkOptions(options, ['libtorch']);
  const { libtorch } = options;
  const { files, locations } = findAddon();
  const found = findLibtorch(libtorch, files?.builtWith);
  const { version } = JSON.parse(readFileSync(join(packageRoot, 'package.json'), 'utf8')) as {
    version: string;
  };
  const family = familySync();
  const available = availableMemory();
  const diagnosis: Diagnosis = {
    cellroute: version,
    node: `${process.version} (ABI ${process.versions.modules}, Node-API ${process.versions.napi})`,
    system: `${platform()}-${arch()} ${release()}${family ? `, ${family} ${versionSync() ?? ''}` : ''}`,
    processor: cpus()[0]?.model ?? 'unknown',
    memoryGiB: inGiB(totalmem()),
    memoryLimitGiB: available < totalmem() ? inGiB(available) : undefined,
    packages: installedPackages(),
    openMp: {
      waitPolicy: process.env.OMP_WAIT_POLICY,
      threads: process.env.OMP_NUM_THREADS,
      spinCount: process.env.GOMP_SPINCOUNT,
    },
    addon: { path: files?.addon, locations },
    libtorch: { folder: found.folder, version: undefined, locations: found.locations },
    cuda: {
      used: false,
      locations: found.folder === undefined ? [] : findCudaAddon(found.folder, found.isSelected).locations,
      gpus: [],
      problem: undefined,
    },
    devices: [],
    threads: availableParallelism(),
    cpuCapability: undefined,
    problems: [],
  };
  try {
    const loaded = loadNative({ libtorch });
    diagnosis.libtorch.version = loaded.libtorchVersion;
    diagnosis.libtorch.folder = loaded.libtorchFolder;
    diagnosis.cpuCapability = loaded.addon.info().cpuCapability;
    diagnosis.devices.push('cpu');
    diagnosis.addon.path = loaded.addonPath;
    diagnosis.cuda.used = loaded.cuda;
    // Only with the CUDA addon, because the query initialises the driver.
    if (loaded.cuda) await queryGpus(diagnosis);
  } catch (error) {
    diagnosis.problems.push(
      error instanceof CellrouteError ? `${error.code}: ${error.message}` : String(error),
    );
  }
  for (const { name, version: installed, expected } of diagnosis.packages) {
    // One of another version works where its interface is the same; nobody tests that.
    if (installed !== undefined && expected !== undefined && installed !== expected) {
      diagnosis.problems.push(
        `${name} is ${installed}, and cellroute ${version} needs ${expected}: npm install ${name}@${expected}`,
      );
    }
  }
  if (available < SMALLEST_MEMORY) {
    diagnosis.problems.push(
      `The process may use ${inGiB(available)} GiB; LibTorch and a network need ${inGiB(SMALLEST_MEMORY)} GiB. Raise the container's limit.`,
    );
  }
  if (!existsSync(join(findStarter(), 'ensemble.json'))) {
    diagnosis.problems.push(
      `The starter ensemble is not installed, so RoutedEnsemble.load() needs a folder: npm install ${STARTER_PACKAGE}@${version}`,
    );
  }
  return diagnosis;
}

async function queryGpus(diagnosis: Diagnosis): Promise<void> {
  const { list, problem } = await runJob({}, (call) => native().findGpus(call));
  diagnosis.cuda.gpus = list;
  if (problem) {
    diagnosis.cuda.problem = problem;
    diagnosis.problems.push(`No GPU can be used: ${problem}.`);
  }
  for (const [i, gpu] of list.entries()) {
    if (gpu.problem) diagnosis.problems.push(`cuda:${i} (${gpu.name}) cannot be used: ${gpu.problem}.`);
    else diagnosis.devices.push(`cuda:${i}`);
  }
}
