// Writes the body of a response.
import { Readable } from 'node:stream';
import type { FastifyReply } from 'fastify';
import { Slots } from '../inference/call-order.js';
import { withCall } from '../native/job.js';
import { type AnswerFormat, mediaTypeOf, needsImage, writeAnswer } from './formats.js';
import type { Segmented, Service } from './service.js';

/** Limits the images that are decoded for drawings at the same time, which the queue's limit does not include. */
const drawing = new Slots(2);

/** Responses up to this size are sent as a whole, so that an error while writing can still become an error response. */
const JOINED_BYTES = 2 ** 20;

/** Sends a result. A large one is streamed. */
export async function answerResult(
  reply: FastifyReply,
  service: Service,
  { request, result }: Segmented,
  format: AnswerFormat,
  signal: AbortSignal,
): Promise<FastifyReply> {
  const type = mediaTypeOf(format);
  const charset = type.startsWith('text/') ? '; charset=utf-8' : '';
  const context = { file: request.upload.bytes, limits: service.imageLimits, signal };
  const body = await service.timed('encode', () =>
    needsImage(format)
      ? withCall({ signal }, async (own) => {
          const leave = await drawing.enter(own);
          try {
            const image = await service.decode(request, signal);
            return await bodyOf(writeAnswer(format, result, { ...context, image }));
          } finally {
            leave();
          }
        })
      : bodyOf(writeAnswer(format, result, context)),
  );
  return reply.header('content-type', `${type}${charset}`).header('vary', 'accept').send(body);
}

async function bodyOf(pieces: AsyncGenerator<Uint8Array>): Promise<Buffer | Readable> {
  const first: Uint8Array[] = [];
  let length = 0;
  while (length < JOINED_BYTES) {
    const { done, value } = await pieces.next();
    if (done) return Buffer.concat(first, length);
    first.push(value);
    length += value.byteLength;
  }
  return Readable.from(continued(first, pieces));
}

async function* continued(
  first: readonly Uint8Array[],
  rest: AsyncGenerator<Uint8Array>,
): AsyncGenerator<Uint8Array> {
  yield* first;
  yield* rest;
}
