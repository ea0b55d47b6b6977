import { stat } from 'node:fs/promises';
import { basename, dirname, extname, join } from 'node:path';
import { CellrouteError } from '../errors.js';
import { type ImageSize, Masks } from '../mask/masks.js';
import type { Dataset } from './dataset.js';
import { fileItem, ImageFolder } from './image-files.js';
import { Findings, type OpenDatasetOptions } from './reader.js';
import { columnsOf, openTable } from './table.js';

/** What is known of an image after some of its rows. */
interface Image {
  path: string;
  size: ImageSize;
  firstRow: number;
  type: string | undefined;
  /** Those in which all rows so far agree. */
  columns: Record<string, string>;
  /** COCO's strings: a third of the counts' memory while rows come in. */
  cells: string[];
  usableRows: number;
}

const ownColumns = ['id', 'annotation', 'width', 'height'];

/**
 * The form of the Sartorius competition's train.csv, a row a cell, and the folder of its images, `<id>.png` or any
 * other ending that is read. `id` and `annotation` are needed; `width` and `height` must be the image's where they
 * are there. A row with an empty annotation says that the image is known, and maybe without cells.
 */
export async function readKaggle(path: string, options: OpenDatasetOptions): Promise<Dataset> {
  const { columns, rows } = await openTable(path, ['id', 'annotation'], options.signal);
  const findings = new Findings(path, options);
  const typeColumn = findings.typeColumn(columns);
  const folder = await ImageFolder.read(options.images ?? (await usualFolder(path)));
  const at = (name: string | undefined) => (name === undefined ? -1 : columns.indexOf(name));
  const [idAt, annotationAt, typeAt] = [at('id'), at('annotation'), at(typeColumn)];
  const sides = (['width', 'height'] as const).map((side) => ({ side, index: at(side) }));
  // The unusable ones too, so that an image is looked for once.
  const images = new Map<string, Image | undefined>();

  async function begin(id: string, fields: readonly string[], row: number): Promise<Image | undefined> {
    const found = await folder.look(id, options.signal);
    if ('reason' in found) {
      findings.problem({ row, column: 'id', id, reason: found.reason });
      return undefined;
    }
    return {
      ...found,
      firstRow: row,
      type: typeAt < 0 || fields[typeAt] === '' ? undefined : fields[typeAt],
      columns: columnsOf(columns, fields, ownColumns),
      cells: [],
      usableRows: 0,
    };
  }

  function wrong(image: Image, fields: readonly string[]): { column: string; reason: string } | undefined {
    for (const { side, index } of sides) {
      const text = index < 0 ? '' : fields[index]!;
      if (text !== '' && Number(text) !== image.size[side]) {
        return { column: side, reason: `it says ${shown(text)}, but the image has ${image.size[side]}` };
      }
    }
    const type = typeAt < 0 ? undefined : fields[typeAt] || undefined;
    if (type !== image.type) {
      const before = image.type === undefined ? 'none' : shown(image.type);
      return {
        column: typeColumn!,
        reason: `it says ${shown(type ?? '')}, but row ${image.firstRow} of this image says ${before}`,
      };
    }
    return undefined;
  }

  for await (const { fields, row } of rows) {
    if (fields.length !== columns.length) {
      findings.problem({ row, reason: `${fields.length} fields where the header has ${columns.length}` });
      continue;
    }
    const id = fields[idAt]!;
    if (id === '') {
      findings.problem({ row, column: 'id', reason: 'it is empty' });
      continue;
    }
    if (!images.has(id)) images.set(id, await begin(id, fields, row));
    const image = images.get(id);
    if (!image) continue;
    const mistake = wrong(image, fields);
    if (mistake) {
      findings.problem({ row, id, ...mistake });
      continue;
    }
    const annotation = fields[annotationAt]!.trim();
    try {
      if (annotation !== '') image.cells.push(...Masks.fromKaggle([annotation], image.size).toCoco());
    } catch (error) {
      if (!(error instanceof CellrouteError)) throw error;
      findings.problem({ row, column: 'annotation', id, reason: error.message.replace(/^Mask 0: /, '') });
      continue;
    }
    image.usableRows++;
    for (const [i, name] of columns.entries()) {
      if (Object.hasOwn(image.columns, name) && image.columns[name] !== fields[i]) delete image.columns[name];
    }
  }

  for (const [id, image] of images) {
    if (!image) continue;
    const { path: file, size, type, columns: own, cells, usableRows, firstRow } = image;
    // Without this it would pass for an image without cells.
    if (usableRows === 0) {
      findings.problem({ row: firstRow, id, reason: 'none of its rows can be used' });
      continue;
    }
    const masks = Masks.fromCoco(cells, size);
    const labels = new Int32Array(cells.length).fill(1);
    findings.items.push(fileItem({ id, type, columns: own, path: file, masks, labels }));
  }
  return findings.dataset();
}

/** Beside the table: a folder of its name, as the competition has it, or `images`, or the table's own. */
async function usualFolder(path: string): Promise<string> {
  const folder = dirname(path);
  for (const name of [basename(path, extname(path)), 'images']) {
    const found = await stat(join(folder, name)).catch(() => undefined);
    if (found?.isDirectory()) return join(folder, name);
  }
  return folder;
}

const shown = (text: string) => JSON.stringify(text.length > 40 ? `${text.slice(0, 40)}…` : text);
