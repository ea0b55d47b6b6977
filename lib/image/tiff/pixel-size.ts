import { imageJFields, omeImageOf } from './axes.js';
import { RESOLUTION_TAG, TAG, type TiffDirectory, type TiffFile } from './directory.js';

/** Micrometres per unit of length, by the names that OME-XML and ImageJ use. */
const MICROMETRES: Readonly<Record<string, number>> = {
  m: 1e6,
  cm: 1e4,
  mm: 1e3,
  µm: 1,
  um: 1,
  micron: 1,
  microns: 1,
  micrometer: 1,
  nm: 1e-3,
  pm: 1e-6,
  å: 1e-4,
  in: 25_400,
  inch: 25_400,
};

/** By the tag ResolutionUnit; 1 means no unit. */
const INCH = 2;
const MICROMETRES_BY_CODE: Readonly<Record<number, number>> = { [INCH]: 25_400, 3: 10_000 };
/** Resolution tags alone with larger pixels than this, 1,270 dpi, are for printing: 72 or 300 dpi of an editor. */
const LARGEST_BY_TAGS = 20;
/** Pixels whose sides differ by more than this share are not square. */
const SQUARE = 0.01;

/** Micrometres per pixel; undefined where the file does not state them, or pixels are not square. */
export function pixelSizeOf(file: TiffFile, directory: TiffDirectory): number | undefined {
  const first = file.directories[0]!;
  const text = file.text(first, TAG.description);
  if (/<(?:\w+:)?OME[\s>]/.test(text)) return ofOme(omeImageOf(file, first)?.pixels.fields);
  const [, aperio] = /^Aperio[\s\S]*\|\s*MPP\s*=\s*(\d+\.?\d*)/.exec(text) ?? [];
  if (aperio !== undefined) return squareSize(Number(aperio), Number(aperio));
  const resolution = [RESOLUTION_TAG.x, RESOLUTION_TAG.y].map((tag) => file.ratio(directory, tag) ?? 0);
  const [x = 0, y = 0] = resolution.map((perUnit) => (perUnit > 0 ? 1 / perUnit : 0));
  if (/^ImageJ=/.test(text)) {
    const unit = micrometresOf(imageJFields(text).get('unit'));
    if (unit !== undefined) return squareSize(x * unit, y * unit);
  }
  const unit = MICROMETRES_BY_CODE[file.short(directory, RESOLUTION_TAG.unit) ?? INCH];
  const size = unit === undefined ? undefined : squareSize(x * unit, y * unit);
  return size !== undefined && size <= LARGEST_BY_TAGS ? size : undefined;
}

function ofOme(fields: ReadonlyMap<string, string> | undefined): number | undefined {
  const side = (axis: 'X' | 'Y') => {
    const unit = micrometresOf(fields?.get(`PhysicalSize${axis}Unit`) ?? 'µm');
    return unit === undefined ? Number.NaN : Number(fields?.get(`PhysicalSize${axis}`)) * unit;
  };
  return squareSize(side('X'), side('Y'));
}

/** ImageJ escapes the sign for micro. OME's is U+00B5; some writers use the Greek letter U+03BC. */
const micrometresOf = (unit: string | undefined): number | undefined =>
  MICROMETRES[
    (unit ?? '')
      .replace(/\\u00B5/i, 'µ')
      .replace('\u03BC', 'µ')
      .toLowerCase()
  ];

/** The one size of pixels whose sides are about equal. */
export function squareSize(x: number, y: number): number | undefined {
  if (!(Number.isFinite(x) && Number.isFinite(y) && x > 0 && y > 0)) return undefined;
  return Math.abs(x / y - 1) <= SQUARE ? Math.sqrt(x * y) : undefined;
}
