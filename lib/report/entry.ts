import type { ImageInput } from '../image/types.js';
import { inTurns } from '../in-parts.js';
import type { RoutedSegmentation, Segmentation } from '../inference/result.js';
import { neighbourColours } from '../render/colours.js';
import { encode } from '../render/encode.js';
import { outlinePath } from '../render/outline-path.js';
import { prepareScene } from '../render/scene.js';
import { shapesOf } from '../render/shape.js';

/** One image of a report, in compact form. */
export interface ReportEntry {
  name: string;
  width: number;
  height: number;
  /** The image as a data URI, possibly reduced. */
  source: string;
  route: { cellType: string; segmenter: string; probabilities: Readonly<Record<string, number>> } | undefined;
  limitsReached: boolean;
  cells: EntryCells;
}

/** One value per cell, in the order of the result. */
export interface EntryCells {
  score: number[];
  /** Area in pixels. */
  area: number[];
  label: number[];
  /** Centre of the mask's box, in pixels of the image. */
  x: number[];
  y: number[];
  /** Index into the palette. */
  colour: number[];
  /** SVG path in pixels of the image. */
  outline: string[];
}

/** Cells whose outlines are traced together. */
const OUTLINES = 128;

export async function entryOf(
  name: string,
  image: ImageInput,
  result: Segmentation | RoutedSegmentation,
  maxSide: number,
  signal: AbortSignal | undefined,
): Promise<ReportEntry> {
  const { width, height, cells, limitsReached } = result;
  // Never enlarged: the browser does that.
  const scene = await prepareScene(image, result, Math.min(maxSide, Math.max(width, height)), signal);
  const webp = await encode(scene.canvas, 'webp');
  const { masks } = cells;
  const { grid } = scene;
  const shapes = await shapesOf(masks, grid, signal);
  const boxes = masks.boxes();
  const outline: string[] = [];
  const draw = (block: number) => {
    const count = Math.min(OUTLINES, cells.length - block * OUTLINES);
    const contours = masks.select(Array.from({ length: count }, (_, i) => block * OUTLINES + i)).contours();
    for (let i = 0; i < count; i++) outline.push(outlinePath(contours.polygons(i)));
  };
  await inTurns(Math.ceil(cells.length / OUTLINES), draw, signal);
  const middle = (axis: 0 | 1) =>
    Array.from({ length: cells.length }, (_, i) => (boxes[4 * i + axis]! + boxes[4 * i + axis + 2]!) / 2);
  return {
    name,
    width,
    height,
    source: `data:image/webp;base64,${webp.toString('base64')}`,
    route:
      'cellType' in result
        ? {
            cellType: result.cellType,
            segmenter: result.segmenter,
            probabilities: { ...result.probabilities },
          }
        : undefined,
    limitsReached: limitsReached.detections,
    cells: {
      score: Array.from(cells.scores, (score) => Number(score.toFixed(3))),
      area: Array.from(cells.areas),
      label: Array.from(cells.labels),
      x: middle(0),
      y: middle(1),
      colour: Array.from(await neighbourColours(shapes, grid, signal)),
      outline,
    },
  };
}
