import { basename, dirname, join } from 'node:path';
import type { ImageReadOptions } from '../image/types.js';
import { type ImageSize, Masks } from '../mask/masks.js';
import { once } from '../once.js';
import { decodeMasks } from './decode-masks.js';
import { firstFolder, ImageFolder, measureImage } from './image-folder.js';
import { stemOf } from './names.js';
import type { DataProblem } from './problems.js';
import { ProblemList } from './problems.js';
import { columnsOf, openTable } from './table.js';
import {
  type AnnotationOptions,
  type AnnotationSource,
  cellTypeColumnOf,
  type ImageAnnotations,
  type ReadAnnotations,
} from './types.js';

/** Name of the mask column: `annotation` in the competition's train.csv, `predicted` in submissions. */
const MASK_COLUMNS = ['annotation', 'predicted'];
const SIZE_COLUMNS = ['width', 'height'] as const;

interface Row {
  row: number;
  annotation: string;
  width: string;
  height: string;
  cellType: string;
}

/**
 * Reads the Sartorius competition's train.csv or a submission, with one row per cell: `id` and `annotation` (or
 * `predicted`), and optionally `width`, `height`, the cell type and other columns. A row with an empty annotation states
 * that the image exists, possibly without cells. Image files are named `<id>.png` or have another supported extension.
 */
export async function readKaggle(path: string, options: AnnotationOptions): Promise<AnnotationSource> {
  const { columns, rows } = await openTable(path, [['id'], MASK_COLUMNS], options.signal);
  const maskColumn = MASK_COLUMNS.find((name) => columns.includes(name))!;
  const cellTypeColumn = cellTypeColumnOf(columns, options);
  const problems = new ProblemList();
  const images = new Map<string, KaggleImage>();
  const folder = once(async () => ImageFolder.read(options.images ?? (await usualFolder(path))));
  const at = (name: string | undefined) => (name === undefined ? -1 : columns.indexOf(name));
  const [idAt, maskAt, typeAt] = [at('id'), at(maskColumn), at(cellTypeColumn)];
  const [widthAt, heightAt] = SIZE_COLUMNS.map(at) as [number, number];
  for await (const { fields, row } of rows) {
    if (fields.length !== columns.length) {
      const reason = `${fields.length} fields, but the header has ${columns.length}`;
      problems.add({ file: path, row, reason });
      continue;
    }
    const id = fields[idAt]!;
    if (id === '') {
      problems.add({ file: path, row, column: 'id', reason: 'it is empty' });
      continue;
    }
    const name = id.normalize('NFC');
    let image = images.get(name);
    if (!image) {
      const others = columnsOf(columns, fields, ['id', maskColumn]);
      image = new KaggleImage(
        name,
        { file: path, row, column: 'id' },
        others,
        maskColumn,
        cellTypeColumn,
        folder,
      );
      images.set(name, image);
    }
    const added = {
      row,
      annotation: fields[maskAt]!.trim(),
      width: sizeIn(fields[widthAt]),
      height: sizeIn(fields[heightAt]),
      cellType: fields[typeAt] ?? '',
    };
    image.add(added, columns, fields);
  }
  return {
    path,
    images: [...images.values()],
    classes: 'none',
    columns,
    problems: problems.list(),
    notices: [],
  };
}

/** A side of an image; empty if it is missing, which some writers call NaN. */
const sizeIn = (field = ''): string => (/^nan$/i.test(field.trim()) ? '' : field);

class KaggleImage implements ImageAnnotations {
  readonly name: string;
  readonly fileName: string;
  readonly place: Required<ImageAnnotations['place']>;
  readonly columns: Record<string, string>;
  readonly #maskColumn: string;
  readonly #cellTypeColumn: string | undefined;
  readonly #folder: () => Promise<ImageFolder>;
  readonly #rows: Row[] = [];

  constructor(
    name: string,
    place: Required<ImageAnnotations['place']>,
    columns: Record<string, string>,
    maskColumn: string,
    cellTypeColumn: string | undefined,
    folder: () => Promise<ImageFolder>,
  ) {
    this.name = name;
    this.fileName = name;
    this.place = place;
    this.columns = columns;
    this.#maskColumn = maskColumn;
    this.#cellTypeColumn = cellTypeColumn;
    this.#folder = folder;
  }

