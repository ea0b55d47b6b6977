import type { SignalOptions } from '../abort.js';
import type { DataProblem } from '../annotations/problems.js';
import { checkKeys, checkObject, checkOptions, checkString, refuse } from '../check.js';
import { fingerprint } from './fingerprint.js';
import { type FoldOptions, foldItems, type SplitOptions, splitItems } from './split.js';
import { type DatasetSummary, type SummaryOptions, summarise } from './summary.js';
import type { DatasetContents, DatasetItem } from './types.js';

/** Which images of a data set are wanted: those that pass everything that is given. */
export interface DatasetFilter {
  cellTypes?: readonly string[];
  ids?: readonly string[];
  /** Keeps the images for which this returns true. */
  where?: (item: DatasetItem) => boolean;
}

/** A data set split into training and validation images. */
export interface DatasetParts {
  train: Dataset;
  validation: Dataset;
}

/** Details of a data set beside its images. */
export interface DatasetDetails {
  /** Of cells: label k is `classNames[k - 1]`. Default ['cell']. */
  classNames?: readonly string[];
  problems?: readonly DataProblem[];
  notices?: readonly DataProblem[];
}

/** @throws {CellrouteError} INVALID_ARGUMENT where these are no names */
export function checkClassNames(names: unknown = ['cell']): readonly string[] {
  if (!Array.isArray(names) || names.length === 0) throw refuse('classNames', 'an array of names', names);
  return names.map((name, i) => checkString(`classNames[${i}]`, name));
}

/**
 * Images with their cells: an unchanging list. Nothing is decoded before an item's `load`.
 *
 * {@link openDataset} reads one from files, {@link datasetFrom} takes your own images.
 */
export class Dataset implements DatasetContents {
  /** By rising id, compared by UTF-16 code units: the same order everywhere. */
  readonly items: readonly DatasetItem[];
  /** Of cells: label k is `classNames[k - 1]`. */
  readonly classNames: readonly string[];
  /** Rows and images that could not be used, each with its reason. */
  readonly problems: readonly DataProblem[];
  /** What was left out though nothing is wrong with it, such as COCO's crowds. */
  readonly notices: readonly DataProblem[];

  /**
   * @param items in any order; each has an id of its own.
   * @throws {CellrouteError} INVALID_ARGUMENT where two items have one id.
   */
  constructor(items: Iterable<DatasetItem>, details: DatasetDetails = {}) {
    checkKeys('', checkObject('details', details), ['classNames', 'problems', 'notices']);
    this.items = Object.freeze([...items].sort((a, b) => (a.id < b.id ? -1 : a.id > b.id ? 1 : 0)));
    const twice = this.items.find((item, i) => i > 0 && this.items[i - 1]!.id === item.id);
    if (twice) throw refuse('items', 'ids that differ', twice.id);
    this.classNames = Object.freeze([...checkClassNames(details.classNames)]);
    this.problems = Object.freeze([...(details.problems ?? [])]);
    this.notices = Object.freeze([...(details.notices ?? [])]);
  }

  /**
   * Several data sets as one. Given by name, the items' ids become `name/id` and a column `set` holds the name; given
   * as a list, ids must differ.
   *
   * @throws {CellrouteError} INVALID_ARGUMENT where the class names differ, an id occurs twice, or there is nothing to join.
   */
  static join(sets: readonly Dataset[] | Readonly<Record<string, Dataset>>): Dataset {
    const named = Array.isArray(sets)
      ? (sets as readonly Dataset[]).map((set) => [undefined, set] as const)
      : Object.entries(checkObject('sets', sets) as Record<string, Dataset>);
    const first = named[0]?.[1];
    if (!first) throw refuse('sets', 'a data set or more', sets);
    const items = named.flatMap(([name, set], i) => {
      const option = name === undefined ? `sets[${i}]` : `sets.${name}`;
      if (!(set instanceof Dataset)) throw refuse(option, 'a Dataset', set);
      if (set.classNames.join('\0') !== first.classNames.join('\0')) {
        throw refuse(`${option}.classNames`, first.classNames.join(', '), set.classNames.join(', '));
      }
      return name === undefined ? set.items : set.items.map((item) => inSet(item, name));
    });
    return new Dataset(items, {
      classNames: first.classNames,
      problems: named.flatMap(([, { problems }]) => problems),
      notices: named.flatMap(([, { notices }]) => notices),
    });
  }

