// The image in a request: its body, or the one file of a multipart form.
import { basename } from 'node:path';
import type { FastifyRequest } from 'fastify';
import { untilAborted } from '../abort.js';
import { CellrouteError } from '../errors.js';
import { HttpProblem } from './problem.js';
import { checkImageName } from './query.js';

/** An uploaded image. */
export interface Upload {
  bytes: Buffer;
  /** File name in a form. */
  name?: string;
}

/** Form field of the image. */
export const FILE_FIELD = 'image';

/** Accepted media types of an image body. The format is recognised by its bytes. */
export const IMAGE_TYPES = [
  'application/octet-stream',
  'image/png',
  'image/jpeg',
  'image/webp',
  'image/tiff',
] as const;

const isForm = (type: string) => type === 'multipart/form-data';

/** The media type of a request without parameters. Refuses other types. */
export function uploadType(request: FastifyRequest): string {
  const header = request.headers['content-type'];
  const type = (header ?? 'application/octet-stream').split(';')[0]!.trim().toLowerCase();
  if (isForm(type) || (IMAGE_TYPES as readonly string[]).includes(type)) return type;
  throw new HttpProblem(
    'MEDIA_TYPE_UNSUPPORTED',
    `Expected a body of ${IMAGE_TYPES.join(', ')}, or multipart/form-data with a file in the field ${FILE_FIELD}, but received ${JSON.stringify(header?.slice(0, 100))}. With curl: -F ${FILE_FIELD}=@FILE`,
    { accept: [...IMAGE_TYPES, 'multipart/form-data'].join(', ') },
  );
}

/** Size of a body by its Content-Length, or the limit if there is none. */
export function announcedBytes(request: FastifyRequest, maxBytes: number): number {
  const header = request.headers['content-length'];
  const length = header === undefined ? maxBytes : Number(header);
  if (length > maxBytes && !isForm(uploadType(request))) throw tooLarge(maxBytes);
  return Math.min(length, maxBytes);
}

const tooLarge = (maxBytes: number) =>
  new HttpProblem('BODY_TOO_LARGE', `The image has more than the ${maxBytes} bytes that are allowed.`);

/**
 * Reads the image of a request. At most `maxBytes` bytes are in memory.
 *
 * @throws {HttpProblem}; the reason of `signal` after an abort.
 */
export async function readUpload(
  request: FastifyRequest,
  { maxBytes, signal }: { maxBytes: number; signal: AbortSignal },
): Promise<Upload> {
  try {
    return await (isForm(uploadType(request)) ? readForm : readBody)(request, maxBytes, signal);
  } catch (error) {
    if (!CellrouteError.is(error, 'TIMEOUT')) throw error;
    // The connection is closed, because the rest of the body may never arrive.
    throw new HttpProblem('REQUEST_TIMEOUT', error.message, { connection: 'close' });
  }
}

async function readBody(request: FastifyRequest, maxBytes: number, signal: AbortSignal): Promise<Upload> {
  const bytes = await collect(request.raw, maxBytes, signal);
  if (bytes.length === 0)
    throw new HttpProblem('BAD_REQUEST', 'Expected an image in the body, which is empty.');
  return { bytes };
}

async function readForm(request: FastifyRequest, maxBytes: number, signal: AbortSignal): Promise<Upload> {
  const parts = request.parts({ limits: { fileSize: maxBytes + 1, files: 1, fields: 0, parts: 1 } });
  let upload: Upload | undefined;
  for (;;) {
    // The abort also ends the wait for a client that sends nothing more.
    const { done, value: part } = await untilAborted(parts.next(), signal).catch(unreadable(signal));
    if (done) break;
    if (part.type !== 'file' || part.fieldname !== FILE_FIELD) {
      throw new HttpProblem(
        'BAD_REQUEST',
        `Expected one file in the field ${FILE_FIELD}, but received the field ${JSON.stringify(part.fieldname.slice(0, 100))}; options belong in the query.`,
      );
    }
    // Some browsers and clients send a path.
    const name = basename(part.filename.replaceAll('\\', '/'));
    upload = {
      bytes: await collect(part.file, maxBytes, signal).catch(unreadable(signal)),
      ...(name !== '' && { name: checkImageName('the name of the file', name) }),
    };
  }
  if (upload && upload.bytes.length > 0) return upload;
  throw new HttpProblem('BAD_REQUEST', `Expected an image in the field ${FILE_FIELD} of the form.`);
}

/** For `catch`: converts errors of the form parser. */
const unreadable =
  (signal: AbortSignal) =>
  (error: unknown): never => {
    signal.throwIfAborted();
    const { code, message } = error as { code?: string; message: string };
    if (error instanceof HttpProblem) throw error;
    if (code?.endsWith('_LIMIT')) {
      throw new HttpProblem(
        'BAD_REQUEST',
        `Expected a form with one file in the field ${FILE_FIELD} and nothing else.`,
      );
    }
    throw new HttpProblem('BAD_REQUEST', `The form cannot be read: ${message}.`);
  };

async function collect(
  stream: AsyncIterable<Buffer> & { destroy(error?: Error): unknown },
  maxBytes: number,
  signal: AbortSignal,
): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let length = 0;
  const iterator = stream[Symbol.asyncIterator]();
  for (;;) {
    const { done, value } = await untilAborted(iterator.next(), signal);
    if (done) return Buffer.concat(chunks, length);
    length += value.length;
    if (length > maxBytes) throw tooLarge(maxBytes);
    chunks.push(value);
  }
}
