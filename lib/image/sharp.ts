import sharp, { type Metadata, type Sharp } from 'sharp';
import { CellrouteError } from '../errors.js';
import type { ImageFormat } from './format.js';
import type { RawImage } from './types.js';

/** Arguments with which sharp does not convert values. */
export interface PixelType {
  space: 'b-w' | 'grey16' | 'srgb' | 'rgb16' | 'scrgb' | 'cmyk';
  depth: 'uchar' | 'ushort' | 'float';
  array: Uint8ArrayConstructor | Uint16ArrayConstructor | Float32ArrayConstructor;
  samples: number;
}

/** By sharp's colour space and sample type. */
const pixelTypes: Record<string, PixelType> = {
  'b-w uchar': { space: 'b-w', depth: 'uchar', array: Uint8Array, samples: 1 },
  'srgb uchar': { space: 'srgb', depth: 'uchar', array: Uint8Array, samples: 3 },
  'cmyk uchar': { space: 'cmyk', depth: 'uchar', array: Uint8Array, samples: 4 },
  'grey16 ushort': { space: 'grey16', depth: 'ushort', array: Uint16Array, samples: 1 },
  'rgb16 ushort': { space: 'rgb16', depth: 'ushort', array: Uint16Array, samples: 3 },
  'b-w float': { space: 'b-w', depth: 'float', array: Float32Array, samples: 1 },
  'scrgb float': { space: 'scrgb', depth: 'float', array: Float32Array, samples: 3 },
};

/** @throws {CellrouteError} IMAGE_UNSUPPORTED for types that sharp would silently convert. */
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

/** Type of one grey channel with this number of bits. */
export function greyType(bits: number, isFloat: boolean): PixelType {
  return pixelTypes[isFloat ? 'b-w float' : bits === 16 ? 'grey16 ushort' : 'b-w uchar']!;
}

/**
 * Treats warnings as errors where they mean damage: libvips only warns about a damaged tile, and libjpeg about damaged
 * entropy-coded data. TIFFs are read through a directory of ours without unusual tags, so they have no other warnings.
 */
function open(bytes: Uint8Array, format: ImageFormat, page: number): Sharp {
  return sharp(bytes, {
    failOn: format === 'TIFF' || format === 'JPEG' ? 'warning' : 'error',
    ignoreIcc: true,
    autoOrient: true,
    // These limits are checked here, where the error can name the numbers.
    limitInputPixels: false,
    limitInputChannels: false,
    page,
    pages: 1,
  });
}

/** Reads the header without decoding pixels. */
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

/** Decodes in libuv's thread pool. `channel` extracts one of the first four. */
export async function decodePixels(
  bytes: Uint8Array,
  format: ImageFormat,
  { space, depth, array }: PixelType,
  { page = 0, channel }: { page?: number; channel?: 0 | 1 | 2 | 3 } = {},
): Promise<Decoded> {
  try {
    const opened = open(bytes, format, page);
    const image = (channel === undefined ? opened.removeAlpha() : opened.extractChannel(channel))
      // Without these two, sharp converts everything to 8-bit sRGB.
      .toColourspace(space)
      .raw({ depth });
    if (space === 'cmyk') image.pipelineColourspace('cmyk');
    const { data, info } = await image.toBuffer({ resolveWithObject: true });
    return { data: typedView(data, array), width: info.width, height: info.height, channels: info.channels };
  } catch (error) {
    throw unreadable(format, error);
  }
}

/** Bytes as an array of their sample type; copied only if their address does not allow a view. */
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
  // libvips repeats a message on several lines.
  const lines = text.replace(/^Input buffer has corrupt header: /, '').split('\n');
  return [...new Set(lines.map((line) => line.trim()).filter(Boolean))].join('; ') || 'its header is damaged';
}

/** Refuses a JPEG stream inside a TIFF whose decoding gives a warning. */
export async function checkJpeg(bytes: Uint8Array, name: string): Promise<void> {
  try {
    await open(bytes, 'JPEG', 0).raw().toBuffer();
  } catch (error) {
    throw unreadable('TIFF', new Error(`${name}: ${reasonOf(error)}`, { cause: error }));
  }
}
