import { untilAborted } from '../abort.js';
import { checkKeys, checkNumber, checkString, refuse } from '../check.js';
import type { Colour } from '../export/palette.js';
import type { ImageInput } from '../image/types.js';
import { Explanation } from '../inference/explanation.js';
import { blurred } from './blur.js';
import type { Canvas } from './canvas.js';
import { checkFormat, encode, type RenderFormat } from './encode.js';
import { prepareScene } from './scene.js';
import { percent, withTitle } from './title.js';

/** Options of {@link renderHeatMap}. */
export interface HeatMapOptions {
  /** Opacity of the strongest values, 0 to 1. Default 0.75. */
  opacity?: number | undefined;
  /**
   * Gaussian blur of the values, as a share of the shorter side of the input, 0 to 0.2. Default 0.015 for
   * `integrated-gradients`, which are noisy, 0 for other methods.
   */
  smooth?: number | undefined;
  /** Title above the image; false for none. Default: class, probability and method. */
  title?: string | boolean | undefined;
  /** Default `png`. */
  format?: RenderFormat | undefined;
  /** Maximum longer side of the drawing in pixels; larger images are reduced. Default 2048. */
  maxSide?: number | undefined;
  signal?: AbortSignal | undefined;
}

/** Quantile of the values that is drawn with full strength. */
const strongest = 0.995;
/** Colours from weak to strong values. Orange and blue are distinguishable with nearly every colour vision. */
const supportingColours: readonly [Colour, Colour] = [
  [225, 70, 0],
  [255, 235, 110],
];
const opposingColours: readonly [Colour, Colour] = [
  [25, 80, 230],
  [140, 235, 255],
];
/** Brightness factor of pixels outside the network's input. */
const outsideBrightness = 0.35;

/**
 * Draws an explanation over the grey image: pixels that support the class from orange to yellow, pixels that oppose it
 * from blue to cyan. Parts outside the network's input are dark.
 *
 * @throws {CellrouteError} INVALID_ARGUMENT for options, and if the explanation belongs to an image of another size; the
 *   errors of `decodeImage`.
 */
export async function renderHeatMap(
  image: ImageInput,
  explanation: Explanation,
  options: HeatMapOptions = {},
): Promise<Buffer> {
  if (!(explanation instanceof Explanation)) throw refuse('explanation', 'an Explanation', explanation);
  const { opacity, smooth, title, format, maxSide, signal } = checkOptions(options, explanation);
  const { canvas } = await prepareScene(image, explanation.image, maxSide, signal);
  const { width, height } = explanation;
  const spread = blurred(explanation.values, width, height, smooth * Math.min(width, height));
  paint(canvas, explanation.toGrid(spread, canvas), strengthOf(spread), opacity);
  darken(canvas, explanation);
  const text =
    title === true
      ? {
          left: `${explanation.target} ${percent(explanation.probability)} by ${explanation.method}`,
          notes: [
            { text: 'for', colour: supportingColours[1] },
            ...(explanation.method === 'grad-cam' ? [] : [{ text: 'against', colour: opposingColours[1] }]),
          ],
          right: '',
        }
      : { left: title || '', right: '' };
  const drawn = title === false ? canvas : await withTitle(canvas, text);
  return untilAborted(encode(drawn, format), signal);
}

function checkOptions(options: HeatMapOptions, { method }: Explanation) {
  checkKeys('', options, ['opacity', 'smooth', 'title', 'format', 'maxSide', 'signal']);
  const { title = true } = options;
  const usual = method === 'integrated-gradients' ? 0.015 : 0;
  return {
    opacity: checkNumber('opacity', options.opacity ?? 0.75, { min: 0, max: 1 }),
    smooth: checkNumber('smooth', options.smooth ?? usual, { min: 0, max: 0.2 }),
    title: typeof title === 'boolean' ? title : checkString('title', title),
    format: checkFormat(options.format),
    maxSide: checkNumber('maxSide', options.maxSide ?? 2048, { min: 16, max: 16_383, integer: true }),
    signal: options.signal,
  };
}

/** Absolute value that is drawn with full strength; never 0, so that a map of zeros draws nothing. */
function strengthOf(values: Float32Array): number {
  const sizes = values.map(Math.abs).sort();
  return sizes[Math.floor(strongest * (sizes.length - 1))] || sizes.at(-1) || 1;
}

function paint(canvas: Canvas, values: Float32Array, strength: number, opacity: number): void {
  const { data } = canvas;
  for (let i = 0, at = 0; i < values.length; i++, at += 3) {
    const grey = 0.299 * data[at]! + 0.587 * data[at + 1]! + 0.114 * data[at + 2]!;
    const size = Math.min(1, Math.abs(values[i]!) / strength);
    const [weak, strong] = values[i]! > 0 ? supportingColours : opposingColours;
    const cover = opacity * size ** 0.7;
    for (let c = 0; c < 3; c++) {
      const colour = weak[c]! + (strong[c]! - weak[c]!) * size;
      data[at + c] = grey + (colour - grey) * cover + 0.5;
    }
  }
}

function darken(canvas: Canvas, { region, image }: Explanation): void {
  const across = canvas.width / image.width;
  const down = canvas.height / image.height;
  const [left, right] = [region.x * across, (region.x + region.width) * across];
  const [top, bottom] = [region.y * down, (region.y + region.height) * down];
  for (let y = 0; y < canvas.height; y++) {
    const inRows = y + 0.5 >= top && y + 0.5 < bottom;
    for (let x = 0; x < canvas.width; x++) {
      if (inRows && x + 0.5 >= left && x + 0.5 < right) continue;
      const at = 3 * (y * canvas.width + x);
      for (let c = 0; c < 3; c++) canvas.data[at + c] = canvas.data[at + c]! * outsideBrightness;
    }
  }
}
