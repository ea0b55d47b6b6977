import sharp, { type Metadata, type Sharp } from 'sharp';
import { CellrouteError } from '../errors.js';
import type { ImageFormat } from './format.js';
import type { RawImage } from './types.js';

/** How sharp must be asked so that nothing is converted. */
export interface PixelType {
  space: 'b-w' | 'grey16' | 'srgb' | 'rgb16' | 'scrgb' | 'cmyk';
  depth: 'uchar' | 'ushort' | 'float';
  array: Uint8ArrayConstructor | Uint16ArrayConstructor | Float32ArrayConstructor;
  samples: number;
}

/** By the colour space and the type of samples that sharp finds. */
const pixelTypes: Record<string, PixelType> = {
  'b-w uchar': { space: 'b-w', depth: 'uchar', array: Uint8Array, samples: 1 },
  'srgb uchar': { space: 'srgb', depth: 'uchar', array: Uint8Array, samples: 3 },
  'cmyk uchar': { space: 'cmyk', depth: 'uchar', array: Uint8Array, samples: 4 },
  'grey16 ushort': { space: 'grey16', depth: 'ushort', array: Uint16Array, samples: 1 },
  'rgb16 ushort': { space: 'rgb16', depth: 'ushort', array: Uint16Array, samples: 3 },
  'b-w float': { space: 'b-w', depth: 'float', array: Float32Array, samples: 1 },
  'scrgb float': { space: 'scrgb', depth: 'float', array: Float32Array, samples: 3 },
};

/** @throws {CellrouteError} IMAGE_UNSUPPORTED: sharp would convert other types without a word. */
export function pixelTypeOf(format: ImageFormat, header: Metadata): PixelType {
  const type = pixelTypes[`${header.space} ${header.depth}`];
  if (type && header.channels - (header.hasAlpha ? 1 : 0) === type.samples) return type;
  const bits = header.bitsPerSample ? `${header.bitsPerSample}-bit ` : '';
  throw new CellrouteError(
    'IMAGE_UNSUPPORTED',
    `The ${format} cannot be used: its samples are ${bits}${header.depth} (${header.space}, ${header.channels} channels); 8 or 16 bits unsigned and 32-bit floats, grey, RGB or 8-bit CMYK, are read`,
    { got: `${bits}${header.depth} (${header.space})` },
  );
}

/** One grey channel of this many bits. */
export function greyType(bits: number, isFloat: boolean): PixelType {
  return pixelTypes[isFloat ? 'b-w float' : bits === 16 ? 'grey16 ushort' : 'b-w uchar']!;
}

/**
 * Damage is an error. A TIFF is read through a directory of ours, which has no odd tags to warn of, and libvips calls
 * a damaged tile a mere warning; libjpeg calls damaged entropy-coded data one.
 */
function open(bytes: Uint8Array, format: ImageFormat, page: number): Sharp {
  return sharp(bytes, {
    failOn: format === 'TIFF' || format === 'JPEG' ? 'warning' : 'error',
    ignoreIcc: true,
    autoOrient: true,
    // All three are checked here, where the refusal can name the numbers
    limitInputPixels: false,
    limitInputChannels: false,
    page,
    pages: 1,
  });
}

/** What the header says; no pixel is decoded. */
export async function readMetadata(bytes: Uint8Array, format: ImageFormat, page = 0): Promise<Metadata> {
  try {
    return await open(bytes, format, page).metadata();
  } catch (error) {
    throw unreadable(format, error);
  }
}

export interface Decoded {
  data: RawImage['data'];
  width: number;
  height: number;
  channels: number;
}

/** Decodes in libuv's pool. `channel` extracts one of the first four. */
export async function decodePixels(
  bytes: Uint8Array,
  format: ImageFormat,
  { space, depth, array }: PixelType,
  { page = 0, channel }: { page?: number; channel?: 0 | 1 | 2 | 3 } = {},
): Promise<Decoded> {
  try {
    const opened = open(bytes, format, page);
    const image = (channel === undefined ? opened.removeAlpha() : opened.extractChannel(channel))
      // Without these two sharp turns everything into 8-bit sRGB
      .toColourspace(space)
      .raw({ depth });
    if (space === 'cmyk') image.pipelineColourspace('cmyk');
    const { data, info } = await image.toBuffer({ resolveWithObject: true });
    return { data: typedView(data, array), width: info.width, height: info.height, channels: info.channels };
  } catch (error) {
    throw unreadable(format, error);
  }
}

/** Bytes as the values that they are of; copied only where their address does not allow a view. */
export function typedView(bytes: Buffer, ArrayType: PixelType['array']): RawImage['data'] {
  const length = bytes.byteLength / ArrayType.BYTES_PER_ELEMENT;
  if (bytes.byteOffset % ArrayType.BYTES_PER_ELEMENT === 0) {
    return new ArrayType(bytes.buffer as ArrayBuffer, bytes.byteOffset, length);
  }
  return new ArrayType(new Uint8Array(bytes).buffer, 0, length);
}

export function unreadable(format: ImageFormat, error: unknown): CellrouteError {
  const got = reasonOf(error);
  return new CellrouteError(
    'IMAGE_UNREADABLE',
    `The ${format} cannot be read: ${got}`,
    { got },
    { cause: error },
  );
}

function reasonOf(error: unknown): string {
  const text = error instanceof Error ? error.message : String(error);
  // libvips says one thing several times, a line each
  const lines = text.replace(/^Input buffer has corrupt header: /, '').split('\n');
  return [...new Set(lines.map((line) => line.trim()).filter(Boolean))].join('; ') || 'its header is damaged';
}

/** Refuses a JPEG stream inside a TIFF that does not decode without a warning. */
export async function checkJpeg(bytes: Uint8Array, name: string): Promise<void> {
  try {
    await open(bytes, 'JPEG', 0).raw().toBuffer();
  } catch (error) {
    throw unreadable('TIFF', new Error(`${name}: ${reasonOf(error)}`, { cause: error }));
  }
}
