import { stat } from 'node:fs/promises';
import { basename, dirname, extname, join } from 'node:path';
import { CellrouteError } from '../errors.js';
import { Masks, type PictureSize } from '../mask/masks.js';
import type { Dataset } from './dataset.js';
import { fileItem, PictureFolder } from './picture-files.js';
import { Findings, type OpenDatasetOptions } from './reader.js';
import { columnsOf, openTable } from './table.js';

/** What is known of a picture after some of its rows. */
interface Picture {
  path: string;
  size: PictureSize;
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
 * The form of the Sartorius competition's train.csv, a row a cell, and the folder of its pictures, `<id>.png` or any
 * other ending that is read. `id` and `annotation` are needed; `width` and `height` must be the picture's where they
 * are there. A row with an empty annotation says that the picture is known, and maybe without cells.
 */
export async function readKaggle(path: string, options: OpenDatasetOptions): Promise<Dataset> {
  const { columns, rows } = await openTable(path, ['id', 'annotation'], options.signal);
  const findings = new Findings(path, options);
  const typeColumn = findings.typeColumn(columns);
  const folder = await PictureFolder.read(options.pictures ?? (await usualFolder(path)));
  const at = (name: string | undefined) => (name === undefined ? -1 : columns.indexOf(name));
  const [idAt, annotationAt, typeAt] = [at('id'), at('annotation'), at(typeColumn)];
  const sides = (['width', 'height'] as const).map((side) => ({ side, index: at(side) }));
  // The unusable ones too, so that a picture is looked for once.
  const pictures = new Map<string, Picture | undefined>();

  async function begin(id: string, fields: readonly string[], row: number): Promise<Picture | undefined> {
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

  function wrong(
    picture: Picture,
    fields: readonly string[],
  ): { column: string; reason: string } | undefined {
    for (const { side, index } of sides) {
      const text = index < 0 ? '' : fields[index]!;
      if (text !== '' && Number(text) !== picture.size[side]) {
        return { column: side, reason: `it says ${shown(text)}, but the picture has ${picture.size[side]}` };
      }
    }
    const type = typeAt < 0 ? undefined : fields[typeAt] || undefined;
    if (type !== picture.type) {
      const before = picture.type === undefined ? 'none' : shown(picture.type);
      return {
        column: typeColumn!,
        reason: `it says ${shown(type ?? '')}, but row ${picture.firstRow} of this picture says ${before}`,
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
    if (!pictures.has(id)) pictures.set(id, await begin(id, fields, row));
    const picture = pictures.get(id);
    if (!picture) continue;
    const mistake = wrong(picture, fields);
    if (mistake) {
      findings.problem({ row, id, ...mistake });
      continue;
    }
    const annotation = fields[annotationAt]!.trim();
    try {
      if (annotation !== '') picture.cells.push(...Masks.fromKaggle([annotation], picture.size).toCoco());
    } catch (error) {
      if (!(error instanceof CellrouteError)) throw error;
      findings.problem({ row, column: 'annotation', id, reason: error.message.replace(/^Mask 0: /, '') });
      continue;
    }
    picture.usableRows++;
    for (const [i, name] of columns.entries()) {
      if (Object.hasOwn(picture.columns, name) && picture.columns[name] !== fields[i])
        delete picture.columns[name];
    }
  }

  for (const [id, picture] of pictures) {
    if (!picture) continue;
    const { path: file, size, type, columns: own, cells, usableRows, firstRow } = picture;
    // Without this it would pass for a picture without cells.
    if (usableRows === 0) {
      findings.problem({ row: firstRow, id, reason: 'none of its rows can be used' });
      continue;
    }
    const masks = Masks.fromCoco(cells, size);
    const labels = new Int32Array(cells.length).fill(1);
    findings.items.push(fileItem({ id, type, columns: own, picture: file, masks, labels }));
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
