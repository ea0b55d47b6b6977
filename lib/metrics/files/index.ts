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
  /** Meaning of COCO's categories: `classes` of cells (default), or `cell-types` of whole images, whose cells are one class. */
  categories?: 'classes' | 'cell-types' | undefined;
  /**
   * Meaning of COCO's `iscrowd: 1`: `skip` (default) for regions of many cells, in which predictions are not counted;
   * `cells` for one cell each, as in CVAT's exports of brush masks.
   */
  crowds?: Crowds | undefined;
  /** Refuses ground truth with any unusable entry. Default false: such entries are skipped and listed in `notices`. */
  strict?: boolean | undefined;
  signal?: AbortSignal | undefined;
}

/**
 * Reads images for {@link evaluate} from files with ground truth and predictions. Each may have any format that
 * `openDataset` reads, or be a folder of label images. Predictions may also be a list of COCO results or the output folder
 * of `cellroute segment`. Image files are opened only if nothing else states their size.
 *
 * Ground truth is read as `openDataset` reads it: unusable entries are skipped and listed in `notices`, and so are images
 * without a usable annotation. Predictions must be complete.
 *
 * Classes are compared if the ground truth has several COCO categories and the predictions have classes. Boxes and areas
 * are those of the files, as in pycocotools.
 *
 * @throws {CellrouteError} FILE_UNREADABLE; DATA_INVALID if no ground truth is usable, if any is unusable with
 *   `strict`, and for unusable predictions; INVALID_ARGUMENT for options.
 */
export async function pairFiles(
  groundTruth: string,
  predicted: string,
  options: PairFilesOptions = {},
): Promise<PairedImages> {
  checkString('groundTruth', groundTruth);
  checkString('predicted', predicted);
  const reading = checkOptions(options);
  const groundTruthSource = await openAnnotations(groundTruth, reading);
  if (groundTruthSource.classes === 'ids') {
    throw dataInvalid(groundTruth, 'a list of results cannot be ground truth: it does not list the images');
  }
  const predictedSource = await openAnnotations(predicted, { ...reading, predictions: true });
  const [first] = predictedSource.problems;
  if (first) throw dataInvalid(predicted, `predictions must be complete\n- ${problemLine(first)}`);
  return pairAnnotations(groundTruthSource, predictedSource, options);
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
