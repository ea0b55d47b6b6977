// The client of object stores with the protocol of S3. Its errors become those of files.
import { Readable } from 'node:stream';
import type { S3Client } from '@aws-sdk/client-s3';
import { onAbort, type SignalOptions } from '../abort.js';
import { checkBoolean, checkKeys, checkObject, checkString, refuse } from '../check.js';
import { CellrouteError } from '../errors.js';
import { cannotRead, cannotWrite } from '../file-errors.js';
import { withSystemCode } from './failure.js';
import { s3Packages } from './packages.js';

/** How a server with the protocol of S3 is reached. Default of each: what the AWS SDK finds (environment, profile, role). */
export interface S3Options {
  /**
   * URL of the server, such as `http://127.0.0.1:9000` for MinIO. Default: `AWS_ENDPOINT_URL_S3` or `AWS_ENDPOINT_URL`;
   * without them, the servers of AWS.
   */
  endpoint?: string | undefined;
  /** Region of the buckets. Default with `endpoint`, where the AWS SDK finds none: `us-east-1`. */
  region?: string | undefined;
  /** Whether the bucket is a part of the path instead of the host name. Default: true with `endpoint`. */
  pathStyle?: boolean | undefined;
  credentials?:
    | { accessKeyId: string; secretAccessKey: string; sessionToken?: string | undefined }
    | undefined;
}

/** @throws {CellrouteError} INVALID_ARGUMENT */
export function checkS3Options(option: string, options: unknown): S3Options {
  const given = checkObject(option, options);
  checkKeys(option, given, ['endpoint', 'region', 'pathStyle', 'credentials']);
  const { endpoint, region, pathStyle, credentials } = given;
  if (endpoint !== undefined) {
    const url = typeof endpoint === 'string' && URL.canParse(endpoint) ? new URL(endpoint) : undefined;
    if (!url || !/^https?:$/.test(url.protocol)) {
      throw refuse(`${option}.endpoint`, 'a URL with http: or https:', endpoint);
    }
  }
  if (region !== undefined) checkString(`${option}.region`, region);
  if (pathStyle !== undefined) checkBoolean(`${option}.pathStyle`, pathStyle);
  if (credentials !== undefined) {
    const of = `${option}.credentials`;
    const keys = checkObject(of, credentials);
    checkKeys(of, keys, ['accessKeyId', 'secretAccessKey', 'sessionToken']);
    for (const key of ['accessKeyId', 'secretAccessKey']) {
      // The value is not a part of the message.
      if (typeof keys[key] !== 'string') throw refuse(`${of}.${key}`, 'a string', typeof keys[key]);
    }
  }
  return given as S3Options;
}

/** An object of a bucket. */
export interface S3Place {
  bucket: string;
  key: string;
}

/** An object as it is stored: another content has another tag. */
export interface S3Version {
  key: string;
  bytes: number;
  tag: string;
}

const URL_OF_S3 = /^s3:\/\/([\w.-]{3,255})(?:\/(.*))?$/is;

/** Whether a text is a URL of a bucket or of an object. */
export const isS3Url = (text: string): boolean => /^s3:\/\//i.test(text);

/** The URL of an object, as the AWS command line writes it: the key stands in it as it is. */
export const s3Url = ({ bucket, key }: S3Place): string => `s3://${bucket}/${key}`;

/**
 * The bucket of a URL, and the key, which may be empty.
 *
 * @throws {CellrouteError} INVALID_ARGUMENT
 */
export function readS3Url(option: string, url: string): S3Place {
  const match = URL_OF_S3.exec(url);
  if (!match) throw refuse(option, 'a URL such as s3://bucket/folder/image.png', url);
  return { bucket: match[1]!, key: match[2] ?? '' };
}

/** Bytes of an object that is read whole: as many as a Buffer of Node.js 20 may have on every platform. */
const MAX_BYTES = 2 ** 32 - 1;
/** Bytes of a part of an upload. What is smaller is written by one request. */
const PART_BYTES = 16 * 2 ** 20;
/** Milliseconds before a connection is closed that cannot be opened, or on which no data arrives. */
const CONNECT_MS = 10_000;
const IDLE_MS = 60_000;
/** Milliseconds between looks for an object that another writer completes, and number of looks. */
const CONFLICT_MS = 200;
const CONFLICT_LOOKS = 25;

