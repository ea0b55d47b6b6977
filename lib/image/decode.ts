import { types } from 'node:util';
import { untilAborted } from '../abort.js';
import { checkKeys, refuse } from '../check.js';
import { CellrouteError } from '../errors.js';
import { type ImageFormat, recognise } from './format.js';
import { imageInMemory, readImage } from './input.js';
import { checkSize } from './limits.js';
import { cmykToRgb, pickChannels } from './pixels.js';
import { checkRawImage } from './raw.js';
import { checkAxis, checkReadOptions, READ_KEYS, resolveChannels, type Selection } from './select.js';
import { decodePixels, type PixelType, pixelTypeOf, readMetadata } from './sharp.js';
import { decodeTiff, planTiff, type TiffPlan } from './tiff/read.js';
import type { ImageInput, ImageReadOptions, ImageSource, RawImage } from './types.js';

export interface DecodeOptions extends ImageReadOptions {
  /** Rejects with `signal.reason` at once; decoding finishes in the background and its result is discarded. */
  signal?: AbortSignal | undefined;
}

/** What a file's header says of the image that {@link decodeImage} would give. */
export interface ImageInfo {
  width: number;
  height: number;
  source: ImageSource;
}

/**
 * The pixels of an image, as the file holds them: no colour profile or gamma is applied, no alpha multiplied in.
 *
 * Encoded bytes are PNG, JPEG, WebP or TIFF and give 1 channel (grey) or 3 (RGB); alpha is left out, and the colour
 * under transparent pixels stays. 16 bits per sample stay 16 and 32-bit floats stay floats; fewer than 8 bits are
 * spread over 0..255. The values are those of Pillow's `ImageOps.exif_transpose(Image.open(file)).convert('RGB')`:
 * the orientation tag is obeyed; CMYK becomes RGB without a profile. Raw pixels are checked and copied. What each
 * kind of file gives: docs/images.md.
 *
 * The caller's memory is copied before this returns: it may be changed, reused or handed to a worker at once.
 *
 * Decoding runs in libuv's thread pool, one thread per image (UV_THREADPOOL_SIZE bounds how many at once). sharp's
 * process-wide settings (`sharp.cache`, `sharp.concurrency`) are the application's and are not touched here.
 *
 * @throws {CellrouteError} INVALID_ARGUMENT (input or options), IMAGE_UNSUPPORTED (a format, sample type or number of
 *   channels that is not read), IMAGE_TOO_LARGE (above a limit), IMAGE_UNREADABLE (damaged or unknown bytes).
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
  // A Buffer's own slice shares its memory
  return { ...raw, data: types.isUint8Array(raw.data) ? new Uint8Array(raw.data) : raw.data.slice() };
}

/** An image whose header was checked and whose pixels were not decoded. */
export interface OpenedImage {
  /** Bytes of the decoded pixels. */
  readonly bytes: number;
  /** The pixels, decoded. Raw pixels are the caller's own array, not a copy. */
  decode(): Promise<RawImage>;
}

/**
 * Reads an image's header, so that its size is known before memory is allocated for its pixels. Refuses what
 * {@link decodeImage} refuses. Does not copy: the input must not change until `decode()` has settled. @internal
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
 * What {@link decodeImage} would give and what else the file holds, from its headers: pages, planes, time points,
 * channels and their names. Refuses what decodeImage would refuse by them.
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

/** What will be decoded: nothing has been, and all limits hold. */
type Plan =
  | ({ format: 'TIFF' } & TiffPlan)
  | {
      format: 'PNG' | 'JPEG' | 'WebP';
      encoded: Uint8Array;
      /** Of the decoded pixels. */
      bytes: number;
      type: PixelType;
      /** Channels to pick of those that are decoded. */
      picks: readonly number[] | undefined;
      width: number;
      height: number;
      source: ImageSource;
    };

async function planOf(bytes: Uint8Array, selection: Selection): Promise<Plan> {
  const format = checkFormat(bytes);
  if (format === 'TIFF') return { format, ...planTiff(bytes, selection) };
  refuseAxes(`a ${format}`, selection);
  const first = await readMetadata(bytes, format);
  const frames = format === 'PNG' ? animationFrames(bytes) : (first.pages ?? 1);
  const { page = 0 } = selection;
  if (page >= frames) throw refuse('page', `a page of the image's ${frames}, from 0`, page);
  if (format === 'PNG' && page > 0) {
    throw new CellrouteError(
      'IMAGE_UNSUPPORTED',
      'The PNG cannot be used: of an animated PNG the first frame alone is read. To convert it: ffmpeg -i in.png frame-%d.png',
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

/** How many frames an animated PNG says it has; 1 of any other. */
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
    `The bytes are no image known here: PNG, TIFF, JPEG and WebP are read, these begin with ${head}`,
    { expected: 'PNG, TIFF, JPEG or WebP', got: head },
  );
}
