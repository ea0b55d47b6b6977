import { openAnnotations } from '../../annotations/open.js';
import { dataInvalid, problemLine } from '../../annotations/problems.js';
import { type AnnotationOptions, CROWDS, type Crowds } from '../../annotations/types.js';
import { checkBoolean, checkKeys, checkObject, checkOneOf, checkString, refuse } from '../../check.js';
import { type PairedImages, type PairOptions, pairAnnotations } from './pair.js';

export type { PairedImages } from './pair.js';

/** Options of {@link pairFiles}. */
export interface PairFilesOptions extends PairOptions {
  /** Column (or COCO image field) with the cell type; of several, the first present. Default `type` or `cell_type`. */
  cellTypeColumn?: string | readonly string[] | undefined;
  /** What COCO's categories are: `classes` of cells (default), or the `types` of whole images, whose cells are one class. */
  categories?: 'classes' | 'cell-types' | undefined;
  /**
   * What annotations with COCO's `iscrowd: 1` are: regions of many cells, on which predictions are not counted
   * (`leave-out`, the default), or one cell each (`cells`), as CVAT exports brush masks.
   */
  crowds?: Crowds | undefined;
  /** Refuses the ground truth where anything in it cannot be used. Default false: that is left out and reported in `notices`. */
  strict?: boolean | undefined;
  signal?: AbortSignal | undefined;
}

/**
 * Images for {@link evaluate} from files: ground truth and predictions, each in any form that `openDataset`
 * reads; or a folder of label images; predictions also as a list of COCO results or as the folder that
 * `cellroute segment` writes. Images are opened only where nothing else states their size.
 *
 * The ground truth is read as `openDataset` reads it: what cannot be used is left out and reported in `notices`, and so
 * is an image of whose annotations none can be used. Predictions have to be complete.
 *
 * Classes are compared where the ground truth has several COCO categories and the predictions name theirs. Boxes and
 * areas are those of the files, as pycocotools takes them.
 *
 * @throws {CellrouteError} FILE_UNREADABLE; DATA_INVALID where nothing of the ground truth can be used, with `strict` where
 *   anything cannot, and for predictions that cannot be used; INVALID_ARGUMENT for options.
 */
export async function pairFiles(
  groundTruth: string,
  predicted: string,
  options: PairFilesOptions = {},
): Promise<PairedImages> {
  checkString('groundTruth', groundTruth);
  checkString('predicted', predicted);
  const reading = checkOptions(options);
  const trueSource = await openAnnotations(groundTruth, reading);
  if (trueSource.classes === 'ids') {
    throw dataInvalid(
      groundTruth,
      'a list of results is no ground truth: it does not state which images there are',
    );
  }
  const predictedSource = await openAnnotations(predicted, { ...reading, predictions: true });
  const [first] = predictedSource.problems;
  if (first) throw dataInvalid(predicted, `predictions have to be complete\n- ${problemLine(first)}`);
  return pairAnnotations(trueSource, predictedSource, options);
}

const KEYS = [
  'onlyPredicted',
  'ignoreClasses',
  'where',
  'cellTypeColumn',
  'categories',
  'crowds',
  'strict',
  'signal',
] as const;

function checkOptions(options: PairFilesOptions): AnnotationOptions {
  checkKeys('', checkObject('options', options), KEYS);
  const { cellTypeColumn, categories, crowds, signal } = options;
  checkBoolean('onlyPredicted', options.onlyPredicted ?? false);
  checkBoolean('ignoreClasses', options.ignoreClasses ?? false);
  checkBoolean('strict', options.strict ?? false);
  for (const [name, value] of Object.entries(checkObject('where', options.where ?? {}))) {
    if (typeof value !== 'string') throw refuse(`where.${name}`, 'a string', value);
  }
  const names = cellTypeColumn === undefined ? undefined : [cellTypeColumn].flat();
  names?.forEach((name, i) => {
    checkString(`cellTypeColumn[${i}]`, name);
  });
  return {
    ...(names && { cellTypeColumn: names }),
    ...(categories !== undefined && {
      categories: checkOneOf('categories', categories, ['classes', 'cell-types'] as const),
    }),
    ...(crowds !== undefined && { crowds: checkOneOf('crowds', crowds, CROWDS) }),
    signal,
  };
}
