import { checkBoolean, checkKeys, checkNumber, checkObject, checkString, refuse } from '../check.js';
import { READ_KEYS } from '../image/select.js';
import { isSlide, type Slide } from '../image/slide.js';
import { checkSegmentOptions, type SegmentOptions } from './segment-options.js';
import type { TileSize } from './tiles.js';

/** When a tile is background, which is not segmented. */
export interface BackgroundRule {
  /**
   * A tile is background if the means of its blocks of 8 × 8 pixels differ by less than this share of the difference that
   * they have in the sample of the slide; 0 to 1, default 0.05.
   */
  contrast?: number;
}

/** Options of `segment` for a {@link Slide}. What is read of the file is chosen in `openSlide`. */
export interface SlideSegmentOptions
  extends Omit<SegmentOptions, 'page' | 'z' | 't' | 'channels' | 'limits' | 'tiles'> {
  /** Square tiles; default `auto`. `false` is refused: pass the file itself to segment it as a whole. */
  tiles?: 'auto' | TileSize;
  /**
   * Index of the level that is segmented. Default: the smallest one that has all pixels that the network sees, by its
   * scale and, where both are known, by the pixel sizes of the slide and of the network's training.
   */
  level?: number;
  /** Whether background tiles are skipped; the result reports how many. Default `false`. */
  skipBackground?: boolean | BackgroundRule;
  /**
   * Folder, created if missing, that keeps the cells of finished tiles. A later call with the same slide, model and
   * options continues from it; for another one it is refused with RESUME_REFUSED.
   */
  resume?: string;
}

/** Options of `segmentRows`. */
export type SlideRowsOptions = Omit<SlideSegmentOptions, 'detectionsPerImage'>;

export const DEFAULT_CONTRAST = 0.05;

/** Refuses options that a slide is not segmented with; `more` are further keys of the caller's options. */
export function checkSlideOptions(
  slide: Slide,
  options: SlideSegmentOptions,
  more: readonly string[] = [],
): void {
  if (!isSlide(slide)) throw refuse('slide', 'a slide, as openSlide returns it', slide);
  const given = checkObject('options', options);
  const read = READ_KEYS.find((key) => given[key] !== undefined);
  if (read !== undefined) {
    throw refuse(read, `no ${read}, which is an option of openSlide`, given[read]);
  }
  const { level, skipBackground, resume, ...rest } = options;
  checkSegmentOptions(rest, more);
  if ((rest.tiles as unknown) === false)
    throw refuse('tiles', "'auto' or {size, overlap} for a slide", false);
  if (level !== undefined) {
    checkNumber('level', level, { min: 0, max: slide.levels.length - 1, integer: true });
  }
  if (resume !== undefined) checkString('resume', resume);
  if (skipBackground === undefined) return;
  if (typeof skipBackground === 'object') {
    checkKeys('skipBackground', checkObject('skipBackground', skipBackground), ['contrast']);
    const { contrast = DEFAULT_CONTRAST } = skipBackground;
    checkNumber('skipBackground.contrast', contrast, { min: 0, max: 1 });
  } else checkBoolean('skipBackground', skipBackground);
}
