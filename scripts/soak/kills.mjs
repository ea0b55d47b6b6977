import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { check, folder, generator, isTime, report } from './common.mjs';

const random = generator(5);
const program = new URL('training.mjs', import.meta.url).pathname;

/** Trains until the end, or kills the process shortly after a number of steps. Returns the exit status. */
function train(run, steps = Number.POSITIVE_INFINITY, delay = 0) {
  const child = spawn(process.execPath, [program, run], { stdio: ['ignore', 'pipe', 'pipe'] });
  let seen = 0;
  let stderr = '';
  child.stdout.on('data', (text) => {
    seen += String(text).split('\n').length - 1;
    if (seen >= steps) setTimeout(() => child.kill('SIGKILL'), delay);
  });
  child.stderr.on('data', (text) => (stderr += text));
  return new Promise((done) => child.on('close', (code, signal) => done({ code, signal, stderr })));
}

const digest = (run) =>
  createHash('sha256')
    .update(readFileSync(join(run, 'segmenter.safetensors')))
    .digest('hex');
const whole = join(folder, 'whole');
const { code, stderr } = await train(whole);
check(code === 0, `training failed: ${stderr}`);
let runs = 0;
let kills = 0;
let refusals = 0;
while (code === 0 && (isTime() || runs === 0)) {
  const run = join(folder, `run-${runs++}`);
  for (let attempt = 0; attempt < 30; attempt++) {
    const ended = await train(run, attempt < 4 ? 1 + Math.floor(random() * 3) : undefined, random() * 60);
    if (ended.signal === 'SIGKILL') {
      kills++;
      // The owner is dead, so the next attempt must get the folder at once.
      continue;
    }
    if (/RUN_LOCKED/.test(ended.stderr)) refusals++;
    check(ended.code === 0, `a resumed training failed: ${ended.stderr.slice(-500)}`);
    break;
  }
  const finished = existsSync(join(run, 'segmenter.safetensors'));
  check(finished, 'training did not finish');
  if (finished) check(digest(run) === digest(whole), 'the result of a killed training differs');
  if (finished) check(!existsSync(join(run, '.cellroute.lock')), 'a lock was left');
}
report({ runs, kills, 'refused after a kill': refusals });
