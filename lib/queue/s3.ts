import type { SignalOptions } from '../abort.js';
import { checkString } from '../check.js';
import { checkObjectKey, type ObjectStore } from './objects.js';
import { checkS3Options, readS3Url, S3Connection, type S3Options, type S3Place } from './s3-client.js';

/**
 * The objects of a bucket, or those below a prefix, on AWS or on another server with the protocol of S3, such as MinIO. The
 * server must have conditional writes (`If-None-Match: *`): they are what writes a result once. Needs the optional packages
 * `@aws-sdk/client-s3` and `@aws-sdk/lib-storage`.
 *
 * ```ts
 * const results = new S3Objects('s3://lab/results', { endpoint: 'http://127.0.0.1:9000' });
 * const worker = await createWorker(queue, { results, images: 's3://lab/images' });
 * ```
 */
export class S3Objects implements ObjectStore {
  readonly bucket: string;
  /** Start of all keys in the bucket, without a slash at its end; empty for the whole bucket. */
  readonly prefix: string;
  readonly #connection: S3Connection;

  /**
   * @param url `s3://bucket` or `s3://bucket/prefix`.
   * @throws {CellrouteError} INVALID_ARGUMENT, PACKAGE_MISSING.
   */
  constructor(url: string, options: S3Options = {}) {
    const { bucket, key } = readS3Url('url', checkString('url', url));
    this.bucket = bucket;
    this.prefix = key.replace(/\/$/, '');
    if (this.prefix !== '') checkObjectKey('url', this.prefix);
    this.#connection = new S3Connection(checkS3Options('options', options));
  }

  async has(key: string, options?: SignalOptions): Promise<boolean> {
    return (await this.#connection.version(this.#place(key), options)) !== undefined;
  }

  async get(key: string, options?: SignalOptions): Promise<Uint8Array> {
    return this.#connection.get(this.#place(key), options);
  }

  async put(
    key: string,
    content: Iterable<Uint8Array> | AsyncIterable<Uint8Array>,
    options?: SignalOptions,
  ): Promise<boolean> {
    return this.#connection.put(this.#place(key), content, options);
  }

  async delete(key: string): Promise<void> {
    await this.#connection.delete(this.#place(key));
  }

  async check(options?: SignalOptions): Promise<void> {
    await this.#connection.checkBucket(this.bucket, options);
  }

  #place(key: string): S3Place {
    const own = checkObjectKey('key', key);
    return { bucket: this.bucket, key: this.prefix === '' ? own : `${this.prefix}/${own}` };
  }
}
