import { checkKeys, checkObject, checkOneOf, checkString } from '../check.js';
import type { ImageSource } from '../image/types.js';
import type {
  LimitsReached,
  RoutedSegmentation,
  Seams,
  Segmentation,
  SlideInfo,
} from '../inference/result.js';
import type { Masks } from '../mask/masks.js';
import { cellBlocks } from './blocks.js';
import { checkResult } from './named.js';
import { shortest } from './text.js';

/** One cell in the JSON of a result. */
export interface ResultJsonCell {
  /** x1, y1, x2, y2 in pixels. */
  box: [number, number, number, number];
  score: number;
  /** Class of the segmenter, from 1, and its name. */
  label: number;
  className: string;
  /** Number of pixels. */
  area: number;
  /** The mask in the encoding `rle`. */
  mask: string | number[];
}

/** Options of {@link resultJson}. */
export interface ResultJsonOptions {
  /** Encoding of masks. Default `coco`. */
  rle?: ResultJson['rle'] | undefined;
  /** Name of the image. Default: the name in the result. */
  name?: string | undefined;
}

/** A result of one image as a file. A reader should refuse a `version` that it does not know; fields may be added. */
export interface ResultJson {
  format: 'cellroute-result';
  version: 1;
  /** Name of the image, if known. */
  name?: string;
  /** Present if there was a router. */
  cellType?: string;
  probabilities?: Record<string, number>;
  segmenter?: string;
  width: number;
  height: number;
  limitsReached: LimitsReached;
  /** The scale that was used, relative to the network's own resize. Files of earlier versions have none: it was 1. */
  scale?: number;
  /** Present if the image was segmented in tiles. */
  seams?: Seams;
  /** For a slide: the segmented level and its tiles. */
  slide?: SlideInfo;
  /** What was read from the file, and what else it contains. */
  source?: ImageSource;
  /** Remarks about the image, one sentence each. */
  notices?: readonly string[];
  /**
   * `coco`: COCO's compressed string; `counts`: COCO's run lengths down the columns; `kaggle`: 1-based, row-major
   * "start length".
   */
  rle: 'coco' | 'counts' | 'kaggle';
  /** Cells by descending score. */
  cells: ResultJsonCell[];
}

/**
 * Converts the result of one image to JSON text.
 *
 * @param options.rle encoding of masks. Default `coco`.
 * @param options.name name of the image. Default: the name in the result.
 * @throws {CellrouteError} INVALID_ARGUMENT
 */
export function resultJson(
  result: Segmentation | RoutedSegmentation,
  options: ResultJsonOptions = {},
): string {
  return [...parts(result, options)].join('');
}

/**
 * {@link resultJson} in pieces of text, for a result whose text is larger than a string can be.
 *
 * @throws {CellrouteError} INVALID_ARGUMENT, when the iteration starts.
 */
export async function* streamResultJson(
  result: Segmentation | RoutedSegmentation,
  options: ResultJsonOptions = {},
): AsyncGenerator<string, void, undefined> {
  yield* parts(result, options);
}

function* parts(
  result: Segmentation | RoutedSegmentation,
  options: ResultJsonOptions,
): Generator<string, void, undefined> {
  checkKeys('', checkObject('options', options), ['rle', 'name']);
  checkResult('result', result);
  const { rle = 'coco', name = result.name } = options;
  checkOneOf('rle', rle, ['coco', 'counts', 'kaggle']);
  if (name !== undefined) checkString('name', name);
  const { cells, width, height, limitsReached, scale, seams, slide, source, notices } = result;
  const head: Omit<ResultJson, 'cells'> = {
    format: 'cellroute-result',
    version: 1,
    ...(name !== undefined && { name }),
    ...('cellType' in result && {
      cellType: result.cellType,
      probabilities: Object.fromEntries(
        Object.entries(result.probabilities).map(([type, probability]) => [type, shortest(probability)]),
      ),
      segmenter: result.segmenter,
    }),
    width,
    height,
    limitsReached: { detections: limitsReached.detections, proposals: limitsReached.proposals },
    scale,
    ...(seams && { seams: { x: seams.x.map(shortest), y: seams.y.map(shortest), cells: seams.cells } }),
    ...(slide && { slide }),
    ...(source && { source }),
    ...(notices && { notices }),
    rle,
  };
  yield `${JSON.stringify(head).slice(0, -1)},"cells":[`;
  for (const block of cellBlocks(cells)) {
    const masks = textsOf(block.masks, rle);
    const texts = block.cells.map(({ box, score, label, className, area }, i) => {
      const cell: ResultJsonCell = {
        box: [box.x1, box.y1, box.x2, box.y2].map(shortest) as ResultJsonCell['box'],
        score: shortest(score),
        label,
        className,
        area,
        mask: masks[i]!,
      };
      return JSON.stringify(cell);
    });
    yield `${block.first > 0 ? ',' : ''}${texts.join(',')}`;
  }
  yield ']}';
}

function textsOf(masks: Masks, rle: ResultJson['rle']): ResultJsonCell['mask'][] {
  if (rle === 'coco') return masks.toCoco();
  if (rle === 'kaggle') return masks.toKaggle();
  return masks.toCounts().map((counts) => Array.from(counts));
}