  add(row: Row, columns: readonly string[], fields: readonly string[]): void {
    this.#rows.push(row);
    const [first] = this.#rows as [Row];
    // Reuses equal strings to save memory.
    for (const key of ['width', 'height', 'cellType'] as const)
      if (first[key] === row[key]) row[key] = first[key];
    // A row with another cell type is invalid.
    if (row.cellType !== first.cellType) return;
    // A column with different values per row does not describe the image.
    for (const [i, name] of columns.entries()) {
      if (SIZE_COLUMNS.includes(name as 'width') || this.columns[name] === fields[i]) continue;
      delete this.columns[name];
    }
  }

  get cellType(): string | undefined {
    return this.#rows[0]!.cellType || undefined;
  }

  get size(): ImageSize | undefined {
    for (const { width, height } of this.#rows) {
      const size = { width: Number(width || Number.NaN), height: Number(height || Number.NaN) };
      if (Object.values(size).every((side) => Number.isInteger(side) && side >= 1)) return size;
    }
    return undefined;
  }

  get needsSize(): boolean {
    return this.size === undefined;
  }

  async locate(signal?: AbortSignal, read?: ImageReadOptions) {
    const found = await (await this.#folder()).find(this.name);
    return 'path' in found ? measureImage(found.path, signal, read) : found;
  }

  async read(size = this.size): Promise<ReadAnnotations> {
    const problems: DataProblem[] = [];
    const problem = ({ row }: Row, column: string, reason: string) =>
      problems.push({ file: this.place.file, row, column, id: this.name, reason });
    if (!size) return { reason: 'it has no width and height', problems, notices: [] };
    const usable = this.#rows.filter((row) => {
      const mistake = this.#mistake(row, size);
      if (mistake) problem(row, ...mistake);
      return !mistake;
    });
    const annotated = usable.filter(({ annotation }) => annotation !== '');
    const { masks, failures } = decodeMasks(
      annotated.map(({ annotation }) => annotation),
      (texts) => Masks.fromKaggle(texts, size),
    );
    for (const [i, reason] of failures) problem(annotated[i]!, this.#maskColumn, reason);
    if (
      isColumnMajor(
        annotated.map(({ annotation }) => annotation),
        size,
      )
    ) {
      const reason =
        'its runs seem to be in column-major order, as in the Data Science Bowl 2018; the Sartorius format is row-major';
      return { reason, problems, notices: [] };
    }
    // Otherwise it would count as an image without cells.
    if (failures.size === usable.length)
      return { reason: 'none of its rows can be used', problems, notices: [] };
    return { cells: { masks }, problems, notices: [] };
  }

  #mistake(row: Row, size: ImageSize): [column: string, reason: string] | undefined {
    for (const side of SIZE_COLUMNS) {
      const text = row[side];
      if (text !== '' && Number(text) !== size[side]) {
        return [side, `it is ${shown(text)}, but the image has ${size[side]}`];
      }
    }
    const [first] = this.#rows as [Row];
    if (row.cellType === first.cellType) return undefined;
    const before = first.cellType === '' ? 'none' : shown(first.cellType);
    return [
      this.#cellTypeColumn!,
      `it is ${shown(row.cellType)}, but ${before} in row ${first.row} of this image`,
    ];
  }
}

/** Minimum number of runs that indicate the direction; fewer may be coincidence. */
const MIN_RUNS = 20;

/**
 * Whether runs are in column-major order. Consecutive runs of a cell then start about one image height apart, otherwise about
 * one image width. In the wrong order, cells would be stripes of the same area.
 */
function isColumnMajor(texts: readonly string[], { width, height }: ImageSize): boolean {
  const tolerance = 0.25 * Math.abs(width - height);
  let [rows, columns] = [0, 0];
  for (const text of texts) {
    const numbers = text.trim().split(/\s+/).map(Number);
    for (let i = 2; i < numbers.length; i += 2) {
      const step = numbers[i]! - numbers[i - 2]!;
      if (Math.abs(step - width) < tolerance) rows++;
      if (Math.abs(step - height) < tolerance) columns++;
    }
  }
  return columns >= MIN_RUNS && columns > 9 * rows;
}

/** The folder of the images: one with the name of the table, as in the competition, `images`, or the folder of the table. */
function usualFolder(path: string): Promise<string> {
  const folder = dirname(path);
  return firstFolder(join(folder, stemOf(basename(path))), join(folder, 'images'), folder);
}

const shown = (text: string) => JSON.stringify(text.length > 40 ? `${text.slice(0, 40)}…` : text);
