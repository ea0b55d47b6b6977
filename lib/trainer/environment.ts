import { readFileSync } from 'node:fs';
import { arch, cpus, platform, totalmem } from 'node:os';
import { join } from 'node:path';
import { packageRoot } from '../native/find.js';
import { threadCount } from '../native/job.js';
import { loadNative } from '../native/load.js';

/** What a session of a run was made with; results repeat bit by bit only where all of it is the same. */
export interface Environment {
  cellroute: string;
  libtorch: string;
  /** What LibTorch's kernels use of the processor. */
  cpuCapability: string;
  processor: string;
  threads: number;
  node: string;
  system: string;
  memoryGiB: number;
}

export function environment(): Environment {
  const { version } = JSON.parse(readFileSync(join(packageRoot, 'package.json'), 'utf8')) as {
    version: string;
  };
  const { addon, libtorchVersion } = loadNative();
  return {
    cellroute: version,
    libtorch: libtorchVersion,
    cpuCapability: addon.info().cpuCapability,
    processor: cpus()[0]?.model ?? 'unknown',
    threads: threadCount(),
    node: process.version,
    system: `${platform()}-${arch()}`,
    memoryGiB: Math.round((totalmem() / 2 ** 30) * 10) / 10,
  };
}

/** What differs in a way that may change the numbers, in words. */
export function differences(then: Environment, now: Environment): string[] {
  const keys = ['cellroute', 'libtorch', 'cpuCapability', 'processor', 'threads'] as const;
  return keys.flatMap((key) =>
    then[key] === now[key] ? [] : [`${key} was ${then[key]} and is ${now[key]} now`],
  );
}
