// Reads the image that a task refers to.
import { refuse } from '../check.js';
import { CellrouteError } from '../errors.js';
import { cannotRead } from '../file-errors.js';
import { readImageFile } from '../image/companions.js';
import { readImage } from '../image/input.js';
import { withSystemCode } from './failure.js';
import type { ObjectStore } from './objects.js';
import { S3Connection, type S3Options, s3Url } from './s3-client.js';
import type { ImageReference } from './types.js';

/** Maximum bytes of an image behind a URL: the limit of a Buffer of Node.js 20 on every platform. */
const MAX_BYTES = 2 ** 32 - 1;

/** Where a worker reads the images that its tasks refer to. */
export class ImageSources {
  readonly #images: ObjectStore | undefined;
  readonly #s3: S3Options;
  #connection: S3Connection | undefined;

  /**
   * @param images store of keys; undefined where there is none.
   * @param s3 how `s3:` URLs are reached.
   */
  constructor(images?: ObjectStore, s3: S3Options = {}) {
    this.#images = images;
    this.#s3 = s3;
  }

  /**
   * The bytes of an image.
   *
   * @throws {CellrouteError} FILE_UNREADABLE, IMAGE_UNSUPPORTED, IMAGE_TOO_LARGE, INVALID_ARGUMENT; PACKAGE_MISSING for an
   *   object of a bucket.
   */
  async read(image: ImageReference, signal: AbortSignal): Promise<Uint8Array> {
    if ('path' in image) return readImageFile(image.path, signal);
    if ('url' in image) return readUrl(image.url, signal);
    if ('bucket' in image) {
      this.#connection ??= new S3Connection(this.#s3);
      return this.#connection.get(image, { signal });
    }
    return this.#storeOf(image.key).get(image.key, { signal });
  }

  /**
   * Where a slide is read from.
   *
   * @throws {CellrouteError} INVALID_ARGUMENT for an object of a bucket, and for a key of a store that is not a folder.
   */
  slideLocation(image: ImageReference): string {
    if ('path' in image) return image.path;
    if ('url' in image) return image.url;
    if ('bucket' in image) throw noSlide('an object store has no files', s3Url(image));
    const path = this.#storeOf(image.key).pathOf?.(image.key);
    if (path !== undefined) return path;
    throw noSlide('this store of images is not a folder', image.key);
  }

  #storeOf(key: string): ObjectStore {
    if (this.#images) return this.#images;
    throw refuse('image', 'a path or URL, as the worker has no store of images (--images)', key);
  }
}

/** The error for a slide that is not read by path or URL. */
export const noSlide = (reason: string, image: string): CellrouteError =>
  refuse('image', `a path or a URL with http: or https: of a slide, as ${reason}`, image);

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
    return fail(reason, withSystemCode(MISSING_STATUSES.includes(status) ? 'ENOENT' : 'EIO', reason));
  }
  const content = await readImage(body, { signal, maxBytes: MAX_BYTES }).catch((error: Error) =>
    fail(`reading it failed (${error.message})`, error),
  );
  return content as Uint8Array;
}
