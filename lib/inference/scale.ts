// The one definition of the scale at which a network sees an image. Options, command-line flags, data sets and
// evaluation are derived from it; the resize itself is the network's own (native/model/transform).
import { checkNumber, checkOneOf, refuse } from '../check.js';
import type { MaskRCNNConfig } from '../config/mask-rcnn.js';
import { CellrouteError } from '../errors.js';
import type { ImageSize } from '../mask/masks.js';
import type { SegmentThresholds } from './thresholds.js';
import { type Tiles, tilingOf } from './tiles.js';

/** How large the cells of an image are, in one of three ways. Without any, the network's own resize applies alone. */
export interface ScaleOptions {
  /**
   * Factor by which the network sees the image larger (above 1) or smaller than with its own resize alone, 0.05 to 20;
   * default 1. For cells half as large as those that the network was trained on, use 2. `auto` decides for each image,
   * by what the network finds in a window at scale 1, and where it is not sure of that, in one at 0.5 and one at 2. Together
   * they have about a third of the pixels of a pass at scale 1. For a slide it decides by three parts of the level.
   */
  scale?: number | 'auto' | undefined;
  /**
   * Diameter of a typical cell in pixels of the image, 1 to 10000: of a circle with the cell's area. The scale follows
   * from the diameter that the network was trained on (`trainedOn.diameter` of its configuration).
   */
  diameter?: number | undefined;
  /**
   * Micrometres per pixel of the image, 0.001 to 1000, or `file` for those that its TIFF or OME-TIFF file states. The
   * scale follows from the pixel size that the network was trained on (`trainedOn.pixelSize` of its configuration).
   */
  pixelSize?: number | 'file' | undefined;
}

/** {@link ScaleOptions} whose scale does not depend on what is found. */
export interface FixedScaleOptions extends ScaleOptions {
  scale?: number | undefined;
}

/** The ranges of {@link ScaleOptions}, inclusive. */
export const SCALE_RANGES = {
  scale: { min: 0.05, max: 20 },
  diameter: { min: 1, max: 10_000 },
  pixelSize: { min: 0.001, max: 1000 },
} as const;

export const SCALE_KEYS = Object.keys(SCALE_RANGES) as readonly (keyof ScaleOptions)[];

/** Refuses a value out of range, and more than one of the options. */
export function checkScale(options: ScaleOptions): void {
  const given = SCALE_KEYS.filter((key) => options[key] !== undefined);
  if (given.length > 1) {
    throw new CellrouteError(
      'INVALID_ARGUMENT',
      `Options ${given.join(' and ')} cannot be combined: each states the size of the cells`,
      { option: given[1]!, expected: `one of ${SCALE_KEYS.join(', ')}`, got: given.join(', ') },
    );
  }
  const { scale, diameter, pixelSize } = options;
  if (typeof scale === 'string') checkOneOf('scale', scale, ['auto']);
  else if (scale !== undefined) checkNumber('scale', scale, SCALE_RANGES.scale);
  if (diameter !== undefined) checkNumber('diameter', diameter, SCALE_RANGES.diameter);
  if (typeof pixelSize === 'string') checkOneOf('pixelSize', pixelSize, ['file']);
  else if (pixelSize !== undefined) checkNumber('pixelSize', pixelSize, SCALE_RANGES.pixelSize);
}

/** An image as far as its scale depends on it. */
export interface ScaledImage extends ImageSize {
  /** Properties of the file; `pixelSize` is in micrometres. */
  readonly source?: { readonly pixelSize?: number } | undefined;
}

/** The scale of one image. */
export interface ResolvedScale {
  /** Relative to the network's own resize, as in {@link ScaleOptions.scale}. */
  scale: number;
  /** Pixels of the network's input per pixel of the image; null where the network's own resize applies. */
  factor: number | null;
}

/** The options of an object that state the size of the cells. */
export const scaleOptionsIn = (given: ScaleOptions): ScaleOptions =>
  Object.fromEntries(SCALE_KEYS.flatMap((key) => (given[key] === undefined ? [] : [[key, given[key]]])));

/**
 * Refuses a size of cells that none of some segmenters can use, because none knows the size that it was trained on.
 *
 * @throws {CellrouteError} INVALID_ARGUMENT
 */
