import { untilAborted } from '../abort.js';
import { checkKeys, checkNumber, checkObject, checkString, refuse } from '../check.js';
import type { Colour } from '../export/palette.js';
import type { ImageInput } from '../image/types.js';
import { Masks } from '../mask/masks.js';
import { Canvas } from './canvas.js';
import { checkFormat, encode, type RenderFormat } from './encode.js';
import { matchCells } from './match.js';
import { Painter, paintAll } from './painter.js';
import { prepareScene, type Scene } from './scene.js';
import { cellsPhrase, withTitle } from './title.js';

/** Predicted cells; the `Cells` of a result have this form. */
export interface PredictedCells {
  masks: Masks;
  /** One score per mask, 0 to 1. */
  scores: ArrayLike<number>;
}

/** Options of {@link renderComparison}. */
export interface ComparisonOptions {
  /** Minimum IoU of a match, 0 to 1. Default 0.5. */
  iouThreshold?: number | undefined;
  /** Title above both images. Default: none; each half always has its own title. */
  title?: string | undefined;
  /** Default `png`. */
  format?: RenderFormat | undefined;
  /** Maximum longer side of both images together, in pixels. Default 4096. */
  maxSide?: number | undefined;
  signal?: AbortSignal | undefined;
}

/** Light, with a dark line on its inner side: it stands out from stained tissue, fluorescence and phase contrast. */
const found: Colour = [80, 215, 255];
const foundInside: Colour = [0, 25, 60];
const missed: Colour = [255, 176, 0];
const falseDetection: Colour = [255, 80, 165];
const tint = 0.14;
/** Minimum longer side of one half of a comparison in a sheet, in pixels. */
const SHEET_SIDE = 500;
/** Width of the gap between the halves, in pixels per 500 pixels of the longer side. */
const gapUnit = 4;

/**
 * Draws ground truth and prediction side by side, or one above the other for wide images. Matched cells are light blue, missed
 * cells hatched orange, false detections hatched pink. Each prediction, in descending order of score, is matched to the
 * cell with the highest IoU.
 *
 * @param groundTruth ground truth masks.
 * @param predicted predicted cells, of the same image size.
 * @throws {CellrouteError} INVALID_ARGUMENT for options, and if image and masks differ in size; the errors of
 *   `decodeImage`.
 */
export async function renderComparison(
  image: ImageInput,
  groundTruth: Masks,
  predicted: PredictedCells,
  options: ComparisonOptions = {},
): Promise<Buffer> {
  const { format, ...checked } = checkOptions(options);
  checkPrediction(groundTruth, predicted);
  const canvas = await draw(image, groundTruth, predicted, checked);
  return untilAborted(encode(canvas, format), checked.signal);
}

/** As {@link renderComparison}, for a sheet of several comparisons, for which small images are enlarged less. */
export function drawForSheet(
  image: ImageInput,
  groundTruth: Masks,
  predicted: PredictedCells,
  { title, maxSide, signal }: { title: string; maxSide: number; signal?: AbortSignal | undefined },
): Promise<Canvas> {
  const { format: _, ...checked } = checkOptions({ title, maxSide, signal });
  return draw(image, groundTruth, predicted, { ...checked, smallSide: SHEET_SIDE });
}

interface Drawing {
  iouThreshold: number;
  title: string | undefined;
  maxSide: number;
  smallSide?: number;
  signal: AbortSignal | undefined;
}

