import { stat } from 'node:fs/promises';
import { basename, dirname, extname, join } from 'node:path';
import { describe } from '../check.js';
import { Masks } from '../mask/masks.js';
import { type CocoEntry, cocoEntries } from './coco-file.js';
import { type CocoImage, type Fields, isId, readImage } from './coco-image.js';
import { readSegmentation } from './coco-segmentation.js';
import { concurrently } from './concurrently.js';
import type { Dataset } from './dataset.js';
import { FILES_AT_ONCE, type FoundImage, fileItem, lookInto } from './image-files.js';
import { dataInvalid } from './problems.js';
import { Findings, type OpenDatasetOptions } from './reader.js';

/**
 * A COCO file: images, categories and annotations with polygons or run lengths, compressed or not. An image's id is
 * its file name without the ending; what else the file says of it, in texts and numbers, becomes columns. Annotations
 * with `iscrowd` are of no single cell: they are left out and told as notices.
 */
export async function readCoco(path: string, options: OpenDatasetOptions): Promise<Dataset> {
  const reader = new CocoReader(path, options);
  for await (const entry of cocoEntries(path, options.signal)) reader.add(entry);
  return reader.finish();
}

class CocoReader {
  readonly #path: string;
  readonly #options: OpenDatasetOptions;
  readonly #findings: Findings;
  /** By the file's ids, which may be numbers or texts. */
  readonly #images = new Map<unknown, CocoImage>();
  readonly #categories = new Map<unknown, string>();
  /** Annotations before their image: the lists may come in any order. */
  #early: CocoEntry[] = [];

  constructor(path: string, options: OpenDatasetOptions) {
    this.#path = path;
    this.#options = options;
    this.#findings = new Findings(path, options);
  }

