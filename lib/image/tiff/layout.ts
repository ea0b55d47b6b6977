import { CellrouteError } from '../../errors.js';
import { DamagedTiff, TAG, type TiffDirectory, type TiffFile } from './directory.js';

/** Layout of a page's samples. */
export interface TiffLayout {
  width: number;
  height: number;
  samples: number;
  bits: number;
  format: 'unsigned' | 'float';
  photometric: number;
  compression: number;
  predictor: number;
  /** Whether samples are planar instead of interleaved. */
  planar: boolean;
  /** Whether a palette gives the one sample colours that are not grey. */
  isColourPalette: boolean;
  /** Whether a palette is ignored, because it only displays the values of a channel. */
  isLookup?: boolean;
  /** Samples that are colours of one image: 1 grey or palette, 3 RGB or YCbCr, 4 CMYK. */
  colours: number;
  /** Whether the sample after the colours is alpha: ExtraSamples 1 or 2. */
  alpha: boolean;
  /** ExtraSamples: meaning of each sample after the colours; 0 is unspecified. */
  extraSamples: readonly number[];
  orientation: number;
  /** Position of each strip or tile; for planar samples, those of the first sample come first. */
  offsets: readonly number[];
  byteCounts: readonly number[];
  rowsPerStrip: number;
  tile?: { width: number; height: number };
}

export const PHOTOMETRIC = { whiteIsZero: 0, blackIsZero: 1, rgb: 2, palette: 3, cmyk: 5, ycbcr: 6 } as const;
export const UNCOMPRESSED = 1;
export const JPEG = 7;

/** Compressions that sharp's libtiff decodes. @internal */
export const readCompressions: ReadonlySet<number> = new Set([1, 2, 3, 4, 5, 7, 8, 32946, 32773]);

const compressionNames: Readonly<Record<number, string>> = {
  6: 'old-style JPEG',
  33003: 'JPEG 2000 (Aperio)',
  33004: 'JPEG 2000 (Aperio)',
  33005: 'JPEG 2000 (Aperio)',
  34712: 'JPEG 2000',
  34887: 'LERC',
  34892: 'lossy DNG',
  34925: 'LZMA',
  34933: 'PNG',
  34934: 'JPEG XR',
  22610: 'JPEG XR',
  50000: 'Zstandard',
  50001: 'WebP',
  50002: 'JPEG XL',
  52546: 'JPEG XL',
};

const photometricNames: Readonly<Record<number, string>> = {
  4: 'a transparency mask',
  8: 'CIE L*a*b*',
  9: 'ICC L*a*b*',
  10: 'ITU L*a*b*',
  32803: 'a colour filter array (raw camera data)',
  32844: 'LogL',
  32845: 'LogLuv',
  34892: 'linear raw camera data',
};

/**
 * Writes every page anew, uncompressed, with what says how it is to be read: `tifffile.imwrite(imread())` would take
 * three planes for RGB and lose orientation, palette, inversion and axes.
 *
 * @param pixels of page `p`, in Python.
 */
const rewrite = (
  pixels: string,
  {
    photometric = '2 if p.photometric == 6 else p.photometric',
    planar = 'p.planarconfig if p.samplesperpixel > 1 else None',
  } = {},
) =>
  `pip install tifffile imagecodecs && python -c "import tifffile as t; w = t.TiffWriter('out.tif', bigtiff=True); ` +
  `[w.write(${pixels}, photometric=${photometric}, planarconfig=${planar}, extrasamples=p.extrasamples or None, ` +
  'colormap=p.colormap, description=p.description.encode(), subfiletype=p.subfiletype, ' +
  `extratags=[(274, 3, 1, p.tags.valueof(274, 1), True)], metadata=None) for p in t.TiffFile('in.tif').pages]; w.close()"`;

/** Commands that convert a file. tifffile decodes packed bits and all compressions. @internal */
export const CONVERT = {
  plain: rewrite('p.asarray()'),
  floats: rewrite("p.asarray().astype('float32')"),
  magnitudes: rewrite('abs(p.asarray())'),
  /** Inverted floats have no range that a reader knows. */
  negative: rewrite('-p.asarray()', { photometric: '1' }),
  /** Channels in place of colours that are unknown: the user chooses. */
  asChannels: rewrite('p.asarray()', { photometric: '1' }),
  separate: rewrite('p.asarray().transpose(2, 0, 1)', { planar: '2' }),
  interleaved: rewrite('p.asarray().transpose(1, 2, 0)', { planar: '1' }),
  eightBits: (bits: number) => rewrite(`p.asarray().astype('uint8') * ${255 / (2 ** bits - 1)}`),
  cmyk:
    "pip install tifffile imagecodecs && python -c \"import tifffile as t; a = t.imread('in.tif') / 65535; " +
    "t.imwrite('out.tif', (65535 * (1 - a[..., :3]) * (1 - a[..., 3:])).astype('uint16'), photometric='rgb')\"",
  lab:
    "pip install pillow && python -c \"from PIL import Image, ImageCms; i = Image.open('in.tif'); ImageCms.profileToProfile(i, " +
    "ImageCms.createProfile('LAB'), ImageCms.createProfile('sRGB'), outputMode='RGB').save('out.tif')\"",
  ycbcr: 'tiff2rgba -n in.tif out.tif (libtiff)',
  /** Colour spaces of cameras, scanners and simulations, whose meaning is not defined by the format. */
  source: 'export it as RGB or grey with the software that wrote it',
} as const;