async function draw(
  image: ImageInput,
  groundTruth: Masks,
  predicted: PredictedCells,
  { iouThreshold, title, maxSide, smallSide, signal }: Drawing,
): Promise<Canvas> {
  const stacked = groundTruth.width > 1.5 * groundTruth.height;
  const scene = await prepareScene(image, groundTruth, Math.floor(maxSide / 2), signal, smallSide);
  const { groundTruthOf, foundBy } = matchCells(groundTruth, predicted.masks, predicted.scores, iouThreshold);
  const left = await half(scene, groundTruth, (cell) => foundBy[cell] === -1, missed, signal);
  const right = await half(
    scene,
    predicted.masks,
    (cell) => groundTruthOf[cell] === -1,
    falseDetection,
    signal,
  );
  const misses = foundBy.filter((prediction) => prediction === -1).length;
  const falseDetections = groundTruthOf.filter((cell) => cell === -1).length;
  const both = join(
    await withTitle(left, {
      left: `ground truth · ${cellsPhrase(groundTruth.length)}`,
      notes: [{ text: misses === 0 ? 'none missed' : `${misses} missed`, colour: missed }],
      right: '',
    }),
    await withTitle(right, {
      left: `prediction · ${cellsPhrase(predicted.masks.length)}`,
      notes: [
        {
          text: `${falseDetections === 0 ? 'no' : falseDetections} false ${falseDetections === 1 ? 'detection' : 'detections'}`,
          colour: falseDetection,
        },
      ],
      right: `IoU ${iouThreshold}`,
    }),
    stacked,
  );
  return title === undefined ? both : withTitle(both, { left: title, right: '' });
}

function checkOptions(options: ComparisonOptions) {
  checkKeys('', options, ['iouThreshold', 'title', 'format', 'maxSide', 'signal']);
  return {
    iouThreshold: checkNumber('iouThreshold', options.iouThreshold ?? 0.5, { min: 0, max: 1 }),
    title: options.title === undefined ? undefined : checkString('title', options.title),
    format: checkFormat(options.format),
    maxSide: checkNumber('maxSide', options.maxSide ?? 4096, { min: 32, max: 16_383, integer: true }),
    signal: options.signal,
  };
}

function checkPrediction(groundTruth: Masks, predicted: PredictedCells): void {
  if (!(groundTruth instanceof Masks)) throw refuse('groundTruth', 'Masks', groundTruth);
  checkObject('predicted', predicted);
  const { masks, scores } = predicted;
  if (!(masks instanceof Masks)) throw refuse('predicted.masks', 'Masks', masks);
  if (masks.width !== groundTruth.width || masks.height !== groundTruth.height) {
    throw refuse(
      'predicted.masks',
      `masks of ${groundTruth.width} × ${groundTruth.height} pixels, the size of the ground truth`,
      `${masks.width} × ${masks.height}`,
    );
  }
  if (scores?.length !== masks.length) throw refuse('predicted.scores', `${masks.length} scores`, scores);
}

/** Draws one half. Cells without a match are hatched, and outlined twice as thick above all others. */
async function half(
  scene: Scene,
  masks: Masks,
  alone: (cell: number) => boolean,
  mark: Colour,
  signal: AbortSignal | undefined,
): Promise<Canvas> {
  const { canvas } = scene;
  const copy = new Canvas(canvas.width, canvas.height, new Uint8Array(canvas.data));
  const painter = await Painter.of({ ...scene, canvas: copy }, masks, signal);
  const met = (draw: (cell: number) => void) => (cell: number) => alone(cell) || draw(cell);
  const ifUnmatched = (draw: (cell: number) => void) => (cell: number) => alone(cell) && draw(cell);
  await paintAll(
    masks.length,
    [
      met((cell) => painter.tint(cell, found, tint)),
      ifUnmatched((cell) => painter.hatch(cell, mark)),
      met((cell) => painter.outline(cell, foundInside, 2)),
      met((cell) => painter.outline(cell, found)),
      ifUnmatched((cell) => painter.outline(cell, mark, 2)),
    ],
    signal,
  );
  return copy;
}

/** Joins two images of equal size, with a light gap between them. */
function join(first: Canvas, second: Canvas, stacked: boolean): Canvas {
  const gap = gapUnit * Math.max(1, Math.round(Math.max(first.width, first.height) / 500));
  const both = stacked
    ? new Canvas(first.width, 2 * first.height + gap)
    : new Canvas(2 * first.width + gap, first.height);
  both.data.fill(255);
  both.place(first, 0, 0);
  both.place(second, stacked ? 0 : first.width + gap, stacked ? first.height + gap : 0);
  return both;
}
