import type { ImageInput } from '../image/types.js';
import type { RoutedSegmentation, Segmentation } from '../inference/result.js';
import { neighbourColours } from '../render/colours.js';
import { encode } from '../render/encode.js';
import { outlinePath } from '../render/outline-path.js';
import { prepareScene } from '../render/scene.js';
import { shapeOf } from '../render/shape.js';

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
  const shapes = Array.from({ length: cells.length }, (_, i) => shapeOf(masks, i, grid.width, grid.height));
  const boxes = masks.boxes();
  const contours = masks.contours();
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
      colour: Array.from(neighbourColours(shapes, grid.width, grid.height)),
      outline: Array.from({ length: cells.length }, (_, i) => outlinePath(contours.polygons(i))),
    },
  };
}