/**
 * Reads the layout of a page, and refuses unsupported ones.
 *
 * @throws {CellrouteError} IMAGE_UNSUPPORTED with a command that converts the file.
 * @throws {DamagedTiff} if the directory is inconsistent with itself or the file.
 */
export function readLayout(file: TiffFile, directory: TiffDirectory): TiffLayout {
  const number = (tag: number, otherwise: number) => file.number(directory, tag) ?? otherwise;
  const width = number(TAG.width, 0);
  const height = number(TAG.height, 0);
  if (width < 1 || height < 1) throw new DamagedTiff('it has no width or height');
  if (directory.has(TAG.ndpi)) {
    throw unsupported(
      'it is a slide of Hamamatsu (NDPI)',
      'bfconvert -bigtiff -tilex 1024 -tiley 1024 -series 0 in.ndpi out.ome.tiff',
    );
  }
  const samples = number(TAG.samplesPerPixel, 1);
  if (samples < 1) throw new DamagedTiff('it has no samples per pixel');
  const compression = number(TAG.compression, UNCOMPRESSED);
  if (!readCompressions.has(compression)) {
    const name = compressionNames[compression];
    throw unsupported(
      `its compression ${compression}${name ? ` (${name})` : ''} is not decoded`,
      CONVERT.plain,
    );
  }
  const bits = number(TAG.bitsPerSample, 1);
  const format = sampleFormat(file, directory, bits);
  const photometric = number(TAG.photometric, PHOTOMETRIC.blackIsZero);
  const named = photometricNames[photometric];
  if (named !== undefined) {
    throw unsupported(`its colours are ${named}`, photometric === 8 ? CONVERT.lab : CONVERT.source);
  }
  const colours = coloursOf(photometric);
  if (colours === undefined)
    throw unsupported(`its photometric interpretation ${photometric} is unknown`, CONVERT.asChannels);
  // libvips converts to RGB only what libjpeg decodes; other pixels would be taken for RGB as they are.
  if (photometric === PHOTOMETRIC.ycbcr && compression !== JPEG) {
    throw unsupported('its YCbCr samples are not compressed as JPEG', CONVERT.ycbcr);
  }
  if (photometric === PHOTOMETRIC.cmyk && number(TAG.inkSet, 1) !== 1) {
    throw unsupported('its inks are not CMYK', CONVERT.asChannels);
  }
  if (photometric === PHOTOMETRIC.cmyk && bits !== 8) {
    throw unsupported(
      `its CMYK samples have ${bits} bits; 8 are read`,
      bits === 16 ? CONVERT.cmyk : CONVERT.source,
    );
  }
  if (photometric === PHOTOMETRIC.whiteIsZero && format === 'float') {
    throw unsupported(
      'its floats are inverted (MinIsWhite), in a range that it does not state',
      CONVERT.negative,
    );
  }
  if (samples < colours)
    throw new DamagedTiff(`it has ${samples} samples per pixel where its colours need ${colours}`);
  const stated = file.numbers(directory, TAG.extraSamples) ?? [];
  const extraSamples = Array.from({ length: samples - colours }, (_, i) => stated[i] ?? 0);
  const alpha = extraSamples.length === 1 && (extraSamples[0] === 1 || extraSamples[0] === 2);
  const tileWidth = file.number(directory, TAG.tileWidth);
  const layout: TiffLayout = {
    width,
    height,
    samples,
    bits,
    format,
    photometric,
    compression,
    predictor: number(TAG.predictor, 1),
    planar: samples > 1 && number(TAG.planar, 1) === 2,
    isColourPalette: photometric === PHOTOMETRIC.palette && hasColours(file.numbers(directory, TAG.colorMap)),
    colours,
    alpha,
    extraSamples,
    orientation: number(TAG.orientation, 1),
    offsets: [],
    byteCounts: [],
    rowsPerStrip: Math.min(height, number(TAG.rowsPerStrip, height) || height),
    ...(tileWidth !== undefined && { tile: { width: tileWidth, height: number(TAG.tileHeight, 0) } }),
  };
  return { ...layout, ...blocksOf(file, directory, layout) };
}

/** Whether a palette has an entry that is not grey: red, green and blue lie one after the other. */
function hasColours(palette: readonly number[] = []): boolean {
  const length = palette.length / 3;
  return palette
    .slice(0, length)
    .some((red, i) => red !== palette[length + i] || red !== palette[2 * length + i]);
}

