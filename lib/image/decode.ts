import { constants } from 'node:buffer';
import { types } from 'node:util';
import sharp, { type Metadata, type Sharp } from 'sharp';
import { untilAborted } from '../abort.js';
import { checkKeys, checkNumber, refuse } from '../check.js';
import { CellrouteError } from '../errors.js';
import { type ImageFormat, recognise } from './format.js';
import { checkPixels, checkRawImage } from './raw.js';
import { isTiled } from './tiff.js';
import type { ImageInput, RawImage } from './types.js';

export interface DecodeOptions {
  /** Rejects with `signal.reason` at once; decoding finishes in the background and its result is discarded. */
  signal?: AbortSignal;
  /** Images of more pixels are refused before memory is taken for them. Default 1e9. */
  maxPixels?: number;
  /** Page of a TIFF, or frame of an animated WebP, from 0. Default 0. */
  page?: number;
}

const defaultMaxPixels = 1e9;

/**
 * The pixels of an image, as the file holds them: no colour profile or gamma is applied, no alpha multiplied in.
 *
 * Encoded bytes are PNG, JPEG, WebP or TIFF and give 1 channel (grey) or 3 (RGB); alpha is left out, and the colour
 * under transparent pixels stays. 16 bits per sample stay 16 and 32-bit floats stay floats; fewer than 8 bits are
 * spread over 0..255. The values are those of Pillow's `Image.open(file).convert('RGB')`: a JPEG's orientation tag
 * is not obeyed, a TIFF's is; CMYK becomes RGB without a profile. Raw pixels are checked and copied.
 *
 * The caller's memory is copied before this returns: it may be changed, reused or handed to a worker at once.
 *
 * Decoding runs in libuv's thread pool, one thread an image (UV_THREADPOOL_SIZE bounds how many at once). sharp's
 * process-wide settings (`sharp.cache`, `sharp.concurrency`) are the application's and are not touched here.
 *
 * @throws {CellrouteError} INVALID_ARGUMENT (input or options), IMAGE_UNSUPPORTED (a format, sample type or size
 *   that is not read), IMAGE_UNREADABLE (damaged or unknown bytes).
 */
