import sharp from 'sharp';
import { checkLimits, checkSize } from '../image/limits.js';
import { type NewEntry, TAG, type TiffDirectory, TiffFile } from '../image/tiff/directory.js';
import { CONVERT, readCompressions } from '../image/tiff/layout.js';
import { readPages } from '../image/tiff/pages.js';

/** Values of one channel in row order. */
export type LabelValues =
  | Uint8Array
  | Int8Array
  | Uint16Array
  | Int16Array
  | Uint32Array
  | Int32Array
  | Float32Array
  | Float64Array;

export interface LabelPixels {
  values: LabelValues;
  width: number;
  height: number;
}

/** Lossy compressions: JPEG, JPEG 2000, lossy DNG, WebP and JPEG XL. */
const LOSSY: ReadonlySet<number> = new Set([6, 7, 33003, 33004, 33005, 34712, 34892, 50001, 50002, 52546]);

/** A colour per cell, as CVAT and Pascal VOC write it: black is background. */
export const IN_COLOUR =
  'its labels are in colour; whole numbers in one channel are read. To number the colours: pip install numpy pillow && ' +
  "python -c \"import numpy as n; from PIL import Image; a = n.array(Image.open('in.png').convert('RGB')).astype('uint32'); " +
  'c = n.append(0, a[..., 0] << 16 | a[..., 1] << 8 | a[..., 2]); ' +
  "Image.fromarray(n.unique(c, return_inverse=True)[1][1:].reshape(a.shape[:2]).astype('uint16')).save('out.png')\"";

/** SampleFormat. */
const SIGNED = 2;
const FLOAT = 3;

/** Tags of the location and compression of the pixels. The decoder needs no others. */
const KEPT_TAGS = [
  TAG.height,
  TAG.compression,
  TAG.fillOrder,
  TAG.orientation,
  TAG.predictor,
  TAG.rowsPerStrip,
  TAG.stripOffsets,
  TAG.stripByteCounts,
  TAG.tileHeight,
  TAG.tileOffsets,
  TAG.tileByteCounts,
];

/**
 * Reads the values of a label image in a TIFF: integers of any width, or floats. A palette or an inverted scale is only
 * for display and is ignored.
 *
 * @returns the values, or the reason why the file is not a label image.
 * @throws if the file is damaged, or its compression is not supported.
 */
export async function readLabelTiff(bytes: Uint8Array): Promise<LabelPixels | { reason: string }> {
  const file = new TiffFile(bytes);
  const { all, planes } = readPages(file);
  if (planes.length > 1) {
    return {
      reason: `its labels have ${planes.length} pages: save one page per image, in which 0 is background and each cell has its own number`,
    };
  }
  const { directory } = all[planes[0]!]!;
  const number = (tag: number, missing: number) => file.number(directory, tag) ?? missing;
  const compression = number(TAG.compression, 1);
  if (LOSSY.has(compression)) {
    return {
      reason: `its labels use lossy compression (TIFF compression ${compression}): save them without it, or as PNG`,
    };
  }
  if (!readCompressions.has(compression)) {
    return {
      reason: `its labels have the compression ${compression}, which is not decoded. To convert: ${CONVERT.plain}`,
    };
  }
  const samples = number(TAG.samplesPerPixel, 1);
  if (samples !== 1) {
    return { reason: IN_COLOUR };
  }
  const bits = number(TAG.bitsPerSample, 1);
  const format = number(TAG.sampleFormat, 1);
  const [width, height] = [number(TAG.width, 0), number(TAG.height, 0)];
  checkSize(
    { width, height, bytesPerPixel: Math.max(1, bits / 8), encodedBytes: bytes.byteLength },
    checkLimits('limits'),
  );
  if (![8, 16, 32, 64].includes(bits) && bits > 8) {
    return { reason: `its labels have ${bits} bits; 8, 16, 32 and 64 are supported` };
  }
  const isFloat = format === FLOAT;
  const isHalf = isFloat && bits === 16;
  if (isHalf && number(TAG.predictor, 1) !== 1) {
    return { reason: 'its labels are 16-bit floats with a predictor: save them with 32 bits' };
  }
  const words = bits === 64 ? 2 : 1;
  if (words === 2 && number(TAG.predictor, 1) !== 1) {
    return { reason: 'its labels have 64 bits and a predictor: save them with 32 bits' };
  }
  const plain = await file.withDirectory(
    plainDirectory(file, directory, Math.min(bits, 32), isFloat && bits === 32, words),
  );
  const { data, ...size } = await decode(plain, Math.min(bits, 32), isFloat && bits === 32);
  const values =
    words === 2
      ? fromWords(new Uint32Array(data), bytes[0] === 0x49, isFloat, format === SIGNED)
      : isHalf
        ? Float32Array.from(new Uint16Array(data), halfToFloat)
        : viewOf(data, Math.max(8, bits), format);
  return { values, width: size.width / words, height: size.height };
}

