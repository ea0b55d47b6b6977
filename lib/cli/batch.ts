import { readFile } from 'node:fs/promises';
import { SingleBar } from 'cli-progress';
import { CellrouteError } from '../errors.js';
import type { ImageFile } from './images.js';

export interface Failure {
  image: ImageFile;
  reason: string;
}

export interface BatchResult<T> {
  /** In the order of the images, without those that failed or were not reached. */
  done: { image: ImageFile; result: T }[];
  failures: Failure[];
  /** Whether Ctrl-C ended it early. */
  stopped: boolean;
}

/** Images processed concurrently: one is decoded while the previous one is segmented. */
const IN_FLIGHT = 2;

/**
 * Processes images with a progress bar. An image that fails does not stop the others. Ctrl-C cancels the images in
 * progress and keeps finished results. A second Ctrl-C ends the process at once.
 */
export async function eachImage<T>(
  images: readonly ImageFile[],
  work: (bytes: Buffer, image: ImageFile, signal: AbortSignal) => Promise<T>,
): Promise<BatchResult<T>> {
  const stop = new AbortController();
  const onInterrupt = () => stop.abort();
  process.once('SIGINT', onInterrupt);
  const bar = new SingleBar({
    format: '{bar} {value}/{total} {image} | {eta_formatted} left',
    hideCursor: true,
    stream: process.stderr,
    noTTYOutput: false,
  });
  bar.start(images.length, 0, { image: '' });
  const results = new Array<T | undefined>(images.length);
  const failures: Failure[] = [];
  let next = 0;
  const worker = async () => {
    while (next < images.length && !stop.signal.aborted) {
      const index = next++;
      const image = images[index]!;
      try {
        const bytes = await readFile(image.path, { signal: stop.signal });
        results[index] = await work(bytes, image, stop.signal);
      } catch (error) {
        if (stop.signal.aborted) return;
        // Where one result cannot be written, the others cannot either.
        if (error instanceof CellrouteError && error.code === 'FILE_UNWRITABLE') {
          stop.abort();
          throw error;
        }
        failures.push({ image, reason: reasonOf(error) });
      }
      bar.increment(1, { image: image.fileName });
    }
  };
  try {
    const workers = await Promise.allSettled(Array.from({ length: IN_FLIGHT }, worker));
    for (const one of workers) if (one.status === 'rejected') throw one.reason;
  } finally {
    bar.stop();
    process.off('SIGINT', onInterrupt);
  }
  const done = images.flatMap((image, i) =>
    results[i] === undefined ? [] : [{ image, result: results[i] }],
  );
  return { done, failures, stopped: stop.signal.aborted };
}

/** Prints the failed images with their reasons and sets the exit status: 1 after failures, 130 after Ctrl-C. */
export function reportBatch({ done, failures, stopped }: BatchResult<unknown>, total: number): void {
  if (failures.length > 0) {
    console.error(`${failures.length} of ${total} images failed:`);
    for (const { image, reason } of failures) console.error(`- ${image.path}: ${reason}`);
    process.exitCode = 1;
  }
  if (stopped) {
    console.error(`Stopped: ${done.length} of ${total} images are finished. Their results are kept.`);
    process.exitCode = 130;
  }
}

function reasonOf(error: unknown): string {
  if (error instanceof CellrouteError) return `${error.message} [${error.code}]`;
  return error instanceof Error ? error.message : String(error);
}
