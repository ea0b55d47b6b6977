// Chooses the level of a slide that is segmented, and the scale within it. scale.ts defines the scale.
import type { MaskRCNNConfig } from '../config/mask-rcnn.js';
import { CellrouteError } from '../errors.js';
import type { Slide } from '../image/slide.js';
import type { ImageSize } from '../mask/masks.js';
import type { NativeTiling } from '../native/contract.js';
import { type FixedScaleOptions, ownFactor, resolveScale, SCALE_KEYS } from './scale.js';
import type { SlideSegmentOptions } from './slide-options.js';
import { tilingOf } from './tiles.js';

/** The segmented level of a slide and its tiles. */
export interface LevelChoice extends ImageSize {
  level: number;
  /** Pixels of level 0 per pixel of the level. */
  downsample: number;
  /** Scale relative to the network's own resize, for the level that the options refer to. */
  scale: number;
  /** Pixels of that level per pixel of the level that is segmented. */
  reduction: number;
  tiling: NativeTiling;
}

/** Tolerance for rounded sides of levels, so that the network does not enlarge a level slightly. */
const ROUNDING = 1.02;
/** Positions in a mask have 32 bits. */
const MAX_PIXELS = 2 ** 32 - 1;

/**
 * Returns the level and scale of a slide. Options refer to level 0, or to the level in `options.level`, which is then segmented
 * like a separate image. Without options, the pixel sizes of the slide and of the training determine the scale, if both are known.
 *
 * @throws {CellrouteError} IMAGE_TOO_LARGE where masks of the level would have too many pixels; INVALID_ARGUMENT for a scale
 *   that is out of range or that the model does not know.
 */
export function chooseLevel(
  config: MaskRCNNConfig,
  slide: Slide,
  options: SlideSegmentOptions & FixedScaleOptions,
): LevelChoice {
  const base = slide.levels[options.level ?? 0]!;
  const pixelSize = slide.pixelSize === undefined ? undefined : slide.pixelSize * base.downsample;
  const isFree = SCALE_KEYS.every((key) => options[key] === undefined);
  const known = isFree && pixelSize !== undefined && config.trainedOn.pixelSize !== null;
  const image = { ...base, ...(pixelSize !== undefined && { source: { pixelSize } }) };
  const scaled = resolveScale(config, image, known ? { ...options, pixelSize } : options);
  // null if the network resizes by the shorter side, which refers to level 0.
  const fixed = scaled.factor ?? (config.resize ? config.resize.scale : 1);
  const fits = slide.levels.map(({ downsample }) => fixed !== null && downsample * fixed <= ROUNDING);
  const level = options.level ?? Math.max(0, fits.lastIndexOf(true));
  const { width, height, downsample } = slide.levels[level]!;
  if (width * height > MAX_PIXELS) {
    throw new CellrouteError(
      'IMAGE_TOO_LARGE',
      `Level ${level} of the slide has ${width} × ${height} pixels, and masks have at most ${MAX_PIXELS}: choose a smaller one with level`,
      { option: 'level', expected: `at most ${MAX_PIXELS} pixels`, got: `${width} × ${height}` },
    );
  }
  const size = { width, height };
  const reduction = downsample / base.downsample;
  const factor = reduction === 1 ? scaled.factor : fixed! * reduction;
  const { tiles, detectionsPerImage: limit } = options;
  return {
    ...size,
    level,
    downsample,
    scale: scaled.scale,
    reduction,
    tiling:
      tilingOf(config, size, tiles, limit, factor) ?? oneTile(size, factor ?? ownFactor(config, size), limit),
  };
}

/** One tile that covers the whole image. */
const oneTile = ({ width, height }: ImageSize, scale: number, limit?: number): NativeTiling => ({
  scale,
  size: Math.max(1, Math.ceil(Math.max(width, height) * scale)),
  overlap: 0,
  limit: limit ?? null,
});
