import type { Command } from 'commander';
import { diagnose } from '../native/doctor.js';
import type { SearchedLocation } from '../native/find.js';

export function registerDoctor(program: Command): void {
  program
    .command('doctor')
    .description('Check the installation: show what was found, where, in which version, and any problem')
    .option('--libtorch <folder>', 'check this LibTorch folder instead of the installed one')
    .option('--json', 'print JSON')
    .action(async ({ libtorch, json }: { libtorch?: string; json?: boolean }) => {
      const diagnosis = await diagnose({ libtorch });
      if (json) {
        console.log(JSON.stringify(diagnosis, null, 2));
      } else {
        const line = (name: string, value: string) => console.log(`${name.padEnd(12)} ${value}`);
        line('cellroute', diagnosis.cellroute);
        line('Node.js', diagnosis.node);
        line('system', diagnosis.system);
        line('processor', `${diagnosis.processor}, ${diagnosis.threads} threads`);
        const { memoryGiB, memoryLimitGiB } = diagnosis;
        line(
          'memory',
          `${memoryGiB} GiB${memoryLimitGiB === undefined ? '' : `, limit ${memoryLimitGiB} GiB`}`,
        );
        const { waitPolicy, threads, spinCount } = diagnosis.openMp;
        const variables = {
          OMP_WAIT_POLICY: waitPolicy,
          OMP_NUM_THREADS: threads,
          GOMP_SPINCOUNT: spinCount,
        };
        const set = Object.entries(variables).filter(([, value]) => value !== undefined);
        line('OpenMP', set.map(([name, value]) => `${name}=${value}`).join(' ') || 'default');
        // A checkout has its own build, so that nothing is missing.
        const missing = diagnosis.problems.length === 0 ? 'not installed, not needed here' : 'not installed';
        for (const { name, version, expected, folder } of diagnosis.packages) {
          const asked = expected === undefined || expected === version ? '' : `, ${expected} expected`;
          line(name.replace('@cellroute/', ''), version ? `${version}${asked} in ${folder}` : missing);
        }
        line('addon', diagnosis.addon.path ?? 'not found');
        printLocations(diagnosis.addon.locations);
        const { folder, version } = diagnosis.libtorch;
        line('LibTorch', folder ? `${version ?? 'of unknown version'} in ${folder}` : 'not found');
        printLocations(diagnosis.libtorch.locations);
        line('CUDA', diagnosis.cuda.used ? 'in use' : 'not in use');
        printLocations(diagnosis.cuda.locations);
        for (const [i, gpu] of diagnosis.cuda.gpus.entries()) {
          line(
            `cuda:${i}`,
            `${gpu.name}, compute capability ${gpu.capability}, ${(gpu.bytes / 2 ** 30).toFixed(1)} GiB`,
          );
        }
        line('kernels', diagnosis.cpuCapability ?? 'unknown');
        line('devices', diagnosis.devices.join(', ') || 'none');
        console.log(diagnosis.problems.length === 0 ? '\nEverything works.' : '\nProblems:');
        for (const problem of diagnosis.problems) console.log(`- ${problem}`);
      }
      if (diagnosis.problems.length > 0) process.exitCode = 1;
    });
}

function printLocations(locations: readonly SearchedLocation[]): void {
  for (const { what, path, found, note } of locations) {
    console.log(
      `${' '.repeat(12)} - ${what}${path ? ` (${path})` : ''}: ${found ? 'found' : (note ?? 'not found')}`,
    );
  }
}
