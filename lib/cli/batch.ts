import { readFile } from 'node:fs/promises';
import { SingleBar } from 'cli-progress';
import { CellrouteError } from '../errors.js';
import type { PictureFile } from './pictures.js';

export interface Failure {
  picture: PictureFile;
  reason: string;
}

export interface BatchResult<T> {
  /** In the order of the pictures, without those that failed or were not reached. */
  done: { picture: PictureFile; result: T }[];
  failures: Failure[];
  /** Whether Ctrl-C ended it early. */
  stopped: boolean;
}

/** Pictures in flight: while one is computed, the next is read and decoded. */
const IN_FLIGHT = 2;

/**
 * Works through pictures with a progress bar. A picture that fails stops no other; Ctrl-C stops after what is
 * running was cancelled, and what is finished stays. A second Ctrl-C ends the process at once.
 */
export async function eachPicture<T>(
  pictures: readonly PictureFile[],
  work: (bytes: Buffer, picture: PictureFile, signal: AbortSignal) => Promise<T>,
): Promise<BatchResult<T>> {
  const stop = new AbortController();
  const onInterrupt = () => stop.abort();
  process.once('SIGINT', onInterrupt);
  const bar = new SingleBar({
    format: '{bar} {value}/{total} {picture} | {eta_formatted} left',
    hideCursor: true,
    stream: process.stderr,
    noTTYOutput: false,
  });
  bar.start(pictures.length, 0, { picture: '' });
  const results = new Array<T | undefined>(pictures.length);
  const failures: Failure[] = [];
  let next = 0;
  const worker = async () => {
    while (next < pictures.length && !stop.signal.aborted) {
      const index = next++;
      const picture = pictures[index]!;
      try {
        const bytes = await readFile(picture.path, { signal: stop.signal });
        results[index] = await work(bytes, picture, stop.signal);
      } catch (error) {
        if (stop.signal.aborted) return;
        failures.push({ picture, reason: reasonOf(error) });
      }
      bar.increment(1, { picture: picture.fileName });
    }
  };
  try {
    await Promise.all(Array.from({ length: IN_FLIGHT }, worker));
  } finally {
    bar.stop();
    process.off('SIGINT', onInterrupt);
  }
  const done = pictures.flatMap((picture, i) =>
    results[i] === undefined ? [] : [{ picture, result: results[i] }],
  );
  return { done, failures, stopped: stop.signal.aborted };
}

/** Tells what failed and why, and sets the exit status: 1 after failures, 130 after Ctrl-C. */
export function reportBatch({ done, failures, stopped }: BatchResult<unknown>, total: number): void {
  if (failures.length > 0) {
    console.error(`${failures.length} of ${total} pictures failed:`);
    for (const { picture, reason } of failures) console.error(`- ${picture.path}: ${reason}`);
    process.exitCode = 1;
  }
  if (stopped) {
    console.error(`Stopped: ${done.length} of ${total} pictures are done, their results are kept.`);
    process.exitCode = 130;
  }
}

function reasonOf(error: unknown): string {
  if (error instanceof CellrouteError) return `${error.message} [${error.code}]`;
  return error instanceof Error ? error.message : String(error);
}
