import { CROWDS, type Crowds } from '../annotations/types.js';
import { checkBoolean, checkKeys, checkObject, checkOneOf, checkString, refuse } from '../check.js';
import { checkReadOptions, READ_KEYS } from '../image/select.js';
import type { ImageReadOptions } from '../image/types.js';

/**
 * Options of {@link openDataset}. Options for reading images (`page`, `z`, `t`, `channels`, `limits`) apply to all images.
 */
export interface OpenDatasetOptions extends ImageReadOptions {
  /** Folder of the images. Default: searched beside the annotations under the usual names. */
  images?: string | undefined;
  /**
   * Column (or COCO image field) with the cell type. Of several names, the first that exists is used. Default `type` or
   * `cell_type`, if one exists.
   */
  cellTypeColumn?: string | readonly string[] | undefined;
  /**
   * Class names of cells, label 1 first. Default ['cell']; for COCO, all categories in ascending order of ids, from which
   * this option selects.
   */
  classNames?: readonly string[] | undefined;
  /** What COCO's categories are: `classes` of cells (default), or the `types` of whole images, whose cells are one class. */
  categories?: 'classes' | 'cell-types' | undefined;
  /**
   * Meaning of annotations with COCO's `iscrowd: 1`: `leave-out` (default) for regions of many cells, which are skipped;
   * `cells` for one cell each, as in CVAT's exports of brush masks.
   */
  crowds?: Crowds | undefined;
  /** Refuses a data set with any unusable entry. Default false: such entries are skipped and listed in `problems`. */
  strict?: boolean | undefined;
  signal?: AbortSignal | undefined;
}

const KEYS = [
  'images',
  'cellTypeColumn',
  'classNames',
  'categories',
  'crowds',
  'strict',
  'signal',
  ...READ_KEYS,
] as const;

export function checkOptions(options: OpenDatasetOptions): OpenDatasetOptions {
  checkKeys('', checkObject('options', options), KEYS);
  const { images, cellTypeColumn, classNames, categories, crowds, strict } = options;
  checkReadOptions(options);
  if (images !== undefined) checkString('images', images);
  if (cellTypeColumn !== undefined) checkNames('cellTypeColumn', [cellTypeColumn].flat());
  if (classNames !== undefined) checkNames('classNames', classNames);
  if (categories !== undefined) checkOneOf('categories', categories, ['classes', 'cell-types']);
  if (crowds !== undefined) checkOneOf('crowds', crowds, CROWDS);
  if (strict !== undefined) checkBoolean('strict', strict);
  return options;
}

function checkNames(option: string, names: unknown): void {
  if (!Array.isArray(names) || names.length === 0) throw refuse(option, 'a name or an array of names', names);
  for (const [i, name] of names.entries()) checkString(`${option}[${i}]`, name);
}
