import { extname } from 'node:path';
import { imageEndings } from '../image/format.js';
import { EXPLAIN_METHODS } from '../inference/explanation.js';

/** Extensions that the command line appends to an image's name for its outputs. */
export const RESULT_ENDING = '.json';
export const LABELS_ENDING = '.labels.png';
export const OVERLAY_ENDING = '.overlay.png';
export const LABEL_TIFF_ENDING = '.labels.tif';
export const OME_TIFF_ENDING = '.labels.ome.tif';
/** Endings of the files that cellpose's tools expect beside an image. */
export const CELLPOSE_ENDING = '_cp_masks.tif';
export const explanationEnding = (method: string): string => `.${method}.png`;

const DRAWING_ENDINGS = [OVERLAY_ENDING, ...EXPLAIN_METHODS.map(explanationEnding)];
const OUTPUT_ENDINGS = [
  LABELS_ENDING,
  LABEL_TIFF_ENDING,
  OME_TIFF_ENDING,
  CELLPOSE_ENDING,
  ...DRAWING_ENDINGS,
];

/** Whether a file name is that of an overlay or a heat map. */
export const isDrawing = (name: string): boolean => DRAWING_ENDINGS.some((ending) => name.endsWith(ending));

/**
 * Files of a folder whose names are those of outputs for another file in it, such as `x.labels.png` beside `x.png` or
 * `x.json`. They are not images to segment or to train with.
 */
export function outputsAmong(names: readonly string[]): Set<string> {
  const stems = new Set(
    names.flatMap((name) => {
      const ending = extname(name);
      const isSource = ending === RESULT_ENDING || imageEndings.includes(ending.toLowerCase());
      return isSource ? [name.slice(0, -ending.length)] : [];
    }),
  );
  return new Set(
    names.filter((name) =>
      OUTPUT_ENDINGS.some((ending) => name.endsWith(ending) && stems.has(name.slice(0, -ending.length))),
    ),
  );
}
