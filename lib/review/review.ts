import { randomBytes } from 'node:crypto';
import { dirname, resolve } from 'node:path';
import { onAbort } from '../abort.js';
import { isFolder } from '../annotations/image-folder.js';
import type { DataProblem } from '../annotations/problems.js';
import { checkString, refuse } from '../check.js';
import { FolderLock } from '../folder-lock.js';
import { readOptionsIn } from '../image/select.js';
import { Outputs } from '../outputs.js';
import { Corrections, type ReviewSummary } from './corrections.js';
import { checkReviewOptions, type ReviewOptions } from './options.js';
import { reviewRoutes } from './routes.js';
import { type LocalServer, serveLocally } from './server.js';
import { openSource } from './source.js';

/** A running review. */
export interface Review {
  /** Address of the page. It contains the token that requests need. */
  readonly url: string;
  /** Number of images that can be reviewed. */
  readonly images: number;
  /** Images and cells that cannot be reviewed, each with the reason. */
  readonly problems: readonly DataProblem[];
  /** The changes so far. */
  summary(): ReviewSummary;
  /** Resolves when the review has ended: by the page, by `close` or by the signal. */
  readonly finished: Promise<ReviewSummary>;
  /** Ends the review. Every change that the page reported as saved is on disk. */
  close(): Promise<ReviewSummary>;
  /** Calls {@link close}; for `await using`. */
  [Symbol.asyncDispose](): Promise<void>;
}

/**
 * Serves a page on this machine, in which predictions are deleted, redrawn and added, and writes the reviewed images as a
 * data set that `openDataset`, `finetune` and `evaluate` read. Every change is saved at once; a review that was ended or
 * killed is resumed by the same call.
 *
 * ```ts
 * const review = await startReview('results', { images: 'images', out: 'corrected' });
 * console.log(review.url);
 * const { removed, changed, added } = await review.finished;
 * ```
 *
 * @param path predictions in any form that `evaluate` reads: a folder that `cellroute segment` wrote, COCO, label images.
 * @throws {CellrouteError} FILE_UNREADABLE; DATA_INVALID if no image can be reviewed; RUN_LOCKED if another review uses
 *   `out`; RESUME_REFUSED if `out` has corrections of other predictions; FILE_UNWRITABLE; INVALID_ARGUMENT. The error of
 *   the system if the port cannot be listened on.
 */
export async function startReview(path: string, options: ReviewOptions): Promise<Review> {
  checkString('path', path);
  const settings = checkReviewOptions(options);
  const folder = (await isFolder(path)) ? path : dirname(path);
  if (resolve(folder) === resolve(settings.out)) {
    throw refuse('out', 'another folder than that of the predictions', settings.out);
  }
  options.signal?.throwIfAborted();
  const lock = await FolderLock.acquire(settings.out);
  try {
    return await openReview(path, options, settings, lock);
  } catch (error) {
    await lock.release();
    throw error;
  }
}

async function openReview(
  path: string,
  options: ReviewOptions,
  settings: ReturnType<typeof checkReviewOptions>,
  lock: FolderLock,
): Promise<Review> {
  const { signal } = options;
  const source = await openSource(path, options);
  const corrections = await Corrections.open(source, settings, new Outputs(settings));
  let end = () => {};
  const ended = new Promise<void>((resolve) => {
    end = resolve;
  });
  const routes = reviewRoutes(source, corrections, readOptionsIn(options), () => end());
  const token = randomBytes(18).toString('base64url');
  const server = await serveLocally(routes, { port: settings.port, token });
  const stopListening = signal ? onAbort(signal, () => end()) : () => {};
  const finished = ended.then(() => closeReview(server, corrections, lock)).finally(stopListening);
  // Whoever awaits `finished` or `close` gets the error.
  finished.catch(() => {});
  const close = () => {
    end();
    return finished;
  };
  return {
    url: server.url,
    images: source.images.length,
    problems: source.problems,
    finished,
    summary: () => corrections.summary(),
    close,
    async [Symbol.asyncDispose]() {
      await close();
    },
  };
}

async function closeReview(
  server: LocalServer,
  corrections: Corrections,
  lock: FolderLock,
): Promise<ReviewSummary> {
  await server.close();
  try {
    await corrections.settled();
    return corrections.summary();
  } finally {
    await lock.release();
  }
}
