// Which level of a slide is segmented, and at which scale: the one place where that is decided. The scale itself is
// scale.ts's.
import type { MaskRCNNConfig } from '../config/mask-rcnn.js';
import { CellrouteError } from '../errors.js';
import type { Slide } from '../image/slide.js';
import type { ImageSize } from '../mask/masks.js';
import type { NativeTiling } from '../native/contract.js';
import { type FixedScaleOptions, ownFactor, resolveScale, SCALE_KEYS } from './scale.js';
import type { SlideSegmentOptions } from './slide-options.js';
import { tilingOf } from './tiles.js';

/** The level of a slide that is segmented, and how it is cut into tiles. */
export interface LevelChoice extends ImageSize {
  level: number;
  /** Pixels of level 0 per pixel of the level. */
  downsample: number;
  /** Relative to the network's own resize, of the level that the options are about. */
  scale: number;
  /** Pixels of that level per pixel of the level that is segmented. */
  reduction: number;
  tiling: NativeTiling;
}

/** Rounded sides of a level must not make a network enlarge it. */
const ROUNDING = 1.02;
/** Positions in a mask have 32 bits. */
const MOST_PIXELS = 2 ** 32 - 1;

/**
 * The level and scale of a slide. Options are about level 0, or about the level that is asked for, which is then segmented as
 * an image of its own. Without options, the pixel sizes of slide and training decide where both are known.
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
  // null where the network resizes by the shorter side: level 0 is what it is asked to resize.
  const fixed = scaled.factor ?? (config.resize ? config.resize.scale : 1);
  const fits = slide.levels.map(({ downsample }) => fixed !== null && downsample * fixed <= ROUNDING);
  const level = options.level ?? Math.max(0, fits.lastIndexOf(true));
  const { width, height, downsample } = slide.levels[level]!;
  if (width * height > MOST_PIXELS) {
    throw new CellrouteError(
      'IMAGE_TOO_LARGE',
      `Level ${level} of the slide has ${width} × ${height} pixels, and masks have at most ${MOST_PIXELS}: choose a smaller one with level`,
      { option: 'level', expected: `at most ${MOST_PIXELS} pixels`, got: `${width} × ${height}` },
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

/** One tile that the network sees as it would see the whole image. */
const oneTile = ({ width, height }: ImageSize, scale: number, limit?: number): NativeTiling => ({
  scale,
  size: Math.max(1, Math.ceil(Math.max(width, height) * scale)),
  overlap: 0,
  limit: limit ?? null,
});
