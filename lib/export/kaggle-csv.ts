import { csvLine } from './csv.js';
import { cellTypeOf, type NamedResult } from './named.js';

/**
 * Rows `id,annotation`, a row a cell by falling score, masks in Kaggle's dialect (1-based, row-major "start length").
 * A picture without cells gets one row with an empty annotation, so that no picture is missing. Competitions refuse
 * overlapping cells: ask the segmenter to remove them.
 */
export function kaggleCsv(pictures: Iterable<NamedResult>): string {
  let csv = csvLine(['id', 'annotation']);
  for (const { id, result } of pictures) {
    for (const annotation of annotations(result)) csv += csvLine([id, annotation]);
  }
  return csv;
}

/**
 * The form of the Sartorius competition's train.csv, plate and date columns empty; `cellType` stands in where the
 * result was not routed. Pictures without cells have one row with an empty annotation.
 */
export function kaggleTrainCsv(pictures: Iterable<NamedResult>, { cellType = '' } = {}): string {
  let csv = csvLine([
    'id',
    'annotation',
    'width',
    'height',
    'cell_type',
    'plate_time',
    'sample_date',
    'sample_id',
    'elapsed_timedelta',
  ]);
  for (const { id, result } of pictures) {
    const type = cellTypeOf(result) ?? cellType;
    for (const annotation of annotations(result)) {
      csv += csvLine([id, annotation, result.width, result.height, type, '', '', '', '']);
    }
  }
  return csv;
}

function annotations({ cells }: NamedResult['result']): string[] {
  return cells.length === 0 ? [''] : cells.masks.toKaggle();
}
