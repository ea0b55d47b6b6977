import { checkBoolean, checkKeys, checkNumber, checkObject, checkString, refuse } from '../check.js';
import { READ_KEYS } from '../image/select.js';
import type { Slide } from '../image/slide.js';
import { checkSlide } from '../image/slide-window.js';
import { checkSegmentOptions, type SegmentOptions } from './segment-options.js';
import type { TileSize } from './tiles.js';

/** Criterion for background tiles, which are not segmented. */
export interface BackgroundRule {
  /**
   * A tile is background if the means of its blocks of 8 × 8 pixels differ by less than this share of their difference in the
   * sample of the slide; 0 to 1, default 0.05.
   */
  contrast?: number | undefined;
}

/** Options of `segment` for a {@link Slide}. Page, plane and channels are options of `openSlide`. */
export interface SlideSegmentOptions
  extends Omit<SegmentOptions, 'page' | 'z' | 't' | 'channels' | 'limits' | 'tiles'> {
  /** Square tiles; default `auto`. `false` is refused: pass the file itself to segment it as a whole. */
  tiles?: 'auto' | TileSize | undefined;
  /**
   * Index of the level that is segmented. Default: the smallest level with the resolution of the network's input, which
   * follows from the scale and, if both are known, from the pixel sizes of the slide and of the network's training.
   */
  level?: number | undefined;
  /** Whether background tiles are skipped; the result reports how many. Default `false`. */
  skipBackground?: boolean | BackgroundRule | undefined;
  /**
   * Folder for the cells of finished tiles, created if missing. A later call with the same slide, model and options
   * continues from it; a call with others is refused with RESUME_REFUSED.
   */
  resume?: string | undefined;
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
  checkSlide('slide', slide);
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
