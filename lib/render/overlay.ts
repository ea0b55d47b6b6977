import { setImmediate as nextTurn } from 'node:timers/promises';
import sharp from 'sharp';
import { checkBoolean, checkKeys, checkNumber, checkOneOf, checkString, refuse } from '../check.js';
import { decodeImage } from '../image/decode.js';
import type { ImageInput } from '../image/types.js';
import type { RoutedSegmentation, Segmentation } from '../result.js';
import { Canvas, type Colour } from './canvas.js';
import { neighbourColours, palette } from './colours.js';
import { forDisplay } from './display.js';
import { capitalHeight, textWidth } from './font.js';
import { drawRim } from './outline.js';
import { titleOf, withTitle } from './title.js';
import { maskWindow } from './window.js';

export interface OverlayOptions {
  /** Draw each cell's outline, inside its mask. Default true. */
  outlines?: boolean;
  /** Tint each cell. Default true. */
  fill?: boolean;
  /** Strength of the tint, 0 to 1. Default 0.22. */
  opacity?: number;
  /** Text of the bar above the picture; false for no bar. Default: routed type, its probability, number of cells. */
  title?: string | boolean;
  /** Write each cell's score on it. Default false. */
  scores?: boolean;
  /** Default `png`. */
  format?: 'png' | 'webp' | 'jpeg';
  /** Pixels the longer side of the picture may have; larger ones are shrunk. Default 4096. */
  maxSide?: number;
  signal?: AbortSignal;
}

/** Pictures smaller than this, in pixels on the longer side, are enlarged by a whole number. */
const smallSide = 1000;
/** JavaScript draws for this long, in milliseconds, before other work gets a turn. */
const turn = 12;

/**
 * A picture of what was found: every cell outlined and tinted, neighbours in different colours, a title above.
 * Small pictures are enlarged, 16-bit, float and very dark ones stretched so that the eye sees them.
 *
 * @throws {CellrouteError} INVALID_ARGUMENT for options, and where picture and result differ in size; what
 *   {@link decodeImage} throws.
 */
export async function renderOverlay(
  image: ImageInput,
  result: Segmentation | RoutedSegmentation,
  options: OverlayOptions = {},
): Promise<Buffer> {
  const { title, format, signal, ...style } = checkOptions(options);
  const { maxSide } = style;
  const raw = await decodeImage(image, signal ? { signal } : {});
  if (raw.width !== result.width || raw.height !== result.height) {
    throw refuse(
      'image',
      `the picture the result was made from (${result.width} × ${result.height})`,
      `${raw.width} × ${raw.height}`,
    );
  }
  const longSide = Math.max(raw.width, raw.height);
  const zoom = Math.max(1, Math.min(Math.ceil(smallSide / longSide), Math.floor(maxSide / longSide)));
  const canvas = new Canvas(raw.width * zoom, raw.height * zoom, await enlarge(forDisplay(raw), raw, zoom));
  await drawCells(canvas, result, zoom, style, signal);
  const shown = longSide > maxSide ? await shrink(canvas, maxSide) : canvas;
  const text = title === true ? titleOf(result) : { left: title || '', right: '' };
  return encode(title === false ? shown : withTitle(shown, text), format);
}

type Style = Required<Pick<OverlayOptions, 'outlines' | 'fill' | 'opacity' | 'scores' | 'maxSide'>>;

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
    format: checkOneOf('format', options.format ?? 'png', ['png', 'webp', 'jpeg']),
    maxSide: checkNumber('maxSide', options.maxSide ?? 4096, { min: 16, max: 16_383, integer: true }),
    signal: options.signal,
  };
}

/** Tints first, then outlines, so that none is hidden; the best cells, which come first, are drawn last. */
async function drawCells(
  canvas: Canvas,
  { cells, width }: Segmentation,
  zoom: number,
  { outlines, fill, opacity, scores, maxSide }: Style,
  signal: AbortSignal | undefined,
): Promise<void> {
  const { masks } = cells;
  const colours = neighbourColours(masks.toLabels(), width, cells.length);
  const colourOf = (cell: number): Colour => palette[colours[cell]!]!;
  const boxes = masks.boxes();
  const longSide = Math.max(canvas.width, canvas.height);
  const thickness = Math.max(
    Math.min(Math.ceil(zoom / 2), 3),
    Math.round(longSide / Math.min(maxSide, 1400)),
  );

  const drawings: ((cell: number) => void)[] = [];
  if (fill && opacity > 0) {
    drawings.push((cell) => {
      for (const { x, y, length } of masks.runs(cell)) {
        canvas.fill(x * zoom, y * zoom, length * zoom, zoom, colourOf(cell), opacity);
      }
    });
  }
  if (outlines) {
    drawings.push((cell) => {
      const paint = (x: number, y: number, w: number, h: number) => canvas.fill(x, y, w, h, colourOf(cell));
      drawRim(maskWindow(masks, cell, boxes), zoom, thickness, paint);
    });
  }
  if (scores) {
    const scale = Math.max(1, Math.round(longSide / 1200));
    drawings.push((cell) => {
      const text = cells.scores[cell]!.toFixed(2);
      const [x = 0, y = 0, w = 0, h = 0] = boxes.subarray(4 * cell, 4 * cell + 4);
      const left = Math.round((x + w / 2) * zoom - textWidth(text, scale) / 2);
      canvas.text(
        text,
        left,
        Math.round((y + h / 2) * zoom - (capitalHeight * scale) / 2),
        scale,
        white,
        true,
      );
    });
  }

  let began = performance.now();
  for (const draw of drawings) {
    for (let cell = cells.length - 1; cell >= 0; cell--) {
      draw(cell);
      if (performance.now() - began > turn) {
        await nextTurn();
        signal?.throwIfAborted();
        began = performance.now();
      }
    }
  }
}

const white: Colour = [255, 255, 255];

interface Size {
  width: number;
  height: number;
}

async function enlarge(rgb: Uint8Array, { width, height }: Size, zoom: number): Promise<Uint8Array> {
  if (zoom === 1) return rgb;
  return sharp(rgb, { raw: { width, height, channels: 3 } })
    .resize(width * zoom, height * zoom, { kernel: 'cubic', fit: 'fill' })
    .raw()
    .toBuffer();
}

async function shrink({ data, width, height }: Canvas, maxSide: number): Promise<Canvas> {
  const { data: smaller, info } = await sharp(data, { raw: { width, height, channels: 3 } })
    .resize({ width: maxSide, height: maxSide, fit: 'inside' })
    .raw()
    .toBuffer({ resolveWithObject: true });
  return new Canvas(info.width, info.height, smaller);
}

function encode({ data, width, height }: Canvas, format: 'png' | 'webp' | 'jpeg'): Promise<Buffer> {
  const picture = sharp(data, { raw: { width, height, channels: 3 } });
  if (format === 'png') return picture.png().toBuffer();
  if (format === 'webp') return picture.webp({ quality: 90, smartSubsample: true }).toBuffer();
  return picture.jpeg({ quality: 92, chromaSubsampling: '4:4:4' }).toBuffer();
}