  /** Cell types present, sorted. */
  get cellTypes(): readonly string[] {
    return [...new Set(this.items.flatMap(({ cellType }) => cellType ?? []))].sort();
  }

  /**
   * The images that pass all conditions, in a data set of their own.
   *
   * ```ts
   * const crowded = data.filter({ cellTypes: ['astro'], where: ({ cells }) => cells > 100 });
   * ```
   *
   * @throws {CellrouteError} INVALID_ARGUMENT for a type or id that does not occur.
   */
  filter(select: DatasetFilter): Dataset {
    checkKeys('', checkObject('select', select), ['cellTypes', 'ids', 'where']);
    const types = wanted('cellTypes', select.cellTypes, this.cellTypes);
    const ids = wanted(
      'ids',
      select.ids,
      this.items.map(({ id }) => id),
    );
    const { where } = select;
    if (where !== undefined && typeof where !== 'function') throw refuse('where', 'a function', where);
    return this.#with(
      this.items.filter(
        (item) =>
          (!types || (item.cellType !== undefined && types.has(item.cellType))) &&
          (!ids || ids.has(item.id)) &&
          (!where || where(item)),
      ),
    );
  }

  /**
   * Two data sets without an image in common: by a fraction drawn from a seed, by a column's values, or by ids. The
   * values and ids are those of the validation images.
   *
   * The draw depends on the seed and the ids alone, so it is the same on every machine. Each type is split apart, so
   * that images of one type added or taken away move none of another. `by` keeps the images together that share a
   * column's value, such as a plate; the fraction is then met as nearly as whole groups allow. Where a type has two
   * images (or groups) or more, each side gets one at least.
   *
   * ```ts
   * const { train, validation } = data.split({ fraction: 0.2, seed: 1, by: 'plate' });
   * ```
   *
   * @throws {CellrouteError} INVALID_ARGUMENT for a column, value or id that does not occur, or where a side would be empty.
   */
  split(how: SplitOptions): DatasetParts {
    const { train, validation } = splitItems(this.items, how);
    return { train: this.#with(train), validation: this.#with(validation) };
  }

  /**
   * As many data sets as `count` says, each with all images but its fold's to train on and those to validate on: every
   * image validates once. Drawn as {@link split} draws; each type is spread as evenly as its images, or the groups
   * that `by` keeps together, allow.
   *
   * @throws {CellrouteError} INVALID_ARGUMENT for a column that does not occur, and where a fold would be empty.
   */
  folds(how: FoldOptions): DatasetParts[] {
    return foldItems(this.items, how).map((fold) => {
      const held = new Set(fold);
      return {
        train: this.#with(this.items.filter((item) => !held.has(item))),
        validation: this.#with(fold),
      };
    });
  }

  /**
   * Counts, sizes and the densest image, to be looked at before training.
   *
   * @throws {CellrouteError} INVALID_ARGUMENT
   */
  summary(options: SummaryOptions = {}): DatasetSummary {
    return summarise(this, options);
  }

  /**
   * SHA-256 in hex over the class names and, item by item, id, type, size, labels, masks and the image's bytes: the
   * same on every machine, wherever the files lie and whenever they were written. Every item is loaded once, one after
   * the other; images are not decoded.
   */
  async fingerprint(options: SignalOptions = {}): Promise<string> {
    checkOptions(options, ['signal']);
    return fingerprint(this, options.signal);
  }

  #with(items: readonly DatasetItem[]): Dataset {
    const { classNames, problems, notices } = this;
    return new Dataset(items, { classNames, problems, notices });
  }
}

function inSet(item: DatasetItem, name: string): DatasetItem {
  const { cellType, width, height, cells, areas } = item;
  return {
    id: `${name}/${item.id}`,
    cellType,
    columns: { ...item.columns, set: name },
    width,
    height,
    cells,
    ...(areas && { areas }),
    load: (options) => item.load(options),
  };
}

function wanted(
  option: string,
  names: readonly string[] | undefined,
  present: readonly string[],
): Set<string> | undefined {
  if (names === undefined) return undefined;
  if (!Array.isArray(names)) throw refuse(option, 'an array of strings', names);
  const known = new Set(present);
  const strange = names.findIndex((name) => !known.has(name));
  if (strange >= 0) {
    const some = present.length > 10 ? `${present.slice(0, 10).join(', ')}, …` : present.join(', ');
    throw refuse(`${option}[${strange}]`, `one that occurs (${some || 'there are none'})`, names[strange]);
  }
  return new Set(names);
}