/** Creates a directory with one grey channel of unsigned numbers or floats. A 64-bit sample is two 32-bit samples. */
function plainDirectory(
  file: TiffFile,
  directory: TiffDirectory,
  bits: number,
  isFloat: boolean,
  words: number,
): NewEntry[] {
  const lengthened = (tag: number) => {
    const value = file.number(directory, tag);
    return value === undefined ? [] : [{ tag, values: [value * words] }];
  };
  return [
    ...lengthened(TAG.width),
    ...lengthened(TAG.tileWidth),
    { tag: TAG.bitsPerSample, values: [bits] },
    { tag: TAG.photometric, values: [1] },
    { tag: TAG.samplesPerPixel, values: [1] },
    { tag: TAG.sampleFormat, values: [isFloat ? FLOAT : 1] },
    ...KEPT_TAGS.flatMap((tag) => {
      const from = directory.get(tag);
      // If libtiff applied the orientation, the words of a sample would be separated.
      return from && !(words === 2 && tag === TAG.orientation) ? [{ tag, from }] : [];
    }),
  ];
}

async function decode(bytes: Uint8Array, bits: number, isFloat: boolean) {
  const depth = isFloat ? 'float' : bits === 32 ? 'uint' : bits === 16 ? 'ushort' : 'uchar';
  const { data, info } = await sharp(bytes, {
    failOn: 'warning',
    ignoreIcc: true,
    autoOrient: true,
    limitInputPixels: false,
    limitInputChannels: false,
  })
    // Without it, sharp converts to 8-bit sRGB.
    .toColourspace(bits === 16 && !isFloat ? 'grey16' : 'b-w')
    .raw({ depth })
    .toBuffer({ resolveWithObject: true });
  // The copy is aligned.
  return { data: new Uint8Array(data).buffer, width: info.width, height: info.height };
}

/** Value of the 16 bits of a float: 1 sign, 5 exponent, 10 fraction. */
function halfToFloat(bits: number): number {
  const exponent = (bits >> 10) & 31;
  const fraction = bits & 1023;
  const size =
    exponent === 0
      ? fraction * 2 ** -24
      : exponent === 31
        ? fraction === 0
          ? Number.POSITIVE_INFINITY
          : Number.NaN
        : (1024 + fraction) * 2 ** (exponent - 25);
  return bits & 0x8000 ? -size : size;
}

function viewOf(data: ArrayBuffer, bits: number, format: number): LabelValues {
  if (format === FLOAT) return new Float32Array(data);
  if (bits === 8) return format === SIGNED ? new Int8Array(data) : new Uint8Array(data);
  if (bits === 16) return format === SIGNED ? new Int16Array(data) : new Uint16Array(data);
  return format === SIGNED ? new Int32Array(data) : new Uint32Array(data);
}

/** Integers above 2^53 are not exact, but labels are below 2^32. */
function fromWords(words: Uint32Array, lowFirst: boolean, isFloat: boolean, isSigned: boolean): Float64Array {
  const view = new DataView(new ArrayBuffer(8));
  return Float64Array.from({ length: words.length / 2 }, (_, i) => {
    view.setUint32(0, words[2 * i + (lowFirst ? 1 : 0)]!);
    view.setUint32(4, words[2 * i + (lowFirst ? 0 : 1)]!);
    if (isFloat) return view.getFloat64(0);
    return Number(isSigned ? view.getBigInt64(0) : view.getBigUint64(0));
  });
}
