import { readdir, stat } from 'node:fs/promises';
import { basename, extname, join } from 'node:path';
import { isDrawing, LABELS_ENDING } from '../export/file-names.js';
import { unreadable } from '../file-errors.js';
import { imageEndings } from '../image/format.js';
import { mapAll } from '../pool.js';
import { foreignLabels } from './foreign-forms.js';
import { CONCURRENT_FILES, type FoundImage, ImageFolder, isFolder, measureImage } from './image-folder.js';
import { once } from './kaggle.js';
import { type LabelImage, readLabelImage } from './label-image.js';
import { isHidden, similarName, stemOf } from './names.js';
import { dataInvalid, ProblemList } from './problems.js';
import { columnsOf, openTable } from './table.js';
import { type AnnotationOptions, type AnnotationSource, type ImageAnnotations, typeOf } from './types.js';

const LABELS_SUFFIX = stemOf(LABELS_ENDING);

/** The folder of label images of a data set: `labels`, or `masks` beside `images`, as StarDist's examples have it. */
export function labelFolderAmong(names: readonly string[]): string | undefined {
  if (names.includes('labels')) return 'labels';
  return names.includes('masks') && names.includes('images') ? 'masks' : undefined;
}

interface Row {
  id: string;
  /** undefined without an index. */
  row?: number;
  columns: Record<string, string>;
}

/**
 * Reads label images from a folder with `labels` and, for a data set, `images`. An optional `index.csv` lists the images
 * and their columns; without it, all images and labels are used. A folder may also contain only label images, including
 * subfolders. A label image is named `NAME.png`, or `NAME.labels.png` as written by `cellroute segment`.
 */
export async function readLabels(path: string, options: AnnotationOptions): Promise<AnnotationSource> {
  const { signal } = options;
  const own = labelFolderAmong(await readdir(path).catch(unreadable(path)));
  const isSet = own !== undefined && (await isFolder(join(path, own)));
  const labels = new LabelFolder(isSet ? join(path, own) : path);
  await labels.list(!isSet);
  const imagePath = options.images ?? (isSet ? join(path, 'images') : undefined);
  const images = once(async () => (imagePath === undefined ? undefined : ImageFolder.read(imagePath)));
  const index = join(path, 'index.csv');
  const indexed = await stat(index).catch(() => undefined);
  const file = indexed ? index : path;
  const problems = new ProblemList();
  const { rows, columns } = indexed
    ? await readIndex(index, problems, signal)
    : { rows: rowsOf(labels.names, await images().catch(() => undefined)), columns: [] };
  if (rows.length === 0 && problems.list().length === 0) {
    throw dataInvalid(labels.path, `there are no label images in it${labels.foreign}`);
  }
  const read = await mapAll(rows, CONCURRENT_FILES, async ({ id }) => {
    signal?.throwIfAborted();
    const found = labels.find(id);
    return 'reason' in found ? found : readLabelImage(found.path, signal);
  });
  return {
    path,
    images: rows.map(({ id, row, columns: own }, i) => {
      const place = { file, ...(row !== undefined && { row, column: 'id' }) };
      const common = { name: id, fileName: id, place, columns: own, ...typeOf(own, options) };
      return labelled(common, read[i]!, images);
    }),
    classes: 'none',
    columns,
    problems: problems.list(),
    notices: [],
  };
}

