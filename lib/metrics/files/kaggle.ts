import { dataInvalid } from '../../data/problems.js';
import { columnsOf, openTable } from '../../data/table.js';
import { CellrouteError } from '../../errors.js';
import { type ImageSize, Masks } from '../../mask/masks.js';
import { type Side, type SideOptions, typeOf } from './side.js';

interface Rows {
  size: ImageSize | undefined;
  columns: Record<string, string>;
  annotations: string[];
  /** Line of each annotation. */
  lines: number[];
}

/**
 * A table with `id` and `annotation`, a row a cell, as competitions have truth and submissions; with `width` and
 * `height` where sizes are not known from the other side. A row without annotation says that the image has no cell.
 * No image is looked at.
 */
export async function readKaggleSide(path: string, options: SideOptions): Promise<Side> {
  const { columns, rows } = await openTable(path, ['id', 'annotation'], options.signal);
  const [idAt, annotationAt] = [columns.indexOf('id'), columns.indexOf('annotation')];
  const images = new Map<string, Rows>();
  for await (const { fields, row } of rows) {
    if (fields.length !== columns.length || fields[idAt] === '') {
      throw dataInvalid(path, `row ${row}: expected ${columns.length} fields, among them an id`);
    }
    const own = columnsOf(columns, fields, ['id', 'annotation']);
    const id = fields[idAt]!;
    const image = images.get(id) ?? {
      size: sizeOf(path, row, own),
      columns: own,
      annotations: [],
      lines: [],
    };
    images.set(id, image);
    const annotation = fields[annotationAt]!.trim();
    if (annotation === '') continue;
    image.annotations.push(annotation);
    image.lines.push(row);
  }
  return {
    path,
    images: [...images].map(([name, { size, columns: own, annotations, lines }]) => ({
      name,
      ...(size && { size }),
      columns: own,
      ...typeOf(own, options),
      masks: (needed) => masksOf(path, annotations, lines, size ?? needed),
    })),
    classes: 'none',
  };
}

function sizeOf(path: string, row: number, columns: Record<string, string>): ImageSize | undefined {
  const { width = '', height = '' } = columns;
  if (width === '' || height === '') return undefined;
  const size = { width: Number(width), height: Number(height) };
  if (!Object.values(size).every((side) => Number.isInteger(side) && side >= 1)) {
    throw dataInvalid(path, `row ${row}: expected whole numbers of pixels for width and height`);
  }
  return size;
}

function masksOf(path: string, annotations: string[], lines: number[], size: ImageSize): Masks {
  try {
    return Masks.fromKaggle(annotations, size);
  } catch (error) {
    if (!(error instanceof CellrouteError) || error.code !== 'RLE_MALFORMED') throw error;
    const [, index, reason] = /^Mask (\d+): (.*)$/s.exec(error.message) ?? ['', '0', error.message];
    throw dataInvalid(path, `row ${lines[Number(index)]}, annotation: ${reason}`);
  }
}