/** What servers that are not AWS answer where a disk or a quota is full. */
const FULL = ['XMinioStorageFull', 'XMinioAdminBucketQuotaExceeded', 'QuotaExceeded'];

/** A client for all buckets of a server. */
export class S3Connection {
  readonly #packages = s3Packages();
  readonly #client: S3Client;

  /** @throws {CellrouteError} INVALID_ARGUMENT, PACKAGE_MISSING. */
  constructor(options: S3Options = {}) {
    const { AWS_ENDPOINT_URL_S3, AWS_ENDPOINT_URL, AWS_REGION } = process.env;
    const { endpoint = AWS_ENDPOINT_URL_S3 || AWS_ENDPOINT_URL || undefined, credentials } = options;
    const region = options.region ?? (endpoint === undefined ? undefined : AWS_REGION || 'us-east-1');
    const { sessionToken } = credentials ?? {};
    this.#client = new this.#packages.s3.S3Client({
      forcePathStyle: options.pathStyle ?? endpoint !== undefined,
      requestHandler: { connectionTimeout: CONNECT_MS, socketTimeout: IDLE_MS },
      ...(endpoint !== undefined && { endpoint }),
      ...(region !== undefined && { region }),
      ...(credentials && {
        credentials: {
          accessKeyId: credentials.accessKeyId,
          secretAccessKey: credentials.secretAccessKey,
          ...(sessionToken !== undefined && { sessionToken }),
        },
      }),
    });
  }

  /**
   * Size and tag of an object; undefined where there is none.
   *
   * @throws {CellrouteError} FILE_UNREADABLE
   */
  async version(place: S3Place, { signal }: SignalOptions = {}): Promise<S3Version | undefined> {
    const { HeadObjectCommand } = this.#packages.s3;
    try {
      const answer = await this.#client.send(
        new HeadObjectCommand({ Bucket: place.bucket, Key: place.key }),
        sending(signal),
      );
      return { key: place.key, bytes: answer.ContentLength ?? 0, tag: answer.ETag ?? '' };
    } catch (error) {
      if (statusOf(error) === 404) return undefined;
      throw unreadable(s3Url(place), error, signal);
    }
  }

  /**
   * The bytes of an object.
   *
   * @throws {CellrouteError} FILE_UNREADABLE, IMAGE_TOO_LARGE for more bytes than a buffer has.
   */
  async get(place: S3Place, { signal }: SignalOptions = {}): Promise<Uint8Array> {
    const { GetObjectCommand } = this.#packages.s3;
    const url = s3Url(place);
    try {
      const answer = await this.#client.send(
        new GetObjectCommand({ Bucket: place.bucket, Key: place.key }),
        sending(signal),
      );
      const { Body: body, ContentLength: bytes = 0 } = answer;
      if (bytes > MAX_BYTES) {
        (body as Readable | undefined)?.destroy();
        throw new CellrouteError(
          'IMAGE_TOO_LARGE',
          `${url} has ${bytes} bytes; at most ${MAX_BYTES} are read`,
          {
            file: url,
            expected: `at most ${MAX_BYTES} bytes`,
            got: `${bytes}`,
          },
        );
      }
      return (await body?.transformToByteArray()) ?? new Uint8Array();
    } catch (error) {
      throw unreadable(url, error, signal);
    }
  }

  /**
   * Writes an object, whole or not at all, unless there is one with this key: a large one in parts, of which two are in
   * memory.
   *
   * @returns whether this call wrote it.
   * @throws {CellrouteError} FILE_UNWRITABLE; errors of the content are passed on.
   */
  async put(
    place: S3Place,
    content: Iterable<Uint8Array> | AsyncIterable<Uint8Array>,
    { signal }: SignalOptions = {},
  ): Promise<boolean> {
    signal?.throwIfAborted();
    let failed: { error: unknown } | undefined;
    async function* parts() {
      try {
        yield* content;
      } catch (error) {
        failed = { error };
        throw error;
      }
    }
    const upload = new this.#packages.storage.Upload({
      client: this.#client,
      // Two writers of one key: the server completes one.
      params: { Bucket: place.bucket, Key: place.key, Body: Readable.from(parts()), IfNoneMatch: '*' },
      partSize: PART_BYTES,
      queueSize: 1,
    });
    const remove = signal && onAbort(signal, () => void upload.abort().catch(() => {}));
    try {
      await upload.done();
      return true;
    } catch (error) {
      signal?.throwIfAborted();
      if (failed) throw failed.error;
      if (statusOf(error) === 412) return false;
      // A write of this key is not complete yet; it has the same content.
      if (statusOf(error) === 409 && (await this.#appears(place, signal))) return false;
      throw unwritable(s3Url(place), error);
    } finally {
      remove?.();
    }
  }

  /**
   * Deletes an object, if there is one.
   *
   * @throws {CellrouteError} FILE_UNWRITABLE
   */
  async delete(place: S3Place): Promise<void> {
    const { DeleteObjectCommand } = this.#packages.s3;
    try {
      await this.#client.send(new DeleteObjectCommand({ Bucket: place.bucket, Key: place.key }));
    } catch (error) {
      throw unwritable(s3Url(place), error);
    }
  }

  /**
   * The objects whose keys start with a text, in the order of the server.
   *
   * @throws {CellrouteError} FILE_UNREADABLE
   */
  async *list({ bucket, key }: S3Place, { signal }: SignalOptions = {}): AsyncGenerator<S3Version> {
    const { paginateListObjectsV2 } = this.#packages.s3;
    try {
      const pages = paginateListObjectsV2({ client: this.#client }, { Bucket: bucket, Prefix: key });
      for await (const { Contents: objects = [] } of pages) {
        signal?.throwIfAborted();
        for (const { Key, Size = 0, ETag = '' } of objects)
          if (Key) yield { key: Key, bytes: Size, tag: ETag };
      }
    } catch (error) {
      throw unreadable(s3Url({ bucket, key }), error, signal);
    }
  }

  /**
   * Checks that a bucket is there and can be reached.
   *
   * @throws {CellrouteError} FILE_UNREADABLE
   */
  async checkBucket(bucket: string, { signal }: SignalOptions = {}): Promise<void> {
    const { HeadBucketCommand } = this.#packages.s3;
    try {
      await this.#client.send(new HeadBucketCommand({ Bucket: bucket }), sending(signal));
    } catch (error) {
      throw unreadable(`s3://${bucket}`, error, signal);
    }
  }

  async #appears(place: S3Place, signal: AbortSignal | undefined): Promise<boolean> {
    for (let look = 0; look < CONFLICT_LOOKS; look++) {
      if (await this.version(place, { ...(signal && { signal }) })) return true;
      await new Promise((resolve) => setTimeout(resolve, CONFLICT_MS));
    }
    return false;
  }
}

const sending = (signal: AbortSignal | undefined) => (signal ? { abortSignal: signal } : {});

const statusOf = (error: unknown): number | undefined =>
  (error as { $metadata?: { httpStatusCode?: number } } | null)?.$metadata?.httpStatusCode;

/** Answers to HEAD have no text: their status stands for it. */
const MEANING: Readonly<Record<number, string>> = {
  301: 'the bucket is in another region',
  403: 'access is denied',
  404: 'there is no such bucket or object',
};

function reasonOf(error: unknown): string {
  const { name, message } = error as Error;
  const status = statusOf(error);
  const known = status === undefined ? undefined : MEANING[status];
  const isEmpty = !message || message === name || /^unknown/i.test(message);
  if (isEmpty) return known ?? (status === undefined ? name : `the server answered ${status}`);
  return known && name !== 'Error' ? `${message} (${name})` : message;
}

function unreadable(url: string, error: unknown, signal: AbortSignal | undefined): CellrouteError {
  signal?.throwIfAborted();
  if (CellrouteError.is(error)) return error;
  const reason = reasonOf(error);
  const code = statusOf(error) === 404 ? 'ENOENT' : 'EIO';
  return cannotRead(url, reason, withSystemCode(code, reason, error));
}

function unwritable(url: string, error: unknown): CellrouteError {
  if (CellrouteError.is(error)) return error;
  const reason = reasonOf(error);
  const isFull = statusOf(error) === 507 || FULL.includes((error as Error).name);
  return cannotWrite(url, reason, withSystemCode(isFull ? 'ENOSPC' : 'EIO', reason, error));
}
