import type { SignalOptions } from '../abort.js';
import type { DataProblem } from '../annotations/problems.js';
import { checkIterable, checkKeys, checkObject, checkOptions, checkString, refuse } from '../check.js';
import { defined } from '../defined.js';
import { fingerprint } from './fingerprint.js';
import { type FoldOptions, foldItems, type SplitOptions, splitItems } from './split.js';
import { type DatasetSummary, type SummaryOptions, summarise } from './summary.js';
import type { DatasetContents, DatasetItem } from './types.js';

/** Selects images: those that meet all given conditions. */
export interface DatasetFilter {
  cellTypes?: readonly string[] | undefined;
  ids?: readonly string[] | undefined;
  /** Keeps the images for which this returns true. */
  where?: ((item: DatasetItem) => boolean) | undefined;
}

/** A data set split into training and validation images. */
export interface DatasetParts {
  train: Dataset;
  validation: Dataset;
}

/** Properties of a data set in addition to its images. */
export interface DatasetDetails {
  /** Class names of cells: label k is `classNames[k - 1]`. Default ['cell']. */
  classNames?: readonly string[];
  problems?: readonly DataProblem[];
  notices?: readonly DataProblem[];
}

/** @throws {CellrouteError} INVALID_ARGUMENT for an invalid list of names. */
export function checkClassNames(names: unknown = ['cell']): readonly string[] {
  if (!Array.isArray(names) || names.length === 0) throw refuse('classNames', 'an array of names', names);
  return names.map((name, i) => checkString(`classNames[${i}]`, name));
}

/**
 * An immutable list of images with their cells. Images are decoded only by an item's `load`.
 *
 * {@link openDataset} reads a data set from files, {@link datasetFrom} creates one from your own images.
 */
export class Dataset implements DatasetContents {
  /** Items in ascending order of id, compared by UTF-16 code units, so the order is the same on every machine. */
  readonly items: readonly DatasetItem[];
  /** Class names of cells: label k is `classNames[k - 1]`. */
  readonly classNames: readonly string[];
  /** Rows and images that cannot be used, each with the reason. */
  readonly problems: readonly DataProblem[];
  /** Entries that were skipped intentionally, such as COCO's crowds. */
  readonly notices: readonly DataProblem[];

  /**
   * @param items in any order; ids are unique.
   * @throws {CellrouteError} INVALID_ARGUMENT where two items have one id.
   */
  constructor(items: Iterable<DatasetItem>, details: DatasetDetails = {}) {
    checkKeys('', checkObject('details', details), ['classNames', 'problems', 'notices']);
    checkIterable('items', items, 'items of a data set');
    const list = [...items];
    for (const [i, item] of list.entries()) {
      checkString(`items[${i}].id`, checkObject(`items[${i}]`, item).id);
    }
    this.items = Object.freeze(list.sort((a, b) => (a.id < b.id ? -1 : a.id > b.id ? 1 : 0)));
    const twice = this.items.find((item, i) => i > 0 && this.items[i - 1]!.id === item.id);
    if (twice) throw refuse('items', 'unique ids', twice.id);
    this.classNames = Object.freeze([...checkClassNames(details.classNames)]);
    this.problems = Object.freeze([...(details.problems ?? [])]);
    this.notices = Object.freeze([...(details.notices ?? [])]);
  }

  /**
   * Joins several data sets. With an object of data sets, ids become `name/id` and the column `set` has the name. With an
   * array, ids must be unique.
   *
   * @throws {CellrouteError} INVALID_ARGUMENT if class names differ, an id occurs twice, or there is no data set.
   */
  static join(sets: readonly Dataset[] | Readonly<Record<string, Dataset>>): Dataset {
    const named = Array.isArray(sets)
      ? (sets as readonly Dataset[]).map((set) => [undefined, set] as const)
      : Object.entries(checkObject('sets', sets) as Record<string, Dataset>);
    const first = named[0]?.[1];
    if (!first) throw refuse('sets', 'at least one data set', sets);
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
   * The images that pass all conditions, as a new data set.
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
   * Splits the data set into training and validation images: by a random fraction, by values of a column, or by ids. Values
   * and ids are those of the validation images.
   *
   * A random split depends only on the seed and the ids, so it is the same on every machine. Each type is split
   * separately, so adding or removing images of one type does not change the split of others. `by` keeps images with the
   * same value of a column together, such as those of a plate; the fraction is then approximated by whole groups. If a
   * type has at least two images (or groups), each side gets at least one. If every type has one, types are ignored.
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
   * Splits the data set into `count` folds and returns one split per fold, with the fold as validation images: each image
   * is validated once. Folds are random as in {@link split}. Each type is distributed as evenly as possible, with groups
   * of `by` kept together.
   *
   * @throws {CellrouteError} INVALID_ARGUMENT for a column that does not occur, and if a fold would be empty.
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
   * Counts, sizes and the densest image, for a check before training.
   *
   * @throws {CellrouteError} INVALID_ARGUMENT
   */
  summary(options: SummaryOptions = {}): DatasetSummary {
    return summarise(this, options);
  }

  /**
   * SHA-256, in hexadecimal, of class names and of each item's id, type, size, scale, labels, masks and image bytes. It does not
   * depend on the machine, on paths or on file times. Items are loaded one after the other; images are not decoded.
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
  const { cellType, width, height, cells, typeOnly, areas, scale } = item;
  return {
    id: `${name}/${item.id}`,
    cellType,
    columns: { ...item.columns, set: name },
    width,
    height,
    cells,
    ...defined({ typeOnly, areas, scale }),
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
  const missing = names.findIndex((name) => !known.has(name));
  if (missing >= 0) {
    const some = present.length > 10 ? `${present.slice(0, 10).join(', ')}, …` : present.join(', ');
    throw refuse(`${option}[${missing}]`, `an existing value (${some || 'there are none'})`, names[missing]);
  }
  return new Set(names);
}
