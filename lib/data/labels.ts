import { readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { types } from 'node:util';
import { decodeImage } from '../image/decode.js';
import { type ImageSize, Masks } from '../mask/masks.js';
import { concurrently } from './concurrently.js';
import type { Dataset } from './dataset.js';
import { FILES_AT_ONCE, fileItem, ImageFolder } from './image-files.js';
import { Findings, type OpenDatasetOptions } from './reader.js';
import { columnsOf, openTable } from './table.js';

interface Row {
  id: string;
  /** Undefined where there is no index. */
  row: number | undefined;
  columns: Record<string, string>;
}

/**
 * A folder with `images`, `labels` and `index.csv`: for each id of the index an image and an image of labels of that
 * name (8 or 16 bits, one channel; 0 is background, every other value one cell, whichever values they are). The
 * index's other columns are any. Without an index every image of `images` is meant.
 */
export async function readLabels(path: string, options: OpenDatasetOptions): Promise<Dataset> {
  const index = join(path, 'index.csv');
  const indexed = await stat(index).then(
    () => true,
    () => false,
  );
  const findings = new Findings(indexed ? index : path, options);
  const images = await ImageFolder.read(options.images ?? join(path, 'images'));
  const labels = await ImageFolder.read(join(path, 'labels'));
  const rows: Row[] = [];
  let typeColumn: string | undefined;
  if (indexed) {
    const table = await openTable(index, ['id'], options.signal);
    typeColumn = findings.typeColumn(table.columns);
    await readIndex(table, rows, findings);
  } else {
    typeColumn = findings.typeColumn([]);
    rows.push(...images.names.map((id) => ({ id, row: undefined, columns: {} })));
  }

  const read = await concurrently(rows, FILES_AT_ONCE, async ({ id }) => {
    options.signal?.throwIfAborted();
    const image = await images.look(id, options.signal);
    if ('reason' in image) return image;
    const label = labels.find(id);
    if ('reason' in label) return { reason: `its labels: ${label.reason}` };
    const masks = await readLabelImage(label.path, image.size, options.signal);
    return 'reason' in masks ? masks : { path: image.path, masks };
  });
  for (const [i, one] of read.entries()) {
    const { id, row, columns } = rows[i]!;
    if ('reason' in one) {
      findings.problem({ ...(row !== undefined && { row, column: 'id' }), id, reason: one.reason });
      continue;
    }
    const type = (typeColumn !== undefined && columns[typeColumn]) || undefined;
    const classes = new Int32Array(one.masks.length).fill(1);
    findings.items.push(fileItem({ id, type, columns, ...one, labels: classes }));
  }
  return findings.dataset();
}

async function readIndex(
  { columns, rows }: Awaited<ReturnType<typeof openTable>>,
  into: Row[],
  findings: Findings,
): Promise<void> {
  const idAt = columns.indexOf('id');
  const firstRows = new Map<string, number>();
  for await (const { fields, row } of rows) {
    const id = fields[idAt];
    const before = firstRows.get(id ?? '');
    if (fields.length !== columns.length) {
      findings.problem({ row, reason: `${fields.length} fields where the header has ${columns.length}` });
    } else if (!id) {
      findings.problem({ row, column: 'id', reason: 'it is empty' });
    } else if (before !== undefined) {
      findings.problem({ row, column: 'id', id, reason: `row ${before} has this id already` });
    } else {
      firstRows.set(id, row);
      into.push({ id, row, columns: columnsOf(columns, fields, ['id']) });
    }
  }
}

/** The cells of an image of labels, which must have a size where one is given; or why it cannot be used. */
export async function readLabelImage(
  path: string,
  size: ImageSize | undefined,
  signal: AbortSignal | undefined,
): Promise<Masks | { reason: string }> {
  try {
    const { data, width, height, channels } = await decodeImage(await readFile(path), {
      ...(signal && { signal }),
    });
    if (size && (width !== size.width || height !== size.height)) {
      return {
        reason: `its labels have ${width} x ${height} pixels and the image ${size.width} x ${size.height}`,
      };
    }
    if (channels !== 1 || types.isFloat32Array(data)) {
      return {
        reason: `its labels are ${channels === 1 ? 'floats' : 'in colour'}; whole numbers in one channel are read`,
      };
    }
    return Masks.fromLabels(data, { width, height }).masks;
  } catch (error) {
    signal?.throwIfAborted();
    return { reason: `its labels cannot be read: ${(error as Error).message}` };
  }
}
