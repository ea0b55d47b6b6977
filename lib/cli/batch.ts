import { SingleBar } from 'cli-progress';
import { CellrouteError } from '../errors.js';
import { readImageFile } from '../image/companions.js';
import { defaultConcurrency } from '../inference/segment-all.js';
import { processAll } from '../pool.js';
import type { ImageFile } from './images.js';
import type { StopSignals } from './stop-signals.js';

export interface Failure {
  image: ImageFile;
  reason: string;
}

/** Outcome of the images of a command. */
export interface BatchResult<T, I extends ImageFile = ImageFile> {
  /** Results in the order of the images, without images that failed or were not reached. */
  done: { image: I; result: T }[];
  failures: Failure[];
}

/** Options of {@link eachImage}. */
export interface BatchOptions<T, I extends ImageFile, Kept> {
  /** Device of the network: a GPU needs more images in progress to fill its batches. */
  device: string;
  stop: StopSignals;
  /** Processes an image and writes the files of this image. */
  work(bytes: Buffer, image: I, signal: AbortSignal): Promise<T>;
  /**
   * Takes the results in the order of the images, one at a time, and returns what is kept of each: results may be larger
   * than memory together.
   */
  take(image: I, result: T): Kept | Promise<Kept>;
}

/** Results that wait for an earlier image, per image in progress: a slow image does not stop the others at once. */
const WAITING_PER_IMAGE = 2;

/**
 * Processes images with a progress bar. An image that fails does not stop the others. A signal cancels the images in
 * progress and keeps finished results.
 *
 * @throws {CellrouteError} FILE_UNWRITABLE of any image, and what `take` throws.
 */
export async function eachImage<T, I extends ImageFile, Kept>(
  images: readonly I[],
  { device, stop, work, take }: BatchOptions<T, I, Kept>,
): Promise<BatchResult<Kept, I>> {
  const { signal } = stop;
  const bar = progressBar('{bar} {value}/{total} {image} | {eta_formatted} left');
  bar.start(images.length, 0, { image: '' });
  const batch: BatchResult<Kept, I> = { done: [], failures: [] };
  const finished = new Map<I, T>();
  const read = async (image: I, own: AbortSignal) => {
    const result = await work(await readImageFile(image.path, own), image, own);
    // Kept immediately: its files are written, whether or not other images fail.
    finished.set(image, result);
  };
  const takeFinished = async (image: I) => {
    if (!finished.has(image)) return;
    const result = finished.get(image)!;
    finished.delete(image);
    batch.done.push({ image, result: await take(image, result) });
  };
  try {
    const concurrency = defaultConcurrency(device);
    const held = WAITING_PER_IMAGE * concurrency;
    for await (const outcome of processAll(images, read, { concurrency, held, signal })) {
      const { input: image } = outcome;
      if ('error' in outcome) {
        const { error } = outcome;
        if (isFatal(error)) throw error;
        batch.failures.push({ image, reason: reasonOf(error) });
      } else await takeFinished(image);
      bar.increment(1, { image: image.fileName });
    }
  } catch (error) {
    if (!stop.caused(error)) throw error;
    for (const image of images) await takeFinished(image);
  } finally {
    bar.stop();
  }
  return batch;
}

/** Whether an error of one image ends the command: if one file cannot be written, others cannot be written either. */
export const isFatal = (error: unknown): boolean =>
  error instanceof CellrouteError && error.code === 'FILE_UNWRITABLE';

/** A progress bar on stderr that is shown only on a terminal. */
export const progressBar = (format: string): SingleBar =>
  new SingleBar({ format, hideCursor: true, stream: process.stderr, noTTYOutput: false });

/**
 * Prints the failed images with their reasons and sets the exit status: 1 after failures, 130 or 143 after a signal.
 *
 * @param keepsTiles whether the finished tiles of an interrupted slide are kept.
 */
export function reportBatch(
  { done, failures }: BatchResult<unknown>,
  total: number,
  stop: StopSignals,
  { keepsTiles = false } = {},
): void {
  if (failures.length > 0) {
    console.error(`${failures.length} of ${total} images failed:`);
    for (const { image, reason } of failures) console.error(`- ${image.path}: ${reason}`);
    process.exitCode = 1;
  }
  if (stop.received) {
    console.error(
      `Stopped: ${done.length} of ${total} images are finished. Their results are kept${keepsTiles ? ', and finished tiles of a slide: the same command continues' : ''}.`,
    );
    stop.setExitCode();
  }
}

export function reasonOf(error: unknown): string {
  if (error instanceof CellrouteError) return `${error.message} [${error.code}]`;
  return error instanceof Error ? error.message : String(error);
}
