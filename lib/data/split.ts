import { createHash } from 'node:crypto';
import { checkKeys, checkNumber, checkObject, checkString, refuse } from '../check.js';
import type { DatasetItem } from './types.js';

/** Options of {@link Dataset.split}: a random fraction, values of a column, or ids. */
export type SplitOptions =
  | {
      /** Share of validation images, above 0 and below 1. */
      fraction: number;
      /** Random seed, an integer. */
      seed: number;
      /** Column whose images with equal values stay together. */
      by?: string;
    }
  | {
      column: string;
      /** Column values of the validation images. */
      values: readonly string[];
    }
  | {
      /** Ids of the validation images. */
      ids: readonly string[];
    };

/** Options of {@link Dataset.folds}. */
export interface FoldOptions {
  /** Number of folds, at least 2. */
  count: number;
  /** Random seed, an integer. */
  seed: number;
  /** Column whose images with equal values stay together. */
  by?: string | undefined;
}

interface Parts {
  train: DatasetItem[];
  validation: DatasetItem[];
}

export function splitItems(items: readonly DatasetItem[], how: SplitOptions): Parts {
  checkObject('how', how);
  const chosen =
    'ids' in how ? byIds(items, how) : 'column' in how ? byColumn(items, how) : byFraction(items, how);
  const validation = items.filter((item) => chosen.has(item));
  const train = items.filter((item) => !chosen.has(item));
  if (train.length === 0 || validation.length === 0) {
    throw refuse(
      'how',
      'a split with images on both sides',
      `${train.length} for training and ${validation.length} for validation`,
    );
  }
  return { train, validation };
}

function byIds(items: readonly DatasetItem[], how: { ids: readonly string[] }): Set<DatasetItem> {
  checkKeys('', how, ['ids']);
  const byId = new Map(items.map((item) => [item.id, item]));
  return new Set(
    checkTexts('ids', how.ids).map((id, i) => {
      const item = byId.get(id);
      if (!item) throw refuse(`ids[${i}]`, 'the id of an image', id);
      return item;
    }),
  );
}

function byColumn(
  items: readonly DatasetItem[],
  how: { column: string; values: readonly string[] },
): Set<DatasetItem> {
  checkKeys('', how, ['column', 'values']);
  const values = new Set(checkTexts('values', how.values));
  const valueIn = column('column', items, how.column);
  const present = new Set(items.map(valueIn));
  for (const value of values) {
    if (!present.has(value)) {
      throw refuse('values', `values of ${how.column} (${[...present].slice(0, 10).join(', ')})`, value);
    }
  }
  return new Set(items.filter((item) => values.has(valueIn(item))));
}

/** Images of each fold. Each image is in one fold. */
export function foldItems(items: readonly DatasetItem[], how: FoldOptions): DatasetItem[][] {
  checkKeys('', checkObject('how', how), ['count', 'seed', 'by']);
  const seed = checkSeed(how.seed);
  const groups = drawnGroups(items, how.by, `folds\0${seed}`);
  const count = checkNumber('count', how.count, { min: 2, max: Math.max(groups.length, 2), integer: true });
  const folds = Array.from({ length: count }, (): DatasetItem[] => []);
  for (const stratum of grouped(groups, typeOf).values()) {
    const own = new Array<number>(count).fill(0);
    for (const group of sortedByDraw(stratum)) {
      const fewer = (a: number, b: number) => own[a]! - own[b]! || folds[a]!.length - folds[b]!.length;
      const fold = [...own.keys()].sort(fewer)[0]!;
      folds[fold]!.push(...group.items);
      own[fold]! += group.items.length;
    }
  }
  if (folds.some(({ length }) => length === 0)) {
    throw refuse('how', 'folds with images', `${items.length} images for ${count} folds`);
  }
  return folds;
}

interface Group {
  items: DatasetItem[];
  /** Sort key of the group in the random order. */
  draw: string;
}