function sampleFormat(file: TiffFile, directory: TiffDirectory, bits: number): TiffLayout['format'] {
  const all = file.numbers(directory, TAG.bitsPerSample) ?? [bits];
  if (all.some((one) => one !== bits)) {
    throw unsupported(`its samples have ${all.join(', ')} bits: one width for all is read`, CONVERT.source);
  }
  const formats = file.numbers(directory, TAG.sampleFormat) ?? [1];
  const [code = 1] = formats;
  if (formats.some((one) => one !== code))
    throw unsupported('its samples have several types', CONVERT.source);
  // 4 is undefined, which is how unsigned numbers were written before the tag existed.
  if (code === 1 || code === 4) {
    if ([1, 2, 4, 8, 16].includes(bits)) return 'unsigned';
    if (bits < 16) throw unsupported(`its samples have ${bits} bits, packed`, CONVERT.plain);
    throw unsupported(`its samples are ${bits}-bit uint (unsigned integers)`, CONVERT.floats);
  }
  if (code === 3) {
    if (bits === 32) return 'float';
    throw unsupported(`its samples are ${bits}-bit float; 32 bits are read`, CONVERT.floats);
  }
  if (code === 2) {
    const name = bits === 8 ? 'char' : bits === 16 ? 'short' : 'int';
    throw unsupported(`its samples are ${bits}-bit ${name} (signed integers)`, CONVERT.floats);
  }
  throw unsupported('its samples are complex numbers', CONVERT.magnitudes);
}

function coloursOf(photometric: number): number | undefined {
  switch (photometric) {
    case PHOTOMETRIC.whiteIsZero:
    case PHOTOMETRIC.blackIsZero:
    case PHOTOMETRIC.palette:
      return 1;
    case PHOTOMETRIC.rgb:
    case PHOTOMETRIC.ycbcr:
      return 3;
    case PHOTOMETRIC.cmyk:
      return 4;
    default:
      return undefined;
  }
}

/** Positions of the strips or tiles. Each must be inside the file, and all of the image must be covered. */
function blocksOf(
  file: TiffFile,
  directory: TiffDirectory,
  layout: TiffLayout,
): { offsets: readonly number[]; byteCounts: readonly number[] } {
  const { width, height, samples, planar, tile, rowsPerStrip, compression } = layout;
  if (tile && (tile.width < 1 || tile.height < 1)) throw new DamagedTiff('its tiles have no size');
  const perPlane = tile
    ? Math.ceil(width / tile.width) * Math.ceil(height / tile.height)
    : Math.ceil(height / rowsPerStrip);
  const count = perPlane * (planar ? samples : 1);
  const what = tile ? 'tiles' : 'strips';
  // Some writers use the tags of strips for tiles.
  const offsets =
    (tile && file.numbers(directory, TAG.tileOffsets)) ?? file.numbers(directory, TAG.stripOffsets) ?? [];
  if (offsets.length < count) {
    throw new DamagedTiff(
      `it has ${offsets.length} ${what} where its ${width} × ${height} pixels need ${count}`,
    );
  }
  const stated =
    (tile && file.numbers(directory, TAG.tileByteCounts)) ?? file.numbers(directory, TAG.stripByteCounts);
  const rows = (i: number) =>
    tile ? tile.height : Math.min(rowsPerStrip, height - (i % perPlane) * rowsPerStrip);
  const bytesOf = (i: number) =>
    Math.ceil(((tile ? tile.width : width) * (planar ? 1 : samples) * layout.bits) / 8) * rows(i);
  if (!stated && compression !== UNCOMPRESSED) throw new DamagedTiff(`its ${what} have no byte counts`);
  // YCbCr may be subsampled, so its size is unknown.
  const known = compression === UNCOMPRESSED && layout.photometric !== PHOTOMETRIC.ycbcr;
  const byteCounts = Array.from({ length: count }, (_, i) => stated?.[i] ?? (known ? bytesOf(i) : 0));
  for (let i = 0; i < count; i++) {
    const bytes = byteCounts[i]!;
    if (offsets[i] === 0 || bytes === 0) throw new DamagedTiff(`its ${what.slice(0, -1)} ${i} is missing`);
    // libvips reads a JPEG tile into twice the bytes of its pixels, and decodes what fits.
    if (tile && compression === JPEG && bytes > 2 * bytesOf(i)) {
      throw unsupported(
        `its JPEG tile ${i} has ${bytes} bytes, more than twice its ${bytesOf(i)} bytes of pixels`,
        CONVERT.plain,
      );
    }
    if (offsets[i]! + bytes > file.bytes.byteLength) {
      throw new DamagedTiff(
        `its ${what.slice(0, -1)} ${i} ends ${offsets[i]! + bytes - file.bytes.byteLength} bytes past the end of the file`,
      );
    }
    if (known && bytes < bytesOf(i)) {
      throw new DamagedTiff(
        `its ${what.slice(0, -1)} ${i} has ${bytes} bytes where ${bytesOf(i)} are needed`,
      );
    }
  }
  return { offsets: offsets.slice(0, count), byteCounts };
}

/** @internal */
export function unsupported(reason: string, remedy: string): CellrouteError {
  return new CellrouteError(
    'IMAGE_UNSUPPORTED',
    `The TIFF cannot be used: ${reason}. To convert it: ${remedy}`,
    {
      expected: 'unsigned samples of 8 or 16 bits or 32-bit floats, grey, RGB or CMYK',
      got: reason,
    },
  );
}
