import { setTimeout as delay } from 'node:timers/promises';
import type { Command } from 'commander';
import { answerProbes, type WorkerState } from '../queue/health.js';
import type { JobQueue } from '../queue/types.js';
import { createWorker, type WorkEvent } from '../queue/worker.js';
import { reasonOf } from './batch.js';
import { modelOption, numberIn, type PrecisionFlag, withPrecision } from './options.js';
import { type QueueFlags, queueOf, type S3Flags, s3OptionsOf, withQueue, withS3 } from './queue-options.js';
import { StopSignals } from './stop-signals.js';

interface Flags extends PrecisionFlag, QueueFlags, S3Flags {
  model?: string | undefined;
  results: string;
  images?: string | undefined;
  concurrency: number;
  lock: number;
  drain: number;
  untilEmpty?: boolean | undefined;
  probes?: number | undefined;
  probeHost: string;
}

/** Milliseconds between two checks whether the queue is empty. */
const EMPTY_MS = 200;

/** Adds `cellroute worker`. */
export function registerWorker(program: Command): void {
  const command = program
    .command('worker')
    .description('Segment the images of a job queue')
    .requiredOption(
      '-r, --results <folder>',
      'folder for the files of results, created if missing; or s3://bucket/prefix',
    )
    .addOption(modelOption())
    .option('--images <folder>', 'folder of the images that jobs refer to by key; or s3://bucket/prefix')
    .option('--concurrency <number>', 'jobs at once', numberIn(1, 64, { integer: true }), 2)
    .option(
      '--lock <seconds>',
      'time until a job of a worker that ended is given to another one',
      numberIn(1, 3600),
      30,
    )
    .option(
      '--drain <seconds>',
      'time for running jobs after SIGTERM or SIGINT; then they wait again',
      numberIn(0, 3600),
      30,
    )
    .option('--until-empty', 'end when no job waits or runs')
    .option(
      '--probes <port>',
      'answer /livez and /readyz on this port; 0 takes a free one',
      numberIn(0, 65_535, { integer: true }),
    )
    .option('--probe-host <address>', 'address to answer them on', '127.0.0.1');
  withPrecision(withS3(withQueue(command)))
    .addHelpText(
      'after',
      `
Example:
  cellroute submit images --journal jobs
  cellroute worker --journal jobs --results results --until-empty`,
    )
    .action(work);
}

async function work(flags: Flags): Promise<void> {
  const { model, results, images, concurrency, lock, drain, precision, device } = flags;
  const signals = new StopSignals();
  let state: WorkerState = 'starting';
  const probes =
    flags.probes === undefined ? undefined : await answerProbes(flags.probes, flags.probeHost, () => state);
  const address = probes?.address();
  if (typeof address === 'object' && address) console.log(`Probes on port ${address.port}`);
  try {
    await using queue = await queueOf(flags);
    await using worker = await createWorker(queue, {
      results,
      precision,
      device,
      s3: s3OptionsOf(flags),
      concurrency,
      lockSeconds: lock,
      drainSeconds: drain,
      signal: signals.signal,
      onWork: printWork,
      onError: (error) => console.error(reasonOf(error)),
      ...(model !== undefined && { model }),
      ...(images !== undefined && { images }),
    });
    state = 'ready';
    console.log('Ready');
    if (flags.untilEmpty) {
      const { waiting, running } = await queue.counts();
      if (waiting + running === 0) console.log('No job waits');
      await untilEmpty(queue, signals.signal);
    } else await stopped(signals.signal);
    state = 'draining';
    if (signals.received) console.log('Stopping: running jobs are finished');
    await worker.close();
  } catch (error) {
    // A signal while the model is loaded.
    if (!signals.caused(error)) throw error;
  } finally {
    signals.close();
    probes?.close();
    probes?.closeAllConnections();
  }
}

function printWork({ name, step, row, seconds, result, error }: WorkEvent): void {
  const what = step === 'row' ? `${name}, row ${row}` : name;
  const time = `${seconds.toFixed(2)} s`;
  if (error !== undefined) console.error(`${what}: ${reasonOf(error)}`);
  else if (result) {
    const { cellType, cells, created } = result;
    console.log(`${what}: ${cellType}, ${cells} cells, ${time}${created ? '' : ' (the result was there)'}`);
  } else console.log(`${what}: ${step === 'plan' ? 'planned' : 'segmented'}, ${time}`);
}

async function stopped(signal: AbortSignal): Promise<void> {
  // A listener for signals alone does not keep the process from ending.
  while (!signal.aborted) await delay(2 ** 30, undefined, { signal }).catch(() => {});
}

async function untilEmpty(queue: JobQueue, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    const { waiting, running } = await queue.counts();
    if (waiting + running === 0) return;
    await delay(EMPTY_MS, undefined, { signal }).catch(() => {});
  }
}
