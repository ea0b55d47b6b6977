import { untilAborted } from '../abort.js';
import { checkBoolean, checkKeys, checkNumber, checkString } from '../check.js';
import type { Complete } from '../defined.js';
import { checkResult } from '../export/named.js';
import { type Colour, palette } from '../export/palette.js';
import type { ImageInput } from '../image/types.js';
import type { RoutedSegmentation, Segmentation } from '../inference/result.js';
import type { Canvas } from './canvas.js';
import { neighbourColours } from './colours.js';
import { checkFormat, encode, type RenderFormat } from './encode.js';
import { Painter, paintAll } from './painter.js';
import { prepareScene, type Scene } from './scene.js';
import { titleOf, withTitle } from './title.js';

/** Options of {@link renderOverlay}. */
export interface OverlayOptions {
  /** Draw each cell's outline, inside its mask. Default true. */
  outlines?: boolean | undefined;
  /** Tint each cell. Default true. */
  fill?: boolean | undefined;
  /** Strength of the tint, 0 to 1. Default 0.22. */
  opacity?: number | undefined;
  /** Title above the image; false for none. Default: predicted type, its probability and the number of cells. */
  title?: string | boolean | undefined;
  /** Write each cell's score on it. Default false. */
  scores?: boolean | undefined;
  /** Default `png`. */
  format?: RenderFormat | undefined;
  /** Maximum longer side of the drawing in pixels; larger images are reduced. Default 4096. */
  maxSide?: number | undefined;
  signal?: AbortSignal | undefined;
}

/**
 * Draws a result over its image: every cell outlined and tinted, neighbours in different colours, with a title. Small
 * images are enlarged; the contrast of 16-bit, float and very dark images is stretched.
 *
 * @throws {CellrouteError} INVALID_ARGUMENT for options, and if image and result differ in size; the errors of
 *   `decodeImage`.
 */
export async function renderOverlay(
  image: ImageInput,
  result: Segmentation | RoutedSegmentation,
  options: OverlayOptions = {},
): Promise<Buffer> {
  const canvas = await drawOverlay(image, result, options);
  return untilAborted(encode(canvas, checkFormat(options.format)), options.signal);
}

/** As {@link renderOverlay}, not encoded. */
export async function drawOverlay(
  image: ImageInput,
  result: Segmentation | RoutedSegmentation,
  options: OverlayOptions,
): Promise<Canvas> {
  const { title, maxSide, signal, format: _, ...style } = checkOptions(options);
  checkResult('result', result);
  const scene = await prepareScene(image, result, maxSide, signal);
  await drawCells(scene, result, style, signal);
  const text = title === true ? titleOf(result) : { left: title || '', right: '' };
  return title === false ? scene.canvas : withTitle(scene.canvas, text);
}

type Style = Complete<Pick<OverlayOptions, 'outlines' | 'fill' | 'opacity' | 'scores'>>;

function checkOptions(options: OverlayOptions) {
  const known = ['outlines', 'fill', 'opacity', 'title', 'scores', 'format', 'maxSide', 'signal'];
  checkKeys('', options, known);
  const { title = true } = options;
  return {
    outlines: checkBoolean('outlines', options.outlines ?? true),
    fill: checkBoolean('fill', options.fill ?? true),
    opacity: checkNumber('opacity', options.opacity ?? 0.22, { min: 0, max: 1 }),
    title: typeof title === 'boolean' ? title : checkString('title', title),
    scores: checkBoolean('scores', options.scores ?? false),
    format: checkFormat(options.format),
    maxSide: checkNumber('maxSide', options.maxSide ?? 4096, { min: 16, max: 16_383, integer: true }),
    signal: options.signal,
  };
}

/** Tints are drawn before outlines, so that no outline is hidden; cells with the highest score are drawn last. */
async function drawCells(
  scene: Scene,
  { cells }: Segmentation,
  { outlines, fill, opacity, scores }: Style,
  signal: AbortSignal | undefined,
): Promise<void> {
  const painter = await Painter.of(scene, cells.masks, signal);
  const colours = await neighbourColours(painter.shapes, scene.grid, signal);
  const colourOf = (cell: number): Colour => palette[colours[cell]!]!;
  const drawings: ((cell: number) => void)[] = [];
  if (fill && opacity > 0) drawings.push((cell) => painter.tint(cell, colourOf(cell), opacity));
  if (outlines) drawings.push((cell) => painter.outline(cell, colourOf(cell)));
  if (scores) drawings.push((cell) => painter.label(cell, cells.scores[cell]!.toFixed(2)));
  await paintAll(cells.length, drawings, signal);
}
