import { types } from 'node:util';
import { untilAborted } from '../abort.js';
import { checkKeys, indexIn, refuse } from '../check.js';
import { CellrouteError } from '../errors.js';
import { type ImageFormat, recognise } from './format.js';
import { imageInMemory, readImage } from './input.js';
import { checkJpegFrame } from './jpeg.js';
import { checkSize } from './limits.js';
import { cmykToRgb, pickChannels } from './pixels.js';
import { checkRawImage } from './raw.js';
import { checkAxis, checkReadOptions, READ_KEYS, resolveChannels, type Selection } from './select.js';
import { decodePixels, type PixelType, pixelTypeOf, readMetadata } from './sharp.js';
import { decodeTiff, planTiff, type TiffPlan } from './tiff/read.js';
import type { ImageInput, ImageReadOptions, ImageSource, RawImage } from './types.js';

export interface DecodeOptions extends ImageReadOptions {
  /** Rejects immediately with `signal.reason`; decoding finishes in the background and its result is discarded. */
  signal?: AbortSignal | undefined;
}

/** Properties of the image that {@link decodeImage} would return, from the file's header. */
export interface ImageInfo {
  width: number;
  height: number;
  source: ImageSource;
}

/**
 * Decodes an image to the stored pixel values: no colour profile, gamma or alpha is applied.
 *
 * Encoded bytes are PNG, JPEG, WebP or TIFF. The result has 1 channel (grey) or 3 (RGB); alpha is ignored, and colours of
 * transparent pixels are kept. 16-bit samples and 32-bit floats keep their type; fewer than 8 bits are scaled to 0..255.
 * The values equal Pillow's `ImageOps.exif_transpose(Image.open(file)).convert('RGB')`: the orientation tag is applied, and
 * CMYK is converted to RGB without a profile. Raw pixels are checked and copied. docs/images.md lists all kinds of files.
 *
 * The input is copied before the call returns, so the caller may change or transfer it immediately.
 *
 * Decoding runs in libuv's thread pool, one thread per image (UV_THREADPOOL_SIZE limits the number). sharp's process-wide
 * settings (`sharp.cache`, `sharp.concurrency`) belong to the application and are not changed.
 *
 * @throws {CellrouteError} INVALID_ARGUMENT (input or options), IMAGE_UNSUPPORTED (an unsupported format, sample type or number
 *   of channels), IMAGE_TOO_LARGE (above a limit), IMAGE_UNREADABLE (damaged or unknown bytes).
 */
export async function decodeImage(input: ImageInput, options: DecodeOptions = {}): Promise<RawImage> {
  checkKeys('', options, ['signal', ...READ_KEYS]);
  const { signal, ...how } = options;
  const selection = checkReadOptions(how);
  signal?.throwIfAborted();
  const given = imageInMemory(input);
  const content = given ?? (await readImage(input, { signal, maxBytes: selection.limits.bytes }));
  if (isBytes(content)) {
    const opened = openBytes(given ? new Uint8Array(content) : content, selection);
    return untilAborted(
      opened.then((image) => image.decode()),
      signal,
    );
  }
  const raw = await (await openRaw(content, selection)).decode();
  if (!given || raw.data !== content.data) return raw;
  // Buffer.slice shares memory, so a Buffer is copied differently.
  return { ...raw, data: types.isUint8Array(raw.data) ? new Uint8Array(raw.data) : raw.data.slice() };
}

/** An image with a checked header, whose pixels have not been decoded. */
export interface OpenedImage {
  /** Size of the decoded pixels in bytes. */
  readonly bytes: number;
  /** Decodes the pixels. Raw pixels are the caller's array, not a copy. */
  decode(): Promise<RawImage>;
}

/**
 * Reads the header of an image, so that its size is known before memory is allocated for its pixels. Refuses the same
 * inputs as {@link decodeImage}. Does not copy: the input must not change until `decode()` has settled. @internal
 */
export async function openImage(input: ImageInput, options: ImageReadOptions = {}): Promise<OpenedImage> {
  const selection = checkReadOptions(options);
  const content = imageInMemory(input) ?? (await readImage(input, { maxBytes: selection.limits.bytes }));
  return isBytes(content) ? openBytes(content, selection) : openRaw(content, selection);
}

async function openBytes(bytes: Uint8Array, selection: Selection): Promise<OpenedImage> {
  const plan = await planOf(bytes, selection);
  return { bytes: plan.bytes, decode: () => decodePlan(plan) };
}

async function openRaw(input: RawImage, selection: Selection): Promise<OpenedImage> {
  const raw = checkRawImage('image', input, selection.limits);
  refuseAxes('raw pixels', selection);
  if (selection.page) throw refuse('page', '0, as raw pixels have one page', selection.page);
  const kept = { ...raw, ...(input.source && { source: input.source }) };
  const picks = selection.channels && resolveChannels(selection.channels, raw.channels, undefined);
  if (!picks) return { bytes: raw.data.byteLength, decode: async () => kept };
  return {
    bytes: (raw.data.byteLength / raw.channels) * picks.length,
    decode: async () => ({
      ...kept,
      data: await pickChannels(raw.data, raw.channels, picks),
      channels: picks.length as RawImage['channels'],
    }),
  };
}

/**
 * Reads from the headers of a file what {@link decodeImage} would return, and what else the file contains: pages, planes,
 * time points, channels and their names. Refuses what decodeImage refuses because of the headers.
 *
 * @throws {CellrouteError} INVALID_ARGUMENT, FILE_UNREADABLE, IMAGE_UNREADABLE, IMAGE_UNSUPPORTED, IMAGE_TOO_LARGE.
 */
