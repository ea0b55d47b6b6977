// What is asked of a slide, which may be the caller's own object over another reader.
import { untilAborted } from '../abort.js';
import { checkNumber, checkObject, describe, refuse } from '../check.js';
import { CellrouteError } from '../errors.js';
import { isPixels } from './raw.js';
import { isSlide, type Slide, type SlideWindow } from './slide.js';
import type { RawImage } from './types.js';

/** Checks the sizes of a slide and its levels. */
export function checkSlide(option: string, slide: unknown): Slide {
  if (!isSlide(slide)) throw refuse(option, 'a slide, as openSlide returns it', slide);
  const { levels } = slide;
  if (levels.length === 0) throw refuse(`${option}.levels`, 'at least one level', levels);
  const side = (name: string, value: unknown) =>
    checkNumber(`${option}.${name}`, value, { min: 1, integer: true });
  const [width, height] = [side('width', slide.width), side('height', slide.height)];
  for (const [i, given] of levels.entries()) {
    const level = checkObject(`${option}.levels[${i}]`, given);
    const [columns, rows] = [
      side(`levels[${i}].width`, level.width),
      side(`levels[${i}].height`, level.height),
    ];
    checkNumber(`${option}.levels[${i}].downsample`, level.downsample, { min: 1 });
    if (i === 0 && (columns !== width || rows !== height)) {
      throw refuse(`${option}.levels[0]`, `the slide's ${width} × ${height} pixels`, `${columns} × ${rows}`);
    }
  }
  return slide;
}

/**
 * The pixels of a window.
 *
 * @throws {CellrouteError} the errors of the slide; IMAGE_UNREADABLE if it returns something else; an abort rejects with
 *   `signal.reason`, also if the slide ignores the signal.
 */
export async function readWindow(slide: Slide, window: SlideWindow, signal: AbortSignal): Promise<RawImage> {
  const read: unknown = await untilAborted(Promise.resolve(slide.read(window, { signal })), signal);
  const { width, height, channels, data } = (read ?? {}) as Partial<RawImage>;
  const isWhole =
    width === window.width &&
    height === window.height &&
    (channels === 1 || channels === 2 || channels === 3 || channels === 4) &&
    isPixels(data) &&
    data.length === width * height * channels;
  if (isWhole) return read as RawImage;
  const expected = `${window.width} × ${window.height} pixels`;
  const got =
    typeof width === 'number' && isPixels(data)
      ? `${width} × ${height} pixels with ${channels} channels and ${data.length} values`
      : describe(read);
  throw new CellrouteError('IMAGE_UNREADABLE', `The slide returned ${got} for a window of ${expected}`, {
    expected,
    got,
  });
}
