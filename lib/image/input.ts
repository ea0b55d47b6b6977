import { basename } from 'node:path';
import { fileURLToPath } from 'node:url';
import { types } from 'node:util';
import type { Sharp } from 'sharp';
import { untilAborted, valuesUntilAborted } from '../abort.js';
import { isDetached, refuse } from '../check.js';
import { CellrouteError } from '../errors.js';
import { copyInParts, PART_BYTES } from '../in-parts.js';
import { readImageFile } from './companions.js';
import { typedView } from './sharp.js';
import type { ImageContent, ImageDataLike, ImageInput, RawImage } from './types.js';

const EXPECTED =
  'a path, a file: URL, a Blob or File, a ReadableStream, an ImageData, a sharp instance, an encoded image (Buffer or Uint8Array) or { data, width, height, channels }';

/**
 * Encoded bytes or raw pixels of an input, without a copy; undefined for an input that {@link readImage} must read.
 *
 * @param option name of the input in errors.
 * @throws {CellrouteError} INVALID_ARGUMENT for a value that is not an image.
 */
export function imageInMemory(input: unknown, option = 'image'): ImageContent | undefined {
  // Not instanceof: a Buffer may come from another realm (Jest, a vm context).
  if (types.isUint8Array(input)) {
    if (isDetached(input)) throw refuse(option, EXPECTED, input);
    return input;
  }
  if (isPath(input) || isUrl(input) || isBlob(input) || isStream(input) || isSharp(input)) return undefined;
  if (types.isAnyArrayBuffer(input)) {
    throw refuse(option, `${EXPECTED}; wrap the ArrayBuffer in new Uint8Array(buffer)`, input);
  }
  if (typeof input === 'object' && input !== null && 'then' in input) {
    throw refuse(option, `${EXPECTED}; this is a promise, await it first`, input);
  }
  if (ArrayBuffer.isView(input)) {
    throw refuse(option, `${EXPECTED}; pixels need their width, height and channels beside them`, input);
  }
  if (typeof input !== 'object' || input === null || Array.isArray(input)) {
    throw refuse(option, EXPECTED, input);
  }
  if (!isImageData(input)) return input as RawImage;
  const { data, width, height } = input;
  return { data: new Uint8Array(data.buffer, data.byteOffset, data.length), width, height, channels: 4 };
}

