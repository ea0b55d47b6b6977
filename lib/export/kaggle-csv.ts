import { checkKeys, checkString } from '../check.js';
import { csvLine } from './csv.js';
import { cellTypeOf, checkedResults, type NamedResult } from './named.js';

/**
 * A submission to the Sartorius competition: rows `id,predicted`, one row per cell by falling score, masks in Kaggle's
 * dialect (1-based, row-major "start length"). An image without cells has one row with an empty mask, so that no image
 * is missing. Competitions refuse overlapping cells: ask the segmenter to remove them.
 *
 * @param options.column name of the column of masks; default `predicted`. Other competitions call it otherwise.
 */
export function kaggleCsv(images: Iterable<NamedResult>, options: { column?: string } = {}): string {
  checkKeys('', options, ['column']);
  let csv = csvLine(['id', checkString('column', options.column ?? 'predicted')]);
  for (const { id, result } of checkedResults(images)) {
    for (const annotation of annotations(result)) csv += csvLine([id, annotation]);
  }
  return csv;
}

/**
 * The form of the Sartorius competition's train.csv, plate and date columns empty; `cellType` stands in where the
 * result was not routed. Images without cells have one row with an empty annotation.
 */
export function kaggleTrainCsv(images: Iterable<NamedResult>, options: { cellType?: string } = {}): string {
  checkKeys('', options, ['cellType']);
  const { cellType = '' } = options;
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
  for (const { id, result } of checkedResults(images)) {
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
