import { resolve } from 'node:path';
import { type Command, Option } from 'commander';
import { type DataProblem, problemLines } from '../annotations/problems.js';
import { CROWDS, type Crowds } from '../annotations/types.js';
import { checkKeys, checkObject, checkString } from '../check.js';
import type { Dataset } from '../data/dataset.js';
import { openDataset } from '../data/open.js';
import type { OpenDatasetOptions } from '../data/options.js';
import { CellrouteError } from '../errors.js';
import { READ_KEYS } from '../image/select.js';
import { type ReadFlags, readOptionsOf, withReadOptions } from './read-options.js';

/** Options of every command that reads a data set. */
export interface DatasetFlags extends ReadFlags {
  cellTypeColumn?: string[] | undefined;
  cellTypes?: string[] | undefined;
  images?: string | undefined;
  categoriesAreCellTypes?: boolean | undefined;
  crowds?: Crowds | undefined;
  strict?: boolean | undefined;
}

/** Keys of {@link DatasetFlags}. */
export const DATASET_KEYS = [
  'cellTypes',
  'cellTypeColumn',
  'images',
  'categoriesAreCellTypes',
  'crowds',
  'strict',
  ...READ_KEYS,
] as const;

/**
 * Flags that describe the data of a run, as they are stored for resuming: those that were given. Paths become absolute,
 * because a run may be resumed from another working directory.
 */
export function datasetSource(flags: object, keys: readonly string[]): Record<string, unknown> {
  const given = Object.entries(flags).filter(([key, value]) => value !== undefined && keys.includes(key));
  return Object.fromEntries(
    given.map(([key, value]) => [
      key,
      ['data', 'validation', 'images'].includes(key) ? resolve(value as string) : value,
    ]),
  );
}

/** The description that {@link datasetSource} made, from the file in which a run stores it. */
export function readDatasetSource(
  source: unknown,
  keys: readonly string[],
): Record<string, unknown> & { data: string } {
  const stored = checkObject('source', source);
  checkKeys('source', stored, keys);
  return { ...stored, data: checkString('source.data', stored.data) };
}

export const datasetForms =
  "Sartorius train.csv, COCO .json, a folder with images and labels, of images with Cellpose's masks beside them, of a folder per cell type, or of such folders";

/** Parser of a comma-separated list of names. */
export const namesOf = (text: string): string[] => text.split(',').map((name) => name.trim());

export function addDatasetOptions(command: Command): Command {
  return withReadOptions(command)
    .option(
      '--cell-type-column <names>',
      'column with the cell type; of a comma-separated list, the first that exists (default: type,cell_type)',
      namesOf,
    )
    .option('--cell-types <types>', 'use only images of these cell types, comma-separated', namesOf)
    .option('--images <folder>', 'folder of the images, if not beside the annotations')
    .option(
      '--categories-are-cell-types',
      'COCO categories are cell types of whole images, not classes of cells',
    )
    .addOption(crowdsOption())
    .option('--strict', 'refuse the data set if anything in it cannot be used');
}

/** The option of every command that reads COCO files. */
export const crowdsOption = () =>
  new Option(
    '--crowds <mode>',
    'COCO annotations with iscrowd 1: skip them, or read each as one cell (CVAT brush masks)',
  ).choices(CROWDS);

/** Opens a data set, prints skipped entries to stderr and keeps the requested types. */
export async function openWithFlags(path: string, flags: DatasetFlags): Promise<Dataset> {
  const { cellTypeColumn, cellTypes, images, categoriesAreCellTypes, crowds, strict } = flags;
  const options: OpenDatasetOptions = {
    cellTypeColumn,
    images,
    ...(categoriesAreCellTypes && { categories: 'cell-types' }),
    crowds,
    strict,
    ...readOptionsOf(flags),
  };
  const dataset = await openDataset(path, options);
  printProblems(dataset.problems, 'rows or images cannot be used and are skipped');
  printProblems(dataset.notices, 'annotations were skipped or interpreted differently');
  return cellTypes ? dataset.filter({ cellTypes }) : dataset;
}

function printProblems(problems: readonly DataProblem[], what: string): void {
  if (problems.length === 0) return;
  console.error([`${problems.length} ${what}:`, ...problemLines(problems)].join('\n'));
}

/**
 * The images that have these values in their columns: `--where`.
 *
 * @throws {CellrouteError} INVALID_ARGUMENT if no image has them.
 */
export function withColumns(dataset: Dataset, where: Readonly<Record<string, string>>): Dataset {
  const wanted = Object.entries(where);
  const found = dataset.filter({
    where: ({ columns }) => wanted.every(([name, value]) => columns[name] === value),
  });
  if (found.items.length > 0 || dataset.items.length === 0) return found;
  const known = [...new Set(dataset.items.flatMap(({ columns }) => Object.keys(columns)))];
  const got = wanted.map((pair) => pair.join('=')).join(' and ');
  const columns = known.length > 0 ? `its columns are ${known.join(', ')}` : 'it has no columns';
  throw new CellrouteError('INVALID_ARGUMENT', `No image of the data set has ${got} (--where): ${columns}`, {
    option: '--where',
    expected: 'values of columns that images have',
    got,
  });
}
