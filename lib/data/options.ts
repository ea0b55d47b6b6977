import { CROWDS, type Crowds } from '../annotations/types.js';
import {
  checkBoolean,
  checkKeys,
  checkNumber,
  checkObject,
  checkOneOf,
  checkString,
  refuse,
} from '../check.js';
import { checkReadOptions, READ_KEYS } from '../image/select.js';
import type { ImageReadOptions } from '../image/types.js';
import { SCALE_RANGES } from '../inference/scale.js';

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
  /** Meaning of COCO's categories: `classes` of cells (default), or `cell-types` of whole images, whose cells are one class. */
  categories?: 'classes' | 'cell-types' | undefined;
  /**
   * Meaning of annotations with COCO's `iscrowd: 1`: `skip` (default) for regions of many cells, which are skipped;
   * `cells` for one cell each, as in CVAT's exports of brush masks.
   */
  crowds?: Crowds | undefined;
  /**
   * Factor by which segmenters see the images larger, 0.05 to 20, default 1: in training and its validation, in `tune`
   * and in `finetune`, as the option `scale` of `segment`. Joined data sets may differ in it: with 2 for images of half the
   * magnification, one network learns from both.
   */
  scale?: number | undefined;
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
  'scale',
  'strict',
  'signal',
  ...READ_KEYS,
] as const;

export function checkOptions(options: OpenDatasetOptions): OpenDatasetOptions {
  checkKeys('', checkObject('options', options), KEYS);
  const { images, cellTypeColumn, classNames, categories, crowds, scale, strict } = options;
  checkReadOptions(options);
  if (images !== undefined) checkString('images', images);
  if (cellTypeColumn !== undefined) checkNames('cellTypeColumn', [cellTypeColumn].flat());
  if (classNames !== undefined) checkNames('classNames', classNames);
  if (categories !== undefined) checkOneOf('categories', categories, ['classes', 'cell-types']);
  if (crowds !== undefined) checkOneOf('crowds', crowds, CROWDS);
  if (scale !== undefined) checkNumber('scale', scale, SCALE_RANGES.scale);
  if (strict !== undefined) checkBoolean('strict', strict);
  return options;
}

function checkNames(option: string, names: unknown): void {
  if (!Array.isArray(names) || names.length === 0) throw refuse(option, 'a name or an array of names', names);
  for (const [i, name] of names.entries()) checkString(`${option}[${i}]`, name);
}
