import { checkKeys, checkNumber, checkObject } from '../check.js';
import type { ImageSource, RawImage } from './types.js';

/** One resolution of a {@link Slide}. */
export interface SlideLevel {
  /** Pixels. */
  width: number;
  /** Pixels. */
  height: number;
  /** Pixels of level 0 per pixel of this level; at least 1. */
  downsample: number;
}

/** A rectangle of a level, in pixels of that level. */
export interface SlideWindow {
  x: number;
  y: number;
  width: number;
  height: number;
  /** Index in {@link Slide.levels}; default 0, the full resolution. */
  level?: number;
}

/**
 * An image that is read by window and never as a whole. {@link openSlide} opens files. An object with these properties over
 * another reader can also be segmented.
 */
export interface Slide {
  /** Name of the file. */
  readonly name?: string;
  /** Pixels of level 0. */
  readonly width: number;
  /** Pixels of level 0. */
  readonly height: number;
  /** Resolutions, the largest first. */
  readonly levels: readonly SlideLevel[];
  /** Names of all channels of the file, also of those that are not read; empty strings for channels without a name. */
  readonly channels: readonly string[];
  /** Micrometres per pixel of level 0; undefined if the file does not state them. */
  readonly pixelSize?: number | undefined;
  /** What is read from the file, and what else it contains. */
  readonly source?: ImageSource;
  /**
   * The pixels of a window: grey or RGB, of one sample type for all windows.
   *
   * @throws {CellrouteError} INVALID_ARGUMENT for a window that does not lie inside its level, IMAGE_TOO_LARGE for one
   *   above `limits`, IMAGE_UNREADABLE, DISPOSED after {@link close}; an abort rejects with `signal.reason`.
   */
  read(window: SlideWindow, options?: { signal?: AbortSignal | undefined }): Promise<RawImage>;
  /**
   * A text that is equal for copies of one image and differs between images; used to resume a segmentation. An abort rejects with
   * `signal.reason`.
   */
  fingerprint?(options?: { signal?: AbortSignal | undefined }): Promise<string>;
  /** Closes the file after windows that are being read. */
  close(): Promise<void>;
}

/** Whether a value can be read by window. @internal */
export const isSlide = (value: unknown): value is Slide =>
  typeof value === 'object' &&
  value !== null &&
  Array.isArray((value as Partial<Slide>).levels) &&
  typeof (value as Partial<Slide>).read === 'function';

/** The level of a window that lies inside it. @internal */
export function checkWindow(
  window: SlideWindow,
  levels: readonly SlideLevel[],
): { level: number; x: number; y: number; width: number; height: number } {
  checkKeys('window', checkObject('window', window), ['x', 'y', 'width', 'height', 'level']);
  const level = checkNumber('window.level', window.level ?? 0, {
    min: 0,
    max: levels.length - 1,
    integer: true,
  });
  const { width: columns, height: rows } = levels[level]!;
  const side = (name: 'x' | 'y' | 'width' | 'height', min: number, max: number) =>
    checkNumber(`window.${name}`, window[name], { min, max, integer: true });
  const x = side('x', 0, columns - 1);
  const y = side('y', 0, rows - 1);
  return { level, x, y, width: side('width', 1, columns - x), height: side('height', 1, rows - y) };
}
