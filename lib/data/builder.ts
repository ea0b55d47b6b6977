import type { FoundImage } from '../annotations/image-folder.js';
import { dataInvalid, ProblemList } from '../annotations/problems.js';
import type {
  AnnotationSource,
  CellAnnotations,
  ImageAnnotations,
  ReadAnnotations,
} from '../annotations/types.js';
import { defined } from '../defined.js';
import { readImageFile } from '../image/companions.js';
import { decodeImage } from '../image/decode.js';
import { readOptionsIn } from '../image/select.js';
import { Dataset } from './dataset.js';
import type { OpenDatasetOptions } from './options.js';
import type { DatasetItem } from './types.js';

/** Columns that describe the image file, not the image. */
const SIZE_COLUMNS = ['width', 'height'];

/** Collects the usable images of a source, and the reasons for all others. */
export class DatasetBuilder {
  readonly #source: AnnotationSource;
  readonly #options: OpenDatasetOptions;
  readonly #classNames: readonly string[];
  readonly #problems = new ProblemList();
  readonly #notices = new ProblemList();
  readonly #items: DatasetItem[] = [];

  /** @throws {CellrouteError} DATA_INVALID if the column of the cell type is missing. */
  constructor(source: AnnotationSource, options: OpenDatasetOptions) {
    this.#source = source;
    this.#options = options;
    this.#classNames = classNamesOf(source, options);
    this.#problems.add(...source.problems);
    this.#notices.add(...source.notices);
    const wanted = options.cellTypeColumn === undefined ? undefined : [options.cellTypeColumn].flat();
    if (wanted && !wanted.some((name) => source.columns.includes(name))) {
      const { path, columns } = source;
      throw dataInvalid(
        path,
        `there is no column ${wanted.join(' or ')} for the cell type; there are ${columns.join(', ') || 'none'}`,
      );
    }
  }

  /** Records an image that cannot be used. */
  skip({ place, name }: ImageAnnotations, reason: string): void {
    this.#problems.add({ ...place, id: name, reason });
  }

  /** @param file image file, with notices about parts that are not read. */
  add(
    image: ImageAnnotations,
    file: Exclude<FoundImage, { reason: string }>,
    { problems, notices, cells, reason }: ReadAnnotations,
  ): void {
    this.#problems.add(...problems);
    const { path } = file;
    const unread = [...file.notices, ...orientationNotice(file)];
    this.#notices.add(...unread.map((what) => ({ file: path, id: image.name, reason: what })), ...notices);
    if (!cells) {
      this.skip(image, reason);
      return;
    }
    const { kept, labels } = this.#labelled(image, cells);
    if (kept.length === 0 && cells.masks.length > 0) {
      this.skip(image, 'none of its annotations can be used');
      return;
    }
    // If the caller selects a page or a channel, all readers must use the same.
    const read = readOptionsIn(this.#options);
    const chosen = Object.keys(read).length > 0;
    const masks = kept.length === cells.masks.length ? cells.masks : cells.masks.select(kept);
    const { name: id, columns } = image;
    const type = this.#options.categories === 'cell-types' ? cells.cellType : image.cellType;
    this.#items.push({
      id,
      cellType: type,
      columns: Object.fromEntries(Object.entries(columns).filter(([name]) => !this.#isOfFile(name))),
      width: masks.width,
      height: masks.height,
      cells: masks.length,
      ...(this.#source.typesOnly && { typeOnly: true }),
      areas: masks.areas(),
      ...defined({ scale: this.#options.scale }),
      async load({ signal } = {}) {
        const bytes = await readImageFile(path, signal);
        const decoded = chosen ? await decodeImage(bytes, { ...read, signal }) : bytes;
        return { image: decoded, masks, labels: labels.slice() };
      },
    });
  }

  /** @throws {CellrouteError} DATA_INVALID if no image can be used; with `strict`, if anything cannot be used. */
  dataset(): Dataset {
    const { path } = this.#source;
    const problems = this.#problems.list();
    if (this.#items.length === 0) throw dataInvalid(path, 'no image can be used', problems);
    if (this.#options.strict && problems.length > 0) {
      throw dataInvalid(path, 'some images or annotations cannot be used', problems);
    }
    return new Dataset(this.#items, {
      classNames: this.#classNames,
      problems,
      notices: this.#notices.list(),
    });
  }

  /** Single cells of the selected classes, and their labels. */
  #labelled(image: ImageAnnotations, { masks, crowd, classes, places }: CellAnnotations) {
    const kept: number[] = [];
    const labels: number[] = [];
    for (let i = 0; i < masks.length; i++) {
      if (crowd?.[i]) continue;
      const label = classes ? this.#classNames.indexOf(classes[i]!) + 1 : 1;
      if (label === 0) {
        const column = `${places![i]}.category_id`;
        const reason = `its category ${classes![i]} is not in classNames`;
        this.#problems.add({ file: image.place.file, column, id: image.name, reason });
        continue;
      }
      kept.push(i);
      labels.push(label);
    }
    return { kept, labels: Int32Array.from(labels) };
  }

  #isOfFile(column: string): boolean {
    return this.#source.classes === 'none' && SIZE_COLUMNS.includes(column);
  }
}

/** For an orientation that keeps the size, annotations drawn on the stored image cannot be distinguished from others. */
function orientationNotice({ orientation = 1, size }: Exclude<FoundImage, { reason: string }>): string[] {
  const keepsSize = orientation <= 4 || size.width === size.height;
  return orientation === 1 || !keepsSize
    ? []
    : [`its EXIF orientation ${orientation} is applied: annotations have to be those of the upright image`];
}

function classNamesOf({ categories }: AnnotationSource, options: OpenDatasetOptions): readonly string[] {
  const names = options.categories === 'cell-types' ? [] : [...new Set(categories?.values() ?? [])];
  return options.classNames ?? (names.length > 0 ? names : ['cell']);
}
