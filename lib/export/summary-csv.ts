import type { RoutedSegmentation, Segmentation } from '../inference/result.js';
import { cellTypeOf, type NamedResult, streamOf, type TextWriter, textOf } from './named.js';
import { csvLine, shortest } from './text.js';

/**
 * A table with one row per image: size, route with the probability of each type, number of cells, share of the image
 * that cells cover, mean area, limits that were reached, and notices. For a look at a run in a spreadsheet.
 *
 * @throws {CellrouteError} INVALID_ARGUMENT
 */
export function summaryCsv(images: Iterable<NamedResult>): string {
  return textOf(images, summary());
}

/**
 * {@link summaryCsv} while results arrive: pieces of text, for `stream.Readable.from` or a file.
 *
 * @throws {CellrouteError} INVALID_ARGUMENT; the iteration throws what `images` throw.
 */
export function streamSummaryCsv(
  images: Iterable<NamedResult> | AsyncIterable<NamedResult>,
): AsyncGenerator<string, void, undefined> {
  return streamOf(images, summary());
}

type Result = Segmentation | RoutedSegmentation;

const COLUMNS: Readonly<Record<string, (result: Result) => string | number>> = {
  width: ({ width }) => width,
  height: ({ height }) => height,
  cell_type: (result) => cellTypeOf(result) ?? '',
  segmenter: (result) => ('segmenter' in result ? result.segmenter : ''),
  // The types differ between ensembles, and columns must not.
  probabilities: (result) =>
    'probabilities' in result
      ? Object.entries(result.probabilities)
          .map(([type, probability]) => `${type}=${shortest(probability)}`)
          .join('; ')
      : '',
  scale: ({ scale }) => shortest(scale),
  cells: ({ cells }) => cells.length,
  area_fraction: (result) => coveredPixels(result) / (result.width * result.height),
  mean_area: ({ cells }) =>
    cells.length === 0 ? '' : cells.areas.reduce((sum, area) => sum + area, 0) / cells.length,
  mean_score: ({ cells }) =>
    cells.length === 0 ? '' : shortest(cells.scores.reduce((sum, score) => sum + score, 0) / cells.length),
  detection_limit_reached: ({ limitsReached }) => Number(limitsReached.detections),
  proposal_limit_reached: ({ limitsReached }) => Number(limitsReached.proposals),
  tiles: ({ seams }) => (seams ? (seams.x.length + 1) * (seams.y.length + 1) : 1),
  cells_on_seams: ({ seams }) => seams?.cells.length ?? 0,
  notices: ({ notices = [] }) => notices.join('; '),
};

function summary(): TextWriter<NamedResult> {
  return {
    begin: () => csvLine(['image', ...Object.keys(COLUMNS)]),
    add: ({ id, result }) => [csvLine([id, ...Object.values(COLUMNS).map((of) => of(result))])],
    end: () => '',
  };
}

/** Pixels that belong to a cell; those of several cells count once. */
const coveredPixels = ({ cells }: Result): number => cells.masks.union().areas()[0]!;
