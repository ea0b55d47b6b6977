import { performance } from 'node:perf_hooks';
import { types } from 'node:util';
import { refuse } from '../check.js';
import type { Intensity } from '../config/shared.js';
import { type OpenedImage, openImage } from '../image/decode.js';
import { imageInMemory, imageName, readImage } from '../image/input.js';
import { fitIntensity } from '../image/intensity.js';
import { checkReadOptions, readOptionsIn } from '../image/select.js';
import type { ImageContent, ImageInput, ImageReadOptions, ImageSource, RawImage } from '../image/types.js';
import { copyInParts, inParts, PART_BYTES } from '../in-parts.js';
import type { ImageHandle, RoomHandle } from '../native/contract.js';
import { type Call, type CallOptions, withCall } from '../native/job.js';
import { call, native } from '../native/load.js';
import { Slots, Turns } from './call-order.js';
import type { LoadedModel } from './model.js';
import { type QueueOptions, takeRoom } from './queue.js';

/** The image of a call in native memory, which every job of the call reads. */
export interface CallImage {
  readonly width: number;
  readonly height: number;
  readonly handle: ImageHandle;
  /** Duration of decoding in seconds. */
  readonly decodeSeconds: number;
  readonly source: ImageSource | undefined;
  /** Name of the input: of a path, a URL or a File. */
  readonly name?: string;
  /** The notice, or the reason for a refusal, if a network scales the values by the range of their type. */
  readonly byTypeRange: { notices: readonly string[] } | { error: unknown };
}

/**
 * Refuses an image whose values a network with this intensity rule cannot take. Returns what a caller should know about
 * the image.
 */
export function noticesFor({ kind }: Intensity, { source, byTypeRange }: CallImage): string[] {
  const read = source?.notices ?? [];
  if (kind !== 'type-range') return [...read];
  if ('error' in byTypeRange) throw byTypeRange.error;
  return [...read, ...byTypeRange.notices];
}

/** Maximum number of inputs that are read before they have room, so that further waiting calls hold no memory. */
const READERS = 4;
const reading = new Slots(READERS);

/** Headers of images in memory are read concurrently, but room is requested in the order of the calls. */
const arrivals = new Turns();

/** An image whose header was read. */
interface Opened extends OpenedImage {
  /** Bytes of the encoded image that the call holds besides the pixels. */
  readonly held: number;
  /** Whether the decoded pixels are the library's own memory. */
  readonly owned: boolean;
}

/**
 * Waits for room in the queue, decodes the image, and gives it to `body`. Memory is held once: the decoded pixels are
 * copied to native memory and freed. No copy blocks the event loop.
 *
 * The caller must not change or transfer the image's memory before the call has settled.
 */
export async function withImage<T>(
  own: Call,
  input: ImageInput,
  options: QueueOptions & ImageReadOptions,
  body: (image: CallImage) => Promise<T>,
): Promise<T> {
  const content = imageInMemory(input);
  const { opened, room } = content
    ? await inMemory(own, content, options)
    : await fromElsewhere(own, input, options);
  const release = () => call(() => native().releaseRoom(room));
  const loading = load(own, opened);
  let image: CallImage;
  try {
    image = await own.untilStopped(loading);
  } catch (error) {
    // A decoder that runs on after an abort holds memory until it ends.
    loading
      .then(({ handle }) => native().releaseImage(handle))
      .catch(() => {})
      .finally(release);
    throw error;
  }
  try {
    const name = imageName(input);
    return await body(name === undefined ? image : { ...image, name });
  } finally {
    call(() => native().releaseImage(image.handle));
    release();
  }
}

/** {@link withImage} as a separate call on a model. A disposed model is refused before an image is decoded. */
export async function withModelImage<T>(
  model: LoadedModel,
  input: ImageInput,
  options: CallOptions & QueueOptions & ImageReadOptions,
  body: (own: Call, image: CallImage) => Promise<T>,
): Promise<T> {
  void model.handle;
  return withCall(options, (own) => {
    model.join(own);
    return withImage(own, input, options, (loaded) => body(own, loaded));
  });
}

