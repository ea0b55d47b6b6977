import { CROWDS, type Crowds } from '../annotations/types.js';
import { checkNumber, checkOneOf, checkOptions, checkString, refuse } from '../check.js';
import { checkReadOptions, READ_KEYS } from '../image/select.js';
import type { ImageReadOptions } from '../image/types.js';

/** Forms of the corrected data set. */
export const REVIEW_FORMATS = ['coco', 'labels'] as const;

/**
 * Options of {@link startReview}. Options for reading images (`page`, `z`, `t`, `channels`, `limits`) apply to all images.
 */
export interface ReviewOptions extends ImageReadOptions {
  /** Folder of the corrected data set, created if missing. A review that was started there is resumed. */
  out: string;
  /** Folder of the images. Default: searched beside the predictions, and in a subfolder `images`. */
  images?: string | undefined;
  /**
   * `coco` (default): `coco.json` with run-length masks, classes and cell types; `labels`: 16-bit label images in
   * `labels`, which have one class, and one cell per pixel. The images are copied to `images`.
   */
  format?: (typeof REVIEW_FORMATS)[number] | undefined;
  /** Classes of cells that can be chosen, in addition to those of the predictions. */
  classes?: readonly string[] | undefined;
  /** Cell types of images that can be chosen, in addition to those of the predictions. */
  cellTypes?: readonly string[] | undefined;
  /** Meaning of COCO's categories: `classes` of cells (default), or `cell-types` of whole images. */
  categories?: 'classes' | 'cell-types' | undefined;
  /** Meaning of regions of many cells (COCO's `iscrowd: 1`): `skip` (default), or `cells` for one cell each. */
  crowds?: Crowds | undefined;
  /** Port, 0 to 65535; 0 takes a free one. Default 0. */
  port?: number | undefined;
  /** Overwrites files in `out` that cellroute did not write, or that were changed since. Default false. */
  force?: boolean | undefined;
  /** Ends the review, as `close` does. */
  signal?: AbortSignal | undefined;
}

const KEYS = [
  'out',
  'images',
  'format',
  'classes',
  'cellTypes',
  'categories',
  'crowds',
  'port',
  'force',
  'signal',
  ...READ_KEYS,
];

export function checkReviewOptions(options: ReviewOptions) {
  checkOptions(options, KEYS);
  checkReadOptions(options);
  const { images, categories, crowds, force = false } = options;
  if (images !== undefined) checkString('images', images);
  if (categories !== undefined) checkOneOf('categories', categories, ['classes', 'cell-types']);
  if (crowds !== undefined) checkOneOf('crowds', crowds, CROWDS);
  if (typeof force !== 'boolean') throw refuse('force', 'true or false', force);
  return {
    out: checkString('out', options.out),
    format: checkOneOf('format', options.format ?? 'coco', REVIEW_FORMATS),
    classes: namesOf('classes', options.classes),
    cellTypes: namesOf('cellTypes', options.cellTypes),
    port: checkNumber('port', options.port ?? 0, { min: 0, max: 65_535, integer: true }),
    force,
  };
}

function namesOf(option: string, names: unknown = []): string[] {
  if (!Array.isArray(names)) throw refuse(option, 'an array of names', names);
  return names.map((name, i) => checkString(`${option}[${i}]`, name));
}
