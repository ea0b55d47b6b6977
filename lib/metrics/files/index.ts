import { checkBoolean, checkKeys, checkObject, checkString, refuse } from '../../check.js';
import { dataInvalid } from '../../data/problems.js';
import { openSide } from './open.js';
import { type PairedImages, type PairOptions, pairSides } from './pair.js';

export type { PairedImages } from './pair.js';

export interface PairFilesOptions extends PairOptions {
  /** Column (or COCO image field) with the cell type; of several, the first there is. Default `type` or `cell_type`. */
  typeColumn?: string | readonly string[];
  signal?: AbortSignal;
}

/**
 * Images for {@link evaluate} from files: truth and predictions, each as a CSV in the competitions' form, a COCO data
 * set, a folder of label images or a data set's folder; predictions also as a list of COCO results or as the folder
 * that `cellroute segment` writes. No image is needed, only what is said of its cells.
 *
 * Classes are compared where the truth has several COCO categories and the predictions name theirs. Boxes and areas
 * are those of the files, as pycocotools takes them.
 *
 * @throws {CellrouteError} FILE_UNREADABLE; DATA_INVALID for anything that cannot be used, as leaving it out would change
 *   the numbers; INVALID_ARGUMENT for options.
 */
export async function pairFiles(
  truth: string,
  predicted: string,
  options: PairFilesOptions = {},
): Promise<PairedImages> {
  checkString('truth', truth);
  checkString('predicted', predicted);
  checkKeys('', checkObject('options', options), [
    'onlyPredicted',
    'ignoreClasses',
    'where',
    'typeColumn',
    'signal',
  ]);
  const { typeColumn, signal } = options;
  checkBoolean('onlyPredicted', options.onlyPredicted ?? false);
  checkBoolean('ignoreClasses', options.ignoreClasses ?? false);
  for (const [name, value] of Object.entries(checkObject('where', options.where ?? {}))) {
    if (typeof value !== 'string') throw refuse(`where.${name}`, 'a string', value);
  }
  const names = typeColumn === undefined ? undefined : [typeColumn].flat();
  names?.forEach((name, i) => {
    checkString(`typeColumn[${i}]`, name);
  });
  const sideOptions = { ...(names && { typeColumn: names }), ...(signal && { signal }) };
  const trueSide = await openSide(truth, sideOptions);
  if (trueSide.classes === 'ids') {
    throw dataInvalid(truth, 'a list of results is no truth: it does not say which images there are');
  }
  return pairSides(trueSide, await openSide(predicted, sideOptions), options);
}