export async function decodeImage(input: ImageInput, options: DecodeOptions = {}): Promise<RawImage> {
  checkKeys('', options, ['signal', 'maxPixels', 'page']);
  const { signal, ...how } = options;
  const { maxPixels, page } = checkDecodeOptions(how);
  signal?.throwIfAborted();
  if (isBytes(input)) return untilAborted(decodeBytes(new Uint8Array(input), maxPixels, page), signal);
  const raw = checkRawImage('image', checkIsRaw(input), maxPixels);
  // A Buffer's own slice shares its memory
  return { ...raw, data: types.isUint8Array(raw.data) ? Uint8Array.from(raw.data) : raw.data.slice() };
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
export async function openImage(
  input: ImageInput,
  options: Omit<DecodeOptions, 'signal'> = {},
): Promise<OpenedImage> {
  const { maxPixels, page } = checkDecodeOptions(options);
  if (isBytes(input)) return openBytes(input, maxPixels, page);
  const raw = checkRawImage('image', checkIsRaw(input), maxPixels);
  return { bytes: raw.data.byteLength, decode: async () => raw };
}

function checkDecodeOptions(options: Omit<DecodeOptions, 'signal'>): { maxPixels: number; page: number } {
  return {
    maxPixels: checkNumber('maxPixels', options.maxPixels ?? defaultMaxPixels, { min: 1 }),
    page: checkNumber('page', options.page ?? 0, { min: 0, integer: true }),
  };
}

/**
 * Width and height that {@link decodeImage} would give, from the file's header; refuses what it would refuse by its
 * header.
 */
export async function readImageSize(bytes: Uint8Array): Promise<{ width: number; height: number }> {
  const format = checkFormat(bytes);
  const header = await readHeader(bytes, format, 0);
  checkLayout(format, header);
  // A TIFF's orientation is obeyed when it is decoded.
  const { width, height } = format === 'TIFF' ? header.autoOrient : header;
  checkPixels(width, height, defaultMaxPixels);
  return { width, height };
}

function isBytes(input: unknown): input is Uint8Array {
  // Not instanceof: a Buffer may come from another realm (Jest, a vm context).
  return types.isUint8Array(input);
}

function checkIsRaw(input: unknown): object {
  const expected = 'an encoded image (Buffer or Uint8Array) or { data, width, height, channels }';
  if (typeof input === 'string') {
    throw refuse('image', `${expected}; a path is not opened here, read the file first`, input);
  }
  if (types.isAnyArrayBuffer(input)) {
    throw refuse('image', `${expected}; wrap it in new Uint8Array(buffer)`, input);
  }
  if (typeof Blob !== 'undefined' && input instanceof Blob) {
    throw refuse('image', `${expected}; take new Uint8Array(await blob.arrayBuffer())`, input);
  }
  if (typeof input === 'object' && input !== null && 'then' in input) {
    throw refuse('image', `${expected}; this is a promise, await it first`, input);
  }
  if (ArrayBuffer.isView(input)) {
    throw refuse('image', `${expected}; pixels need their width, height and channels beside them`, input);
  }
  if (typeof input !== 'object' || input === null || Array.isArray(input)) {
    throw refuse('image', expected, input);
  }
  return input;
}

async function decodeBytes(bytes: Uint8Array, maxPixels: number, page: number): Promise<RawImage> {
  return (await openBytes(bytes, maxPixels, page)).decode();
}

async function openBytes(bytes: Uint8Array, maxPixels: number, page: number): Promise<OpenedImage> {
  const format = checkFormat(bytes);
  const header = await readHeader(bytes, format, page);
  const layout = checkLayout(format, header);
  checkPixels(header.width, header.height, maxPixels);
  const size = header.width * header.height * layout.samples * layout.array.BYTES_PER_ELEMENT;
  if (size > constants.MAX_LENGTH) {
    throw unsupported(
      format,
      `its ${header.width} × ${header.height} pixels need ${size} bytes, over Node's limit`,
    );
  }
  return { bytes: size, decode: () => decodePixels(bytes, format, layout, page) };
}

async function decodePixels(
  bytes: Uint8Array,
  format: ImageFormat,
  layout: Layout,
  page: number,
): Promise<RawImage> {
  try {
    const image = open(bytes, format, page)
      .removeAlpha()
      // Without these two sharp turns everything into 8-bit sRGB
      .toColourspace(layout.space)
      .raw({ depth: layout.depth });
    if (layout.space === 'cmyk') image.pipelineColourspace('cmyk');
    const { data, info } = await image.toBuffer({ resolveWithObject: true });
    const values = layout.space === 'cmyk' ? cmykToRgb(data) : view(data, layout.array);
    const channels = (layout.space === 'cmyk' ? 3 : info.channels) as RawImage['channels'];
    return { data: values, width: info.width, height: info.height, channels };
  } catch (error) {
    throw unreadable(format, error);
  }
}

function checkFormat(bytes: Uint8Array): ImageFormat {
  if (bytes.byteLength === 0) throw refuse('image', 'an encoded image', bytes);
  const { supported, name } = recognise(bytes);
  if (supported) return supported;
  if (name) {
    throw new CellrouteError(
      'IMAGE_UNSUPPORTED',
      `The image is ${name}, which is not read; convert it to PNG, TIFF, JPEG or WebP`,
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

/**
 * Damage is an error, an odd tag is not. libvips calls a damaged or missing tile, which it fills with black, a mere
 * warning, so tiled files are read at that level, where odd tags count too.
 */
function open(bytes: Uint8Array, format: ImageFormat, page = 0): Sharp {
  const tiled = format === 'TIFF' && isTiled(bytes, page);
  return sharp(bytes, {
    failOn: tiled ? 'warning' : 'error',
    ignoreIcc: true,
    // As Pillow
    autoOrient: format === 'TIFF',
    // Both are checked here, where the refusal can name the numbers
    limitInputPixels: false,
    limitInputChannels: false,
    page,
    pages: 1,
  });
}

async function readHeader(bytes: Uint8Array, format: ImageFormat, page: number): Promise<Metadata> {
  const first = await open(bytes, format)
    .metadata()
    .catch((error: unknown) => {
      throw headerRefusal(format, error);
    });
  if (page === 0) return first;
  const pages = first.pages ?? 1;
  if (page >= pages) throw refuse('page', `a page of the image's ${pages}, from 0`, page);
  return open(bytes, format, page)
    .metadata()
    .catch((error: unknown) => {
      throw headerRefusal(format, error);
    });
}

interface Layout {
  space: 'b-w' | 'grey16' | 'srgb' | 'rgb16' | 'scrgb' | 'cmyk';
  depth: 'uchar' | 'ushort' | 'float';
  array: Uint8ArrayConstructor | Uint16ArrayConstructor | Float32ArrayConstructor;
  samples: number;
}

/** How sharp must be asked so that nothing is converted, by the colour space and sample type it found. */
const layouts: Record<string, Layout> = {
  'b-w uchar': { space: 'b-w', depth: 'uchar', array: Uint8Array, samples: 1 },
  'srgb uchar': { space: 'srgb', depth: 'uchar', array: Uint8Array, samples: 3 },
  'cmyk uchar': { space: 'cmyk', depth: 'uchar', array: Uint8Array, samples: 4 },
  'grey16 ushort': { space: 'grey16', depth: 'ushort', array: Uint16Array, samples: 1 },
  'rgb16 ushort': { space: 'rgb16', depth: 'ushort', array: Uint16Array, samples: 3 },
  'b-w float': { space: 'b-w', depth: 'float', array: Float32Array, samples: 1 },
  'scrgb float': { space: 'scrgb', depth: 'float', array: Float32Array, samples: 3 },
};

function checkLayout(format: ImageFormat, header: Metadata): Layout {
  const layout = layouts[`${header.space} ${header.depth}`];
  // Signed samples and 16-bit floats are among these: sharp would clip them in silence
  if (!layout) {
    throw unsupported(
      format,
      `its samples are ${header.bitsPerSample ? `${header.bitsPerSample}-bit ` : ''}${header.depth} (${header.space}); 8 or 16 bits unsigned and 32-bit floats, grey, RGB or 8-bit CMYK, are read`,
    );
  }
  const colour = header.channels - (header.hasAlpha ? 1 : 0);
  if (colour !== layout.samples) {
    throw unsupported(
      format,
      `it has ${header.channels} channels that are not grey or RGB; save one channel`,
    );
  }
  return layout;
}

function view(bytes: Buffer, ArrayType: Layout['array']): RawImage['data'] {
  const length = bytes.byteLength / ArrayType.BYTES_PER_ELEMENT;
  if (bytes.byteOffset % ArrayType.BYTES_PER_ELEMENT === 0) {
    return new ArrayType(bytes.buffer as ArrayBuffer, bytes.byteOffset, length);
  }
  return new ArrayType(new Uint8Array(bytes).buffer, 0, length);
}

/** Each ink covers its share of what black leaves. */
function cmykToRgb(cmyk: Uint8Array): Uint8Array {
  const rgb = new Uint8Array((cmyk.length / 4) * 3);
  for (let from = 0, to = 0; from < cmyk.length; from += 4, to += 3) {
    const white = 255 - cmyk[from + 3]!;
    for (let ink = 0; ink < 3; ink++) {
      rgb[to + ink] = white - Math.round((cmyk[from + ink]! * white) / 255);
    }
  }
  return rgb;
}

function unsupported(format: ImageFormat, why: string): CellrouteError {
  return new CellrouteError('IMAGE_UNSUPPORTED', `The ${format} cannot be used: ${why}`, { got: why });
}

function headerRefusal(format: ImageFormat, error: unknown): CellrouteError {
  // libvips' words for samples wider than 32 bits
  if (/out of range|unsupported/i.test(String(error))) return unsupported(format, said(error));
  return unreadable(format, error);
}

function unreadable(format: ImageFormat, error: unknown): CellrouteError {
  const got = said(error);
  return new CellrouteError(
    'IMAGE_UNREADABLE',
    `The ${format} cannot be read: ${got}`,
    { got },
    { cause: error },
  );
}

function said(error: unknown): string {
  const text = error instanceof Error ? error.message : String(error);
  // libvips says one thing several times, a line each
  const lines = text.replace(/^Input buffer has corrupt header: /, '').split('\n');
  return [...new Set(lines.map((line) => line.trim()).filter(Boolean))].join('; ');
}