/** Reads an input that is not in memory: a path, a file: URL, a Blob, a stream or a sharp instance. */
export async function readImage(
  input: ImageInput,
  { signal, maxBytes }: { signal?: AbortSignal | undefined; maxBytes: number },
): Promise<ImageContent> {
  if (isPath(input)) {
    if (/^https?:\/\//i.test(input)) throw refuse('image', LOCAL, input);
    return readImageFile(input, signal);
  }
  if (isUrl(input)) return readImageFile(pathOf(input), signal);
  if (isBlob(input)) {
    if (input.size > maxBytes) throw tooLarge(`The Blob has ${input.size} bytes`, maxBytes, input.size);
    return readBlob(input, signal);
  }
  if (isStream(input)) return readStream(input, signal, maxBytes);
  if (isSharp(input)) return untilAborted(readSharp(input), signal);
  throw refuse('image', EXPECTED, input);
}

/** Name of an input: the last part of a path or URL, or the name of a File. */
export function imageName(input: unknown): string | undefined {
  if (isPath(input)) return basename(input);
  if (isUrl(input)) return input.protocol === 'file:' ? basename(fileURLToPath(input)) : undefined;
  return isBlob(input) && 'name' in input && typeof input.name === 'string' && input.name !== ''
    ? input.name
    : undefined;
}

const isPath = (input: unknown): input is string => typeof input === 'string' && input !== '';

const isUrl = (input: unknown): input is URL =>
  input instanceof URL || Object.prototype.toString.call(input) === '[object URL]';

const has = (input: unknown, ...methods: string[]): boolean =>
  typeof input === 'object' &&
  input !== null &&
  methods.every((method) => typeof (input as Record<string, unknown>)[method] === 'function');

const isBlob = (input: unknown): input is Blob => has(input, 'arrayBuffer', 'stream', 'slice');

/** A web stream, a Node.js stream or another async iterable. sharp instances are streams too, but are excluded. */
const isStream = (input: unknown): input is AsyncIterable<unknown> =>
  typeof input === 'object' && input !== null && Symbol.asyncIterator in input && !isSharp(input);

const isSharp = (input: unknown): input is Sharp =>
  has(input, 'clone', 'metadata', 'toBuffer', 'toColourspace');

const isImageData = (input: object): input is ImageDataLike =>
  types.isUint8ClampedArray((input as { data?: unknown }).data) && !('channels' in input);

const LOCAL =
  "a path or a file: URL; of others pass the body of fetch's response, or of an OME-Zarr image the slide that openSlide opens";

function pathOf(url: URL): string {
  if (url.protocol === 'file:') return fileURLToPath(url);
  throw refuse('image', LOCAL, url.protocol);
}

/** In parts: arrayBuffer() of the whole copies it on this thread without a break. */
async function readBlob(blob: Blob, signal: AbortSignal | undefined): Promise<Uint8Array> {
  const bytes = new Uint8Array(blob.size);
  try {
    for (let begin = 0; begin < bytes.length; begin += PART_BYTES) {
      const part = blob.slice(begin, begin + PART_BYTES).arrayBuffer();
      bytes.set(new Uint8Array(await untilAborted(part, signal)), begin);
    }
  } catch (error) {
    signal?.throwIfAborted();
    throw unreadableInput('The Blob', error);
  }
  return bytes;
}

async function readStream(
  stream: AsyncIterable<unknown>,
  signal: AbortSignal | undefined,
  maxBytes: number,
): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  let length = 0;
  const check = () => signal?.throwIfAborted();
  try {
    for await (const value of valuesUntilAborted(stream, signal)) {
      if (!types.isUint8Array(value)) throw refuse('image', 'a stream of Uint8Array chunks', value);
      length += value.byteLength;
      if (length > maxBytes) throw tooLarge('The stream is longer', maxBytes, length);
      // The stream may reuse the memory of a chunk.
      const chunk = new Uint8Array(value.byteLength);
      await copyInParts(value, chunk, 0, check);
      chunks.push(chunk);
    }
    return await joined(chunks, length, check);
  } catch (error) {
    signal?.throwIfAborted();
    throw unreadableInput('The stream', error);
  }
}

async function joined(chunks: Uint8Array[], length: number, check: () => void): Promise<Uint8Array> {
  const [first] = chunks;
  if (first && chunks.length === 1) return first;
  const whole = new Uint8Array(length);
  let at = 0;
  for (const chunk of chunks) {
    await copyInParts(chunk, whole, at, check);
    at += chunk.byteLength;
  }
  return whole;
}

function unreadableInput(what: string, error: unknown): CellrouteError {
  if (error instanceof CellrouteError) return error;
  const reason = error instanceof Error ? error.message : String(error);
  return new CellrouteError('IMAGE_UNREADABLE', `${what} could not be read: ${reason}`, {}, { cause: error });
}

/** The pixels at the end of a sharp pipeline, in the sample type of its input: sharp would make 8 bits of all. */
async function readSharp(pipeline: Sharp): Promise<RawImage> {
  try {
    const { space = 'srgb', depth } = await pipeline.clone().metadata();
    const isGrey = space === 'b-w' || space === 'grey16';
    const [colours, samples] =
      depth === 'ushort'
        ? [isGrey ? 'grey16' : 'rgb16', 'ushort' as const]
        : depth === 'float'
          ? [isGrey ? 'b-w' : 'scrgb', 'float' as const]
          : [isGrey ? 'b-w' : 'srgb', 'uchar' as const];
    const { data, info } = await pipeline
      .clone()
      .removeAlpha()
      .toColourspace(colours)
      .raw({ depth: samples })
      .toBuffer({ resolveWithObject: true });
    const ArrayType = { uchar: Uint8Array, ushort: Uint16Array, float: Float32Array }[samples];
    const { width, height, channels } = info;
    return { data: typedView(data, ArrayType), width, height, channels: channels as RawImage['channels'] };
  } catch (error) {
    throw unreadableInput('The sharp pipeline', error);
  }
}

function tooLarge(what: string, maxBytes: number, bytes: number): CellrouteError {
  return new CellrouteError('IMAGE_TOO_LARGE', `${what}, more than limits.bytes allows (${maxBytes})`, {
    option: 'limits.bytes',
    expected: `at most ${maxBytes} bytes`,
    got: `${bytes} bytes`,
  });
}
