import { createHash } from 'node:crypto';
import { checkKeys, checkNumber, checkObject, checkString, refuse } from '../check.js';
import type { DatasetItem } from './types.js';

/** Options of {@link Dataset.split}: a random fraction, values of a column, or ids. */
export type SplitOptions =
  | {
      /** Share of the images that validate, above 0 and below 1. */
      fraction: number;
      /** Another seed, another draw; a whole number. */
      seed: number;
      /** Column whose images of one value stay together. */
      by?: string;
    }
  | {
      column: string;
      /** Of the validation images. */
      values: readonly string[];
    }
  | {
      /** Of the validation images. */
      ids: readonly string[];
    };

/** Options of {@link Dataset.folds}. */
export interface FoldOptions {
  /** How many folds, 2 or more. */
  count: number;
  /** Another seed, another draw; a whole number. */
  seed: number;
  /** Column whose images of one value stay together. */
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
      'a split that leaves images on both sides',
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

/** The images of each fold; every image is in one. */
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
  /** Where it stands in the draw. */
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
  const chosen = new Set<DatasetItem>();
  for (const stratum of grouped(groups, typeOf).values()) {
    for (const group of draw(stratum, fraction)) for (const item of group.items) chosen.add(item);
  }
  return chosen;
}

const checkSeed = (seed: unknown) =>
  checkNumber('seed', seed, { min: 0, max: Number.MAX_SAFE_INTEGER, integer: true });

/** Images that stay together, each group with its place in the draw that a salt and its name give. */
function drawnGroups(items: readonly DatasetItem[], by: string | undefined, salt: string): Group[] {
  const nameOf = by === undefined ? (item: DatasetItem) => item.id : column('by', items, by);
  return [...grouped(items, nameOf)].map(([name, members]) => ({
    items: members,
    draw: createHash('sha256').update(`${salt}\0${name}`).digest('hex'),
  }));
}

const sortedByDraw = (groups: readonly Group[]) => [...groups].sort((a, b) => (a.draw < b.draw ? -1 : 1));

/** The first groups of the draw whose images together come nearest to the fraction. */
function draw(groups: readonly Group[], fraction: number): Group[] {
  const sorted = sortedByDraw(groups);
  const target = fraction * groups.reduce((sum, { items }) => sum + items.length, 0);
  const ends: number[] = [];
  for (const { items } of sorted) ends.push((ends.at(-1) ?? 0) + items.length);
  let taken = 0;
  while (taken < sorted.length && (ends[taken]! + (ends[taken - 1] ?? 0)) / 2 <= target) taken++;
  // Both sides see every type that has images enough for it.
  if (sorted.length > 1) taken = Math.min(Math.max(taken, 1), sorted.length - 1);
  return sorted.slice(0, taken);
}

/** The type that most of a group's images have; of several, the first by name. */
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

/** Reads a column that some image must have; images without it have the value ''. */
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
