import { arch, cpus, platform, totalmem } from 'node:os';
import { threadCount } from '../native/job.js';
import { loadNative } from '../native/load.js';
import { packageVersion } from '../package-version.js';

/** Software and hardware of a run. Results are bit-identical only if all of it is the same. */
export interface Environment {
  cellroute: string;
  libtorch: string;
  /** Instruction set used by LibTorch's kernels. */
  cpuCapability: string;
  processor: string;
  threads: number;
  node: string;
  system: string;
  memoryGiB: number;
}

export function environment(): Environment {
  const { addon, libtorchVersion } = loadNative();
  return {
    cellroute: packageVersion(),
    libtorch: libtorchVersion,
    cpuCapability: addon.info().cpuCapability,
    processor: cpus()[0]?.model ?? 'unknown',
    threads: threadCount(),
    node: process.version,
    system: `${platform()}-${arch()}`,
    memoryGiB: Math.round((totalmem() / 2 ** 30) * 10) / 10,
  };
}

/** Describes the differences that may change results. */
export function differences(then: Environment, now: Environment): string[] {
  const keys = ['cellroute', 'libtorch', 'cpuCapability', 'processor', 'threads'] as const;
  return keys.flatMap((key) => (then[key] === now[key] ? [] : [`${key} was ${then[key]}, now ${now[key]}`]));
}
