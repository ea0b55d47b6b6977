import { SingleBar } from 'cli-progress';
import { CellrouteError } from '../errors.js';
import { readImageFile } from '../image/companions.js';
import { defaultConcurrency } from '../inference/segment-all.js';
import { processAll } from '../pool.js';
import type { ImageFile } from './images.js';

export interface Failure {
  image: ImageFile;
  reason: string;
}

export interface BatchResult<T, I extends ImageFile = ImageFile> {
  /** Results in the order of the images, without images that failed or were not reached. */
  done: { image: I; result: T }[];
  failures: Failure[];
  /** Whether Ctrl-C ended the batch early. */
  stopped: boolean;
}

/**
 * Processes images with a progress bar. An image that fails does not stop the others. Ctrl-C cancels the images in
 * progress and keeps finished results. A second Ctrl-C ends the process at once.
 *
 * @param device device of the network: a GPU needs more images in progress to fill its batches.
 */
export async function eachImage<T, I extends ImageFile>(
  images: readonly I[],
  device: string,
  work: (bytes: Buffer, image: I, signal: AbortSignal) => Promise<T>,
): Promise<BatchResult<T, I>> {
  const stop = new AbortController();
  const { signal } = stop;
  const onInterrupt = () => stop.abort();
  process.once('SIGINT', onInterrupt);
  const bar = new SingleBar({
    format: '{bar} {value}/{total} {image} | {eta_formatted} left',
    hideCursor: true,
    stream: process.stderr,
    noTTYOutput: false,
  });
  bar.start(images.length, 0, { image: '' });
  const done = new Map<I, T>();
  const failures: Failure[] = [];
  const read = async (image: I, own: AbortSignal) => {
    const result = await work(await readImageFile(image.path, own), image, own);
    // Kept at once: its files are written, whatever becomes of the others.
    done.set(image, result);
    return result;
  };
  try {
    const options = { concurrency: defaultConcurrency(device), ordered: false, signal };
    for await (const outcome of processAll(images, read, options)) {
      const { input: image } = outcome;
      if ('error' in outcome) {
        const { error } = outcome;
        // If one result cannot be written, the others cannot be written either.
        if (error instanceof CellrouteError && error.code === 'FILE_UNWRITABLE') throw error;
        failures.push({ image, reason: reasonOf(error) });
      }
      bar.increment(1, { image: image.fileName });
    }
  } catch (error) {
    if (!signal.aborted || error !== signal.reason) throw error;
  } finally {
    bar.stop();
    process.off('SIGINT', onInterrupt);
  }
  return {
    done: images.flatMap((image) => (done.has(image) ? [{ image, result: done.get(image)! }] : [])),
    failures,
    stopped: signal.aborted,
  };
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

export function reasonOf(error: unknown): string {
  if (error instanceof CellrouteError) return `${error.message} [${error.code}]`;
  return error instanceof Error ? error.message : String(error);
}