/** Waits for room for an image in the caller's memory, which is copied only afterwards. */
async function inMemory(
  own: Call,
  content: ImageContent,
  options: QueueOptions & ImageReadOptions,
): Promise<{ opened: Opened; room: RoomHandle }> {
  const readOptions = readOptionsIn(options);
  const encoded = types.isUint8Array(content);
  const held = encoded ? content.byteLength : 0;
  const open = (source: ImageContent) =>
    openImage(source, readOptions).catch((error: unknown) => {
      throw encoded && content.byteLength !== held ? transferred() : error;
    });
  const turn = arrivals.join();
  let header: OpenedImage;
  let room: RoomHandle;
  try {
    header = await own.untilStopped(open(content));
    await own.untilStopped(turn.reached);
    const requested = takeRoom(own, header.bytes + held, options);
    turn.leave();
    room = await requested;
  } finally {
    turn.leave();
  }
  // The memory may have changed while the call waited.
  const decode = async () => {
    const read = encoded ? await copyBytes(own, content, held) : content;
    try {
      const opened = await open(read);
      if (opened.bytes > header.bytes) throw changed();
      return await opened.decode();
    } finally {
      if (encoded) discard(read as Uint8Array);
    }
  };
  return { opened: { bytes: header.bytes, decode, held, owned: encoded }, room };
}

const transferred = () =>
  refuse('image', 'memory that is not transferred before the call has settled', 'a transferred array');

const changed = () =>
  refuse('image', 'memory that does not change before the call has settled', 'changed bytes');

/** Reads an image from a path, a URL or a stream, and waits for room for its pixels. */
async function fromElsewhere(
  own: Call,
  input: ImageInput,
  options: QueueOptions & ImageReadOptions,
): Promise<{ opened: Opened; room: RoomHandle }> {
  const readOptions = readOptionsIn(options);
  const { limits } = checkReadOptions(readOptions);
  const leave = await reading.enter(own);
  try {
    const content = await own.untilStopped(readImage(input, { signal: own.signal, maxBytes: limits.bytes }));
    const header = await own.untilStopped(openImage(content, readOptions));
    const held = types.isUint8Array(content) ? content.byteLength : 0;
    const room = await takeRoom(own, header.bytes + held, options);
    return { opened: { ...header, held, owned: true }, room };
  } finally {
    leave();
  }
}

/** Decodes an image and moves its pixels to native memory. */
async function load(own: Call, { decode, owned }: Opened): Promise<CallImage> {
  const startTime = performance.now();
  const decoded = await decode();
  const decodeSeconds = (performance.now() - startTime) / 1000;
  const byTypeRange = await fitIntensity({ kind: 'type-range' }, decoded).then(
    (notices) => ({ notices }),
    (error: unknown) => ({ error }),
  );
  own.throwIfStopped();
  const handle = call(() => native().createImage(decoded));
  try {
    await inParts(
      decoded.data.length,
      PART_BYTES / decoded.data.BYTES_PER_ELEMENT,
      (begin, end) => call(() => native().appendPixels(handle, decoded.data, begin, end)),
      () => own.throwIfStopped(),
    );
  } catch (error) {
    call(() => native().releaseImage(handle));
    throw error;
  }
  if (owned) discard(decoded.data);
  const { width, height, source } = decoded;
  return { width, height, handle, decodeSeconds, source, byTypeRange };
}

/** Copies bytes for the decoder, whose threads must not see memory that the caller transfers or changes. */
async function copyBytes(own: Call, bytes: Uint8Array, byteLength: number): Promise<Uint8Array> {
  const copy = Buffer.allocUnsafeSlow(byteLength);
  await copyInParts(bytes, copy, 0, () => {
    own.throwIfStopped();
    if (bytes.byteLength !== byteLength) throw transferred();
  });
  return copy;
}

/** Frees the library's own bytes immediately: garbage collection may take long to free hundreds of MB. */
function discard(data: RawImage['data']): void {
  const { buffer } = data;
  // A small array may share its buffer with others.
  if (data.byteLength >= PART_BYTES && buffer.byteLength === data.byteLength) {
    call(() => native().discardPixels(data));
  }
}
