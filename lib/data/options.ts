import { CROWDS, type Crowds } from '../annotations/types.js';
import { checkBoolean, checkKeys, checkObject, checkOneOf, checkString, refuse } from '../check.js';
import { checkReadOptions, READ_KEYS } from '../image/select.js';
import type { ImageReadOptions } from '../image/types.js';

/**
 * Options of {@link openDataset}. How images are read (`page`, `z`, `t`, `channels`, `limits`) applies to all images of the
 * data set.
 */
export interface OpenDatasetOptions extends ImageReadOptions {
  /** Folder of the images, where it is not beside the annotations under one of the usual names. */
  images?: string | undefined;
  /**
   * Column (or COCO image field) that holds the cell type; of several names, the first present is used. Default `type`
   * or `cell_type`, where present.
   */
  cellTypeColumn?: string | readonly string[] | undefined;
  /**
   * Names of the cells' classes, label 1 first. Default ['cell']; for COCO all categories by rising id, of which this
   * chooses.
   */
  classNames?: readonly string[] | undefined;
  /** What COCO's categories are: `classes` of cells (default), or the `types` of whole images, whose cells are one class. */
  categories?: 'classes' | 'cell-types' | undefined;
  /**
   * What annotations with COCO's `iscrowd: 1` are: regions of many cells, which are left out (`leave-out`, the default),
   * or one cell each (`cells`), as CVAT exports brush masks.
   */
  crowds?: Crowds | undefined;
  /** Refuses the data set where anything in it cannot be used. Default false: that is left out and listed in `problems`. */
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
  if (!Array.isArray(names) || names.length === 0) throw refuse(option, 'a name or several', names);
  for (const [i, name] of names.entries()) checkString(`${option}[${i}]`, name);
}