function labelled(
  common: Pick<ImageAnnotations, 'name' | 'fileName' | 'place' | 'columns'>,
  labels: LabelImage,
  images: () => Promise<ImageFolder | undefined>,
): ImageAnnotations {
  return {
    ...common,
    ...(!('reason' in labels) && { size: { width: labels.masks.width, height: labels.masks.height } }),
    needsSize: false,
    async locate(signal, read): Promise<FoundImage> {
      const found = (await (await images())?.find(common.name)) ?? {
        reason: `${common.place.file} has no folder of images`,
      };
      return 'path' in found ? measureImage(found.path, signal, read) : found;
    },
    async read(size) {
      const none = { problems: [], notices: [] };
      if ('reason' in labels) return { reason: labels.reason, ...none };
      const { masks } = labels;
      const notices = labels.notices.map((reason) => ({ ...common.place, id: common.name, reason }));
      if (!size || (size.width === masks.width && size.height === masks.height)) {
        return { cells: { masks }, problems: [], notices };
      }
      const own = `${masks.width} x ${masks.height}`;
      return {
        reason: `its labels have ${own} pixels, but the image ${size.width} x ${size.height}`,
        ...none,
      };
    },
  };
}

/** Rows for the images of a folder, and for labels without an image. */
function rowsOf(labels: readonly string[], images: ImageFolder | undefined): Row[] {
  const names = new Set([...(images?.names ?? []), ...labels]);
  return [...names].sort().map((id) => ({ id, columns: {} }));
}

async function readIndex(path: string, problems: ProblemList, signal: AbortSignal | undefined) {
  const { columns, rows } = await openTable(path, [['id']], signal);
  const idAt = columns.indexOf('id');
  const firstRows = new Map<string, number>();
  const found: Row[] = [];
  for await (const { fields, row } of rows) {
    const id = fields[idAt]?.normalize('NFC');
    const before = firstRows.get(id ?? '');
    if (fields.length !== columns.length) {
      const reason = `${fields.length} fields, but the header has ${columns.length}`;
      problems.add({ file: path, row, reason });
    } else if (!id) {
      problems.add({ file: path, row, column: 'id', reason: 'it is empty' });
    } else if (before !== undefined) {
      problems.add({ file: path, row, column: 'id', id, reason: `row ${before} already has this id` });
    } else {
      firstRows.set(id, row);
      found.push({ id, row, columns: columnsOf(columns, fields, ['id']) });
    }
  }
  return { rows: found, columns };
}

/** Label images by name. Those in subfolders are named `folder/name`. */
class LabelFolder {
  readonly path: string;
  readonly #files = new Map<string, string[]>();
  /** Kind of a file that is not an image. */
  #foreign = '';

  constructor(path: string) {
    this.path = path;
  }

  get names(): string[] {
    return [...this.#files.keys()];
  }

  get foreign(): string {
    return this.#foreign;
  }

  /** @throws {CellrouteError} FILE_UNREADABLE if the folder does not exist. */
  async list(withBelow: boolean, below = ''): Promise<void> {
    const entries = await readdir(join(this.path, below), { withFileTypes: true }).catch(
      unreadable(this.path),
    );
    this.#foreign ||= foreignLabels(entries.map(({ name }) => name));
    for (const entry of entries) {
      const name = below === '' ? entry.name : `${below}/${entry.name}`;
      if (isHidden(entry.name)) continue;
      if (withBelow && entry.isDirectory()) await this.list(true, name);
      if (!imageEndings.includes(extname(name).toLowerCase()) || isDrawing(name)) continue;
      const stem = stemOf(name.normalize('NFC'));
      const id = stem.endsWith(LABELS_SUFFIX) ? stem.slice(0, -LABELS_SUFFIX.length) : stem;
      this.#files.set(id, [...(this.#files.get(id) ?? []), name]);
    }
  }

  find(id: string): { path: string } | { reason: string } {
    // An id may be a file name with extension.
    const found = this.#files.get(id) ?? this.#files.get(stemOf(id)) ?? [];
    if (found.length === 1) return { path: join(this.path, found[0]!) };
    if (found.length === 0) {
      const hint = this.#foreign || similarName(id, [...this.#files.values()].flat());
      return { reason: `its labels: there is no image with this name in ${this.path}${hint}` };
    }
    const names = found.map((name) => basename(name)).sort();
    return { reason: `there are several label images with this name: ${names.join(', ')}` };
  }
}
