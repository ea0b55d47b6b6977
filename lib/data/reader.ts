import { checkBoolean, checkKeys, checkObject, checkOneOf, checkString, refuse } from '../check.js';
import { Dataset } from './dataset.js';
import { type DataProblem, dataInvalid, ProblemList } from './problems.js';
import type { DatasetItem } from './types.js';

export interface OpenDatasetOptions {
  /** Folder of the images, where it is not beside the truth under one of the usual names. */
  images?: string;
  /**
   * Column (or COCO image field) that holds the cell type; of several names, the first there is. Without it `type` or
   * `cell_type`, where there is one.
   */
  typeColumn?: string | readonly string[];
  /**
   * Names of the cells' classes, label 1 first. Default ['cell']; COCO's categories by rising id, of which this then
   * chooses.
   */
  classNames?: readonly string[];
  /** What COCO's categories are: `classes` of cells (default), or the `types` of whole images, whose cells are one class. */
  categories?: 'classes' | 'types';
  /** Refuses the data set where anything in it cannot be used. Default false: that is left out and listed in `problems`. */
  strict?: boolean;
  signal?: AbortSignal;
}

const usualTypeColumns = ['type', 'cell_type'];

export function checkOptions(options: OpenDatasetOptions): OpenDatasetOptions {
  checkKeys('', checkObject('options', options), [
    'images',
    'typeColumn',
    'classNames',
    'categories',
    'strict',
    'signal',
  ]);
  const { images, typeColumn, classNames, categories, strict } = options;
  if (images !== undefined) checkString('images', images);
  if (typeColumn !== undefined) checkNames('typeColumn', [typeColumn].flat());
  if (classNames !== undefined) checkNames('classNames', classNames);
  if (categories !== undefined) checkOneOf('categories', categories, ['classes', 'types']);
  if (strict !== undefined) checkBoolean('strict', strict);
  return options;
}

function checkNames(option: string, names: unknown): void {
  if (!Array.isArray(names) || names.length === 0) throw refuse(option, 'a name or several', names);
  for (const [i, name] of names.entries()) checkString(`${option}[${i}]`, name);
}

/** Gathers what a reader finds, and makes the data set of it. */
export class Findings {
  readonly problems = new ProblemList();
  readonly notices = new ProblemList();
  readonly items: DatasetItem[] = [];
  readonly #file: string;
  readonly #options: OpenDatasetOptions;

  constructor(file: string, options: OpenDatasetOptions) {
    this.#file = file;
    this.#options = options;
  }

  problem(problem: Omit<DataProblem, 'file'>): void {
    this.problems.add({ file: this.#file, ...problem });
  }

  notice(notice: Omit<DataProblem, 'file'>): void {
    this.notices.add({ file: this.#file, ...notice });
  }

  /** Which of these columns holds the cell type, if any. */
  typeColumn(columns: readonly string[]): string | undefined {
    const { typeColumn } = this.#options;
    const wanted = typeColumn === undefined ? usualTypeColumns : [typeColumn].flat();
    const found = wanted.find((name) => columns.includes(name));
    if (typeColumn !== undefined && found === undefined) {
      throw dataInvalid(
        this.#file,
        `there is no column ${wanted.join(' or ')} for the cell type; there are ${columns.join(', ') || 'none'}`,
      );
    }
    return found;
  }

  dataset(classNames: readonly string[] = this.#options.classNames ?? ['cell']): Dataset {
    const problems = this.problems.list();
    if (this.items.length === 0) throw dataInvalid(this.#file, 'nothing in it can be used', problems);
    if (this.#options.strict && problems.length > 0) {
      throw dataInvalid(this.#file, 'not all of it can be used', problems);
    }
    return new Dataset(this.items, { classNames, problems, notices: this.notices.list() });
  }
}
