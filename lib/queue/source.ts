// Reads the image that a task refers to.
import { refuse } from '../check.js';
import { CellrouteError } from '../errors.js';
import { cannotRead } from '../file-errors.js';
import { readImageFile } from '../image/companions.js';
import { readImage } from '../image/input.js';
import type { ObjectStore } from './objects.js';
import type { ImageReference } from './types.js';

/** Maximum bytes of an image behind a URL: the limit of a Buffer of Node.js 20 on every platform. */
const MAX_BYTES = 2 ** 32 - 1;

/**
 * The bytes of an image.
 *
 * @param images the worker's store of images, if it has one.
 * @throws {CellrouteError} FILE_UNREADABLE, IMAGE_UNSUPPORTED, IMAGE_TOO_LARGE, INVALID_ARGUMENT.
 */
export async function readReference(
  image: ImageReference,
  images: ObjectStore | undefined,
  signal: AbortSignal,
): Promise<Uint8Array> {
  if ('path' in image) return readImageFile(image.path, signal);
  if ('url' in image) return readUrl(image.url, signal);
  return storeOf(images, image.key).get(image.key, { signal });
}

/**
 * Path or URL that a slide is read from.
 *
 * @throws {CellrouteError} INVALID_ARGUMENT for a key of a store that is not a folder.
 */
export function slideLocation(image: ImageReference, images: ObjectStore | undefined): string {
  if ('path' in image) return image.path;
  if ('url' in image) return image.url;
  const path = storeOf(images, image.key).pathOf?.(image.key);
  if (path !== undefined) return path;
  throw refuse('image', 'a path or URL, because this store of images is not a folder', image.key);
}

function storeOf(images: ObjectStore | undefined, key: string): ObjectStore {
  if (images) return images;
  throw refuse('image', 'a path or URL, as the worker has no store of images (--images)', key);
}

/** HTTP statuses of a missing image. Other failures are retried. */
const MISSING_STATUSES = [400, 401, 403, 404, 405, 406, 410, 414, 451];

async function readUrl(url: string, signal: AbortSignal): Promise<Uint8Array> {
  const fail = (reason: string, cause: unknown) => {
    signal.throwIfAborted();
    throw CellrouteError.is(cause) ? cause : cannotRead(url, reason, cause);
  };
  const response = await fetch(url, { signal }).catch((error: Error) =>
    fail(
      `it cannot be fetched (${String((error.cause as Error | undefined)?.message ?? error.message)})`,
      error,
    ),
  );
  const { ok, status, statusText, body } = response;
  if (!ok || !body) {
    await body?.cancel();
    const reason = `the server answered ${status} ${statusText}`.trim();
    const code = MISSING_STATUSES.includes(status) ? 'ENOENT' : 'EIO';
    return fail(reason, Object.assign(new Error(reason), { code }));
  }
  const content = await readImage(body, { signal, maxBytes: MAX_BYTES }).catch((error: Error) =>
    fail(`reading it failed (${error.message})`, error),
  );
  return content as Uint8Array;
}
