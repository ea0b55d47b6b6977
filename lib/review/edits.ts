import { checkKeys, checkNumber, checkObject, checkOneOf, refuse } from '../check.js';
import { type ImageSize, Masks } from '../mask/masks.js';

/** A predicted cell with another outline, class or both. */
export interface ChangedCell {
  /** Index of the predicted cell, from 0. */
  cell: number;
  /** Flat arrays x, y, x, y, … in pixels, one per part. Absent: the mask is the predicted one. */
  polygons?: number[][];
  /** Name of the class. Absent: the predicted one. */
  class?: string;
}

/** A cell that was drawn. */
export interface AddedCell {
  /** Unique in the image. */
  id: number;
  /** Flat arrays x, y, x, y, … in pixels, one per part. */
  polygons: number[][];
  /** Name of the class. Default: the first class. */
  class?: string;
}

/** A reviewer's changes to the predictions of one image. */
export interface Edits {
  /** Indices of the predicted cells that were deleted. */
  removed: number[];
  changed: ChangedCell[];
  added: AddedCell[];
  /** Cell type of the image. Absent: the predicted one. */
  cellType?: string;
}

/** Cells with their masks and class names, in the same order. */
export interface ClassedCells {
  masks: Masks;
  classes: readonly string[];
}

/** The cells and classes that edits of an image may refer to. */
export interface EditLimits {
  size: ImageSize;
  /** Number of predicted cells. */
  cells: number;
  classes: readonly string[];
  cellTypes: readonly string[];
}

/** Limits memory and time: a drawn outline has some hundred corners. */
const MAX_VALUES = 1_000_000;

export const noEdits = (): Edits => ({ removed: [], changed: [], added: [] });

/** Whether the predictions are unchanged. */
export const isUnchanged = ({ removed, changed, added, cellType }: Edits): boolean =>
  removed.length + changed.length + added.length === 0 && cellType === undefined;

/**
 * Checks edits that were read from a file or a request.
 *
 * @throws {CellrouteError} INVALID_ARGUMENT
 */
export function checkEdits(value: unknown, limits: EditLimits): Edits {
  const edits = checkObject('edits', value);
  checkKeys('edits', edits, ['removed', 'changed', 'added', 'cellType']);
  const values = { count: 0 };
  const removed = list('edits.removed', edits.removed).map((cell, i) =>
    checkCell(`edits.removed[${i}]`, cell, limits),
  );
  const changed = list('edits.changed', edits.changed).map((one, i) => {
    const option = `edits.changed[${i}]`;
    const { cell, polygons, class: name, ...others } = checkObject(option, one);
    checkKeys(option, others, []);
    return {
      cell: checkCell(`${option}.cell`, cell, limits),
      ...(polygons !== undefined && {
        polygons: checkPolygons(`${option}.polygons`, polygons, limits, values),
      }),
      ...classOf(option, name, limits),
    };
  });
  const added = list('edits.added', edits.added).map((one, i) => {
    const option = `edits.added[${i}]`;
    const { id, polygons, class: name, ...others } = checkObject(option, one);
    checkKeys(option, others, []);
    return {
      id: checkNumber(`${option}.id`, id, { min: 0, integer: true }),
      polygons: checkPolygons(`${option}.polygons`, polygons, limits, values),
      ...classOf(option, name, limits),
    };
  });
  checkUnique('edits.removed and edits.changed', [...removed, ...changed.map(({ cell }) => cell)]);
  checkUnique(
    'edits.added',
    added.map(({ id }) => id),
  );
  const type = edits.cellType;
  return {
    removed,
    changed,
    added,
    ...(type !== undefined && { cellType: checkOneOf('edits.cellType', type, limits.cellTypes) }),
  };
}

/**
 * The cells after the edits: predicted cells in their order, then the added ones. Predicted cells without a pixel are
 * omitted.
 *
 * @param predicted the cells that the edits refer to.
 * @param classes names of all classes; the first is that of an added cell without one.
 * @throws {CellrouteError} INVALID_ARGUMENT for a polygon that covers no pixel.
 */
export function applyEdits(
  predicted: ClassedCells,
  { removed, changed, added }: Edits,
  classes: readonly string[],
): ClassedCells {
  const { width, height } = predicted.masks;
  const drawn = [
    ...changed.flatMap(({ polygons }) => (polygons ? [polygons] : [])),
    ...added.map(({ polygons }) => polygons),
  ];
  const drawnMasks = Masks.fromPolygons(drawn, { width, height });
  const empty = drawnMasks.areas().indexOf(0);
  if (empty >= 0) throw refuse('edits', 'outlines that cover at least one pixel', `outline ${empty}`);
  const outlines = drawnMasks.toCoco();

  const counts: (string | undefined)[] = predicted.masks.toCoco();
  const names = [...predicted.classes];
  for (const [i, area] of predicted.masks.areas().entries()) if (area === 0) counts[i] = undefined;
  for (const cell of removed) counts[cell] = undefined;
  let next = 0;
  for (const { cell, polygons, class: name } of changed) {
    if (polygons) counts[cell] = outlines[next++]!;
    if (name !== undefined) names[cell] = name;
  }
  for (const { class: name } of added) {
    counts.push(outlines[next++]!);
    names.push(name ?? classes[0]!);
  }
  const kept = counts.flatMap((text, i) => (text === undefined ? [] : [i]));
  return {
    masks: Masks.fromCoco(
      kept.map((i) => counts[i]!),
      { width, height },
    ),
    classes: kept.map((i) => names[i]!),
  };
}

function list(option: string, value: unknown): unknown[] {
  if (Array.isArray(value)) return value;
  throw refuse(option, 'an array', value);
}

const checkCell = (option: string, cell: unknown, { cells }: EditLimits): number => {
  if (cells === 0) throw refuse(option, 'no cell, as none was predicted,', cell);
  return checkNumber(option, cell, { min: 0, max: cells - 1, integer: true });
};

function classOf(option: string, name: unknown, { classes }: EditLimits): { class?: string } {
  return name === undefined ? {} : { class: checkOneOf(`${option}.class`, name, classes) };
}

function checkPolygons(
  option: string,
  value: unknown,
  { size }: EditLimits,
  values: { count: number },
): number[][] {
  const polygons = list(option, value);
  if (polygons.length === 0) throw refuse(option, 'at least one polygon', value);
  return polygons.map((polygon, p) => {
    const points = list(`${option}[${p}]`, polygon);
    if (points.length < 6 || points.length % 2 !== 0) {
      throw refuse(`${option}[${p}]`, 'x and y of at least three corners', points);
    }
    values.count += points.length;
    if (values.count > MAX_VALUES) throw refuse('edits', `at most ${MAX_VALUES} coordinates`, values.count);
    return points.map((point, i) =>
      checkNumber(`${option}[${p}][${i}]`, point, { min: 0, max: i % 2 === 0 ? size.width : size.height }),
    );
  });
}

function checkUnique(option: string, values: readonly number[]): void {
  const seen = new Set<number>();
  for (const value of values) {
    if (seen.has(value)) throw refuse(option, 'each cell once', value);
    seen.add(value);
  }
}
