// Lets writes of a training run fail in the middle of a file, as on a full disk, by limiting the size of files (ulimit -f).
// The limit applies only to the child process.
import { spawnSync } from 'node:child_process';
import { readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { check, folder, isTime, library, report } from './common.mjs';

const { openWeights } = library('./weights/open.js');
const program = new URL('training.mjs', import.meta.url).pathname;

const train = (run, blocks) =>
  spawnSync(
    'sh',
    [
      '-c',
      `trap '' XFSZ; ${blocks ? `ulimit -f ${blocks};` : ''} exec "$0" "$@"`,
      process.execPath,
      program,
      run,
    ],
    {
      encoding: 'utf8',
    },
  );

let rounds = 0;
let failed = 0;
do {
  const run = join(folder, `run-${rounds++}`);
  const first = train(run);
  check(first.status === 0, `training failed: ${first.stderr.slice(-500)}`);
  if (first.status !== 0) break;
  const last = join(run, 'checkpoints/last.safetensors');
  const blocks = Math.floor(statSync(last).size / 512 / (2 + (rounds % 3)));
  const second = join(folder, `full-${rounds}`);
  const limited = train(second, blocks);
  check(
    limited.status === 1 && /FILE_UNWRITABLE/.test(limited.stderr),
    `a full disk is not reported: ${limited.stderr.slice(-500)}`,
  );
  check(!/\.part$/m.test(readdirSync(join(second, 'checkpoints')).join('\n')), 'a partial file was left');
  failed++;
  // A run keeps its checkpoint if the disk becomes full later.
  const before = statSync(last).mtimeMs;
  train(run, blocks);
  await openWeights(last).catch((error) => check(false, `the checkpoint is damaged: ${error.message}`));
  check(statSync(last).mtimeMs === before, 'the checkpoint was replaced');
} while (isTime());
report({ rounds, 'failed writes': failed });