  add(entry: CocoEntry): void {
    const { list, place, value } = entry;
    if (typeof value !== 'object' || value === null || Array.isArray(value)) {
      const reason = `expected an object, but it is ${describe(value)}`;
      this.#findings.problem({ column: place, reason });
      return;
    }
    const fields = value as Fields;
    if (list === 'images') this.#addImage(place, fields);
    else if (list === 'categories') this.#addCategory(place, fields);
    else if (this.#images.has(fields.image_id)) this.#addAnnotation(place, fields);
    else this.#early.push(entry);
  }

  async finish(): Promise<Dataset> {
    for (const { place, value } of this.#early) this.#addAnnotation(place, value as Fields);
    this.#early = [];
    const images = [...this.#images.values()];
    if (images.length === 0) {
      const what = 'it has no usable images: a COCO data set has images, categories and annotations';
      throw dataInvalid(this.#path, what, this.#findings.problems.list());
    }
    const columns = [...new Set(images.flatMap((image) => Object.keys(image.columns)))];
    const typeColumn = this.#findings.typeColumn(columns);
    const classNames = this.#classNames();
    const found = await concurrently(images, FILES_AT_ONCE, (image) => this.#find(image));
    const ids = new Set<string>();
    for (const [i, image] of images.entries()) {
      const id = image.fileName.slice(0, image.fileName.length - extname(image.fileName).length);
      const match = fitting(found[i]!, image);
      if ('reason' in match || ids.has(id)) {
        const reason = 'reason' in match ? match.reason : 'another image has this name';
        this.#findings.problem({ column: image.place, id, reason });
        continue;
      }
      ids.add(id);
      this.#addItem(id, image, match.path, typeColumn, classNames);
    }
    return this.#findings.dataset(classNames);
  }

  #addImage(place: string, fields: Fields): void {
    const image = readImage(place, fields);
    if ('reason' in image) this.#findings.problem(image);
    else if (this.#images.has(fields.id)) {
      this.#findings.problem({ column: `${place}.id`, reason: 'another image has this id' });
    } else this.#images.set(fields.id, image);
  }

  #addCategory(place: string, { id, name }: Fields): void {
    if (!isId(id) || typeof name !== 'string' || name === '' || this.#categories.has(id)) {
      this.#findings.problem({ column: place, reason: 'expected an id of its own and a name' });
    } else this.#categories.set(id, name);
  }

  #addAnnotation(place: string, { image_id, category_id, iscrowd, segmentation }: Fields): void {
    const image = this.#images.get(image_id);
    if (!image) {
      const reason = `there is no usable image of id ${describe(image_id)}`;
      this.#findings.problem({ column: `${place}.image_id`, reason });
      return;
    }
    const id = image.fileName;
    if (iscrowd !== undefined && iscrowd !== 0 && iscrowd !== false) {
      this.#findings.notice({ column: place, id, reason: 'a crowd is no single cell: left out' });
      return;
    }
    image.annotations++;
    const mask = readSegmentation(segmentation, image.size);
    if ('reason' in mask) {
      this.#findings.problem({ column: `${place}.segmentation`, id, reason: mask.reason });
      return;
    }
    image.cells.push({ place, counts: mask.toCoco()[0]!, category: category_id });
  }

  #addItem(
    id: string,
    { place, columns, size, annotations, cells }: CocoImage,
    path: string,
    typeColumn: string | undefined,
    classNames: readonly string[],
  ): void {
    const types = new Set<string>();
    const counts: string[] = [];
    const labels: number[] = [];
    for (const cell of cells) {
      const name = this.#categories.get(cell.category);
      const label = this.#areTypes ? 1 : classNames.indexOf(name ?? '') + 1;
      if (name === undefined || label === 0) {
        const reason =
          name === undefined
            ? `there is no category of id ${describe(cell.category)}`
            : `its category ${name} is none of classNames`;
        this.#findings.problem({ column: `${cell.place}.category_id`, id, reason });
        continue;
      }
      types.add(name);
      counts.push(cell.counts);
      labels.push(label);
    }
    if (this.#areTypes && types.size > 1) {
      const reason = `its cells have several types: ${[...types].join(', ')}`;
      this.#findings.problem({ column: place, id, reason });
      return;
    }
    // It would pass for an image without cells.
    if (counts.length === 0 && annotations > 0) {
      this.#findings.problem({ column: place, id, reason: 'none of its annotations can be used' });
      return;
    }
    const named = typeColumn !== undefined && Object.hasOwn(columns, typeColumn) ? columns[typeColumn] : '';
    const type = (this.#areTypes ? [...types][0] : named) || undefined;
    const masks = Masks.fromCoco(counts, size);
    const item = { id, type, columns, path, masks, labels: Int32Array.from(labels) };
    this.#findings.items.push(fileItem(item));
  }

  get #areTypes(): boolean {
    return this.#options.categories === 'types';
  }

  #classNames(): readonly string[] {
    const { classNames } = this.#options;
    if (classNames || this.#areTypes) return classNames ?? ['cell'];
    const byId = [...this.#categories].sort(([a], [b]) => compareIds(a, b));
    // A file without categories says so in its annotations' problems.
    return byId.length === 0 ? ['cell'] : [...new Set(byId.map(([, name]) => name))];
  }

  async #find({ fileName }: CocoImage): Promise<FoundImage> {
    const { images, signal } = this.#options;
    signal?.throwIfAborted();
    const beside = dirname(this.#path);
    const stem = basename(this.#path, extname(this.#path));
    const folders = images === undefined ? [beside, join(beside, 'images'), join(beside, stem)] : [images];
    for (const folder of folders) {
      const path = join(folder, fileName);
      const found = await stat(path).catch(() => undefined);
      if (found?.isFile()) return lookInto(path, signal);
    }
    return { reason: `there is no image ${fileName} in ${folders.join(', ')}` };
  }
}

/** The image, if it has the size the file says. */
function fitting(image: FoundImage, { size: { width, height } }: CocoImage): FoundImage {
  if ('reason' in image || (image.size.width === width && image.size.height === height)) return image;
  const own = `${image.size.width} x ${image.size.height}`;
  return { reason: `it says ${width} x ${height}, but the image has ${own} pixels` };
}

function compareIds(a: unknown, b: unknown): number {
  if (typeof a === 'number' && typeof b === 'number') return a - b;
  return String(a) < String(b) ? -1 : 1;
}