export async function readImageInfo(input: ImageInput, options: ImageReadOptions = {}): Promise<ImageInfo> {
  checkKeys('', options, READ_KEYS);
  const selection = checkReadOptions(options);
  const content = imageInMemory(input) ?? (await readImage(input, { maxBytes: selection.limits.bytes }));
  if (!isBytes(content)) throw refuse('image', 'an encoded image, which has a header', content);
  const { width, height, source } = await planOf(content, selection);
  return { width, height, source };
}

function isBytes(input: unknown): input is Uint8Array {
  // Not instanceof: a Buffer may come from another realm (Jest, a vm context).
  return types.isUint8Array(input);
}

/** A plan for decoding: nothing has been decoded, and all limits have been checked. */
type Plan =
  | ({ format: 'TIFF' } & TiffPlan)
  | {
      format: 'PNG' | 'JPEG' | 'WebP';
      encoded: Uint8Array;
      /** Size of the decoded pixels in bytes. */
      bytes: number;
      type: PixelType;
      /** Channels to select from the decoded ones. */
      picks: readonly number[] | undefined;
      width: number;
      height: number;
      source: ImageSource;
    };

async function planOf(bytes: Uint8Array, selection: Selection): Promise<Plan> {
  const format = checkFormat(bytes);
  if (format === 'TIFF') return { format, ...planTiff(bytes, selection) };
  refuseAxes(`a ${format}`, selection);
  if (format === 'JPEG') checkJpegFrame(bytes);
  const first = await readMetadata(bytes, format);
  const frames = format === 'PNG' ? animationFrames(bytes) : (first.pages ?? 1);
  const { page = 0 } = selection;
  if (page >= frames) throw refuse('page', indexIn(frames), page);
  if (format === 'PNG' && page > 0) {
    throw new CellrouteError(
      'IMAGE_UNSUPPORTED',
      'The PNG cannot be used: of an animated PNG the first frame alone is read. To convert it: ffmpeg -i in.png -fps_mode passthrough frame-%d.png',
      { option: 'page', expected: '0', got: String(page) },
    );
  }
  const header = page === 0 ? first : await readMetadata(bytes, format, page);
  const type = pixelTypeOf(format, header);
  const { width, height } = header;
  const bytesPerPixel = header.channels * type.array.BYTES_PER_ELEMENT;
  checkSize({ width, height, bytesPerPixel, encodedBytes: bytes.byteLength }, selection.limits);
  const channels = type.samples === 1 ? 1 : 3;
  const picks = selection.channels && resolveChannels(selection.channels, channels, undefined);
  const isWhole = !picks || (picks.length === channels && picks.every((pick, i) => pick === i));
  const notices =
    frames > 1 && selection.page === undefined
      ? [`it has ${frames} frames; frame 0 was read${format === 'PNG' ? '' : ' (choose with page)'}`]
      : [];
  const { orientation } = header;
  return {
    format,
    encoded: bytes,
    bytes: header.width * header.height * bytesPerPixel,
    type,
    picks: isWhole ? undefined : picks,
    ...header.autoOrient,
    source: {
      format,
      page,
      pages: Array.from({ length: frames }, (_, i) => i),
      channels: picks ?? Array.from({ length: channels }, (_, i) => i),
      sizes: { channels, z: 1, t: 1 },
      ...(orientation !== undefined && orientation > 1 && { orientation }),
      notices,
    },
  };
}

async function decodePlan(plan: Plan): Promise<RawImage> {
  if (plan.format === 'TIFF') return decodeTiff(plan);
  const { format, encoded, type, picks, source } = plan;
  const decoded = await decodePixels(encoded, format, type, { page: source.page });
  const { width, height } = decoded;
  const isCmyk = type.space === 'cmyk';
  const whole = isCmyk ? await cmykToRgb(decoded.data as Uint8Array) : decoded.data;
  const channels = isCmyk ? 3 : decoded.channels;
  const data = picks ? await pickChannels(whole, channels, picks) : whole;
  return { data, width, height, channels: (picks?.length ?? channels) as RawImage['channels'], source };
}

function refuseAxes(what: string, { z, t }: Selection): void {
  checkAxis('z', z || undefined, undefined, what);
  checkAxis('t', t || undefined, undefined, what);
}

const FRAME_COUNT = Buffer.from('acTL', 'latin1').readUInt32BE();
const PIXELS = Buffer.from('IDAT', 'latin1').readUInt32BE();

/** Number of frames of an animated PNG; 1 for any other PNG. */
function animationFrames(bytes: Uint8Array): number {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  for (let at = 8; at + 16 <= bytes.byteLength; at += 12 + view.getUint32(at)) {
    const name = view.getUint32(at + 4);
    if (name === FRAME_COUNT) return Math.max(1, view.getUint32(at + 8));
    if (name === PIXELS) return 1;
  }
  return 1;
}

function checkFormat(bytes: Uint8Array): ImageFormat {
  if (bytes.byteLength === 0) throw refuse('image', 'an encoded image', bytes);
  const { supported, name, remedy } = recognise(bytes);
  if (supported) return supported;
  if (name) {
    throw new CellrouteError(
      'IMAGE_UNSUPPORTED',
      `The image is ${name}, which is not read; ${remedy ?? 'convert it to PNG, TIFF, JPEG or WebP'}`,
      { expected: 'PNG, TIFF, JPEG or WebP', got: name },
    );
  }
  const head = Buffer.from(bytes.subarray(0, 8))
    .toString('hex')
    .replaceAll(/..(?=.)/g, '$& ');
  throw new CellrouteError(
    'IMAGE_UNREADABLE',
    `The bytes are not an image in a supported format (PNG, TIFF, JPEG, WebP); they start with ${head}`,
    { expected: 'PNG, TIFF, JPEG or WebP', got: head },
  );
}