export function checkTrainedSize(
  configs: readonly Pick<MaskRCNNConfig, 'trainedOn'>[],
  { scale, diameter, pixelSize }: ScaleOptions,
): void {
  const lacks = (what: 'diameter' | 'pixelSize') =>
    configs.every(({ trainedOn }) => trainedOn[what] === null);
  if (diameter !== undefined && lacks('diameter')) known('diameter', 'diameter', null);
  if (scale === 'auto' && lacks('diameter')) known('scale', 'diameter', null);
  if (pixelSize !== undefined && lacks('pixelSize')) known('pixelSize', 'pixelSize', null);
}

/** The scale that the options ask for. */
export function resolveScale(
  config: MaskRCNNConfig,
  image: ScaledImage,
  options: FixedScaleOptions & { tiles?: Tiles | undefined },
): ResolvedScale {
  const own = ownFactor(config, image, options.tiles);
  const wanted = factorOf(config, image, options, own);
  const scale = wanted / own;
  // Rounding must not replace the network's own resize, whose results have to stay the same bytes.
  if (Math.abs(scale - 1) < 1e-9) return { scale: 1, factor: null };
  const { min, max } = SCALE_RANGES.scale;
  if (scale >= min && scale <= max) return { scale, factor: wanted };
  const option = SCALE_KEYS.find((key) => options[key] !== undefined)!;
  throw new CellrouteError(
    'INVALID_ARGUMENT',
    `${option} ${String(options[option])} needs a scale of ${scale.toPrecision(3)}, and the range is ${min} to ${max}`,
    { option, expected: `a scale from ${min} to ${max}`, got: scale.toPrecision(3) },
  );
}

/** Thresholds of a model for an image at a scale: they were chosen for cells of the size at scale 1. */
export function thresholdsAtScale<T extends Pick<SegmentThresholds, 'minArea'>>(
  thresholds: T,
  scale: number,
): T {
  const { minArea } = thresholds;
  return minArea === undefined ? thresholds : { ...thresholds, minArea: Math.round(minArea / scale ** 2) };
}

/** Pixels of the network's input per pixel of the image, by the network's own resize. */
export function ownFactor({ resize, ...rest }: MaskRCNNConfig, image: ImageSize, tiles?: Tiles): number {
  const tiling = tilingOf({ resize, ...rest }, image, tiles);
  if (tiling) return tiling.scale;
  if (!resize) return 1;
  const sides = [image.width, image.height];
  // As native/model/transform: the longer side stays within maxSize.
  return Math.min(resize.scale ?? resize.minSize / Math.min(...sides), resize.maxSize / Math.max(...sides));
}

function factorOf(
  { trainedOn }: MaskRCNNConfig,
  { source }: ScaledImage,
  { scale = 1, diameter, pixelSize }: FixedScaleOptions,
  own: number,
): number {
  if (diameter !== undefined) return trainedDiameter({ trainedOn }, 'diameter') / diameter;
  if (pixelSize === undefined) return scale * own;
  const micrometres = pixelSize === 'file' ? source?.pixelSize : pixelSize;
  if (micrometres === undefined) {
    throw refuse('pixelSize', "a number: the image's file states no pixel size", pixelSize);
  }
  return micrometres / known('pixelSize', 'pixelSize', trainedOn.pixelSize);
}

/**
 * The diameter that a network was trained on, in pixels of its input.
 *
 * @param option that needs it.
 */
export const trainedDiameter = (
  { trainedOn }: Pick<MaskRCNNConfig, 'trainedOn'>,
  option: 'diameter' | 'scale',
): number => known(option, 'diameter', trainedOn.diameter);

function known(option: keyof ScaleOptions, what: 'diameter' | 'pixelSize', value: number | null): number {
  if (value !== null) return value;
  const others = option === 'scale' ? 'a number' : SCALE_KEYS.filter((key) => key !== option).join(' or ');
  throw new CellrouteError(
    'INVALID_ARGUMENT',
    `Option ${option}${option === 'scale' ? " 'auto'" : ''} needs a model whose configuration has trainedOn.${what}, and this one has none: use ${others}`,
    { option, expected: `a model with trainedOn.${what}` },
  );
}