function byFraction(
  items: readonly DatasetItem[],
  how: { fraction: number; seed: number; by?: string },
): Set<DatasetItem> {
  checkKeys('', how, ['fraction', 'seed', 'by']);
  const fraction = checkNumber('fraction', how.fraction, { min: 0, max: 1 });
  if (fraction === 0 || fraction === 1) throw refuse('fraction', 'a share above 0 and below 1', fraction);
  const groups = drawnGroups(items, how.by, `split\0${checkSeed(how.seed)}`);
  const perType = [...grouped(groups, typeOf).values()].flatMap((stratum) => draw(stratum, fraction));
  // Where each type has one group, all can be on one side: then the types are ignored.
  const isOneSided = perType.length === 0 || perType.length === groups.length;
  const chosen = isOneSided ? draw(groups, fraction) : perType;
  return new Set(chosen.flatMap((group) => group.items));
}

const checkSeed = (seed: unknown) =>
  checkNumber('seed', seed, { min: 0, max: Number.MAX_SAFE_INTEGER, integer: true });

/** Groups of images that stay together, in a random order that depends on the salt and their names. */
function drawnGroups(items: readonly DatasetItem[], by: string | undefined, salt: string): Group[] {
  const nameOf = by === undefined ? (item: DatasetItem) => item.id : column('by', items, by);
  return [...grouped(items, nameOf)].map(([name, members]) => ({
    items: members,
    draw: createHash('sha256').update(`${salt}\0${name}`).digest('hex'),
  }));
}

const sortedByDraw = (groups: readonly Group[]) => [...groups].sort((a, b) => (a.draw < b.draw ? -1 : 1));

/** The first groups whose number of images is nearest to the fraction. */
function draw(groups: readonly Group[], fraction: number): Group[] {
  const sorted = sortedByDraw(groups);
  const target = fraction * groups.reduce((sum, { items }) => sum + items.length, 0);
  const ends: number[] = [];
  for (const { items } of sorted) ends.push((ends.at(-1) ?? 0) + items.length);
  let count = 0;
  while (count < sorted.length && (ends[count]! + (ends[count - 1] ?? 0)) / 2 <= target) count++;
  // Both sides get every type with at least two groups.
  if (sorted.length > 1) count = Math.min(Math.max(count, 1), sorted.length - 1);
  return sorted.slice(0, count);
}

/** The most frequent type of a group; of equally frequent types, the first by name. */
function typeOf({ items }: Group): string {
  const counts = [...grouped(items, ({ cellType: type }) => type ?? '')].map(([type, of]) => ({
    type,
    count: of.length,
  }));
  counts.sort((a, b) => b.count - a.count || (a.type < b.type ? -1 : 1));
  return counts[0]!.type;
}

function grouped<T>(items: readonly T[], keyOf: (item: T) => string): Map<string, T[]> {
  const groups = new Map<string, T[]>();
  for (const item of items) {
    const key = keyOf(item);
    const group = groups.get(key);
    if (group) group.push(item);
    else groups.set(key, [item]);
  }
  return groups;
}

/** Returns a reader of a column that at least one image must have. Images without it have the value ''. */
function column(option: string, items: readonly DatasetItem[], name: unknown): (item: DatasetItem) => string {
  const wanted = checkString(option, name);
  if (!items.some(({ columns }) => Object.hasOwn(columns, wanted))) {
    const known = [...new Set(items.flatMap(({ columns }) => Object.keys(columns)))].join(', ');
    throw refuse(option, `a column of the data set (${known || 'it has none'})`, wanted);
  }
  return ({ columns }) => (Object.hasOwn(columns, wanted) ? columns[wanted]! : '');
}

function checkTexts(option: string, texts: unknown): readonly string[] {
  if (!Array.isArray(texts) || texts.some((text) => typeof text !== 'string')) {
    throw refuse(option, 'an array of strings', texts);
  }
  return texts as readonly string[];
}
