import { checkOneOf } from '../check.js';
import type { Capped, RoutedSegmentation, Seams, Segmentation } from '../inference/result.js';
import { shortest } from './number.js';

export interface ResultJsonCell {
  /** x1, y1, x2, y2 in pixels. */
  box: [number, number, number, number];
  score: number;
  label: number;
  /** Pixels. */
  area: number;
  /** The mask in the dialect `rle` names. */
  mask: string | number[];
}

/** One image's result as a file. A reader refuses a `version` above the one it knows; fields may be added to it. */
export interface ResultJson {
  format: 'cellroute-result';
  version: 1;
  /** Where a router was asked. */
  cellType?: string;
  probabilities?: Record<string, number>;
  segmenter?: string;
  width: number;
  height: number;
  capped: Capped;
  /** Where the image was segmented in tiles. */
  seams?: Seams;
  /**
   * `coco`: COCO's compressed string; `counts`: COCO's run lengths down the columns; `kaggle`: 1-based, row-major
   * "start length".
   */
  rle: 'coco' | 'counts' | 'kaggle';
  /** By falling score. */
  cells: ResultJsonCell[];
}

/** One image's result as JSON text; masks in COCO's compressed dialect unless another is named. */
export function resultJson(
  result: Segmentation | RoutedSegmentation,
  { rle = 'coco' }: { rle?: ResultJson['rle'] } = {},
): string {
  checkOneOf('rle', rle, ['coco', 'counts', 'kaggle']);
  const { cells, width, height, capped, seams } = result;
  const { masks } = cells;
  const runs: ResultJsonCell['mask'][] =
    rle === 'coco'
      ? masks.toCoco()
      : rle === 'kaggle'
        ? masks.toKaggle()
        : masks.toCounts().map((counts) => Array.from(counts));
  const json: ResultJson = {
    format: 'cellroute-result',
    version: 1,
    ...('cellType' in result && {
      cellType: result.cellType,
      probabilities: Object.fromEntries(
        Object.entries(result.probabilities).map(([type, probability]) => [type, shortest(probability)]),
      ),
      segmenter: result.segmenter,
    }),
    width,
    height,
    capped: { detections: capped.detections, proposals: capped.proposals },
    ...(seams && { seams: { x: seams.x.map(shortest), y: seams.y.map(shortest), cells: seams.cells } }),
    rle,
    cells: Array.from(cells, ({ index, box, score, label, area }) => ({
      box: box.map(shortest) as ResultJsonCell['box'],
      score: shortest(score),
      label,
      area,
      mask: runs[index]!,
    })),
  };
  return JSON.stringify(json);
}
