import { readdir, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { describe } from '../check.js';
import type { ImageReadOptions } from '../image/types.js';
import { toCocoBoxes } from '../mask/boxes.js';
import { type ImageSize, Masks } from '../mask/masks.js';
import { type CocoEntry, cocoEntries } from './coco-file.js';
import { type CocoImage, compareIds, type Fields, isId, readCrowd, readImage } from './coco-image.js';
import { readSegmentation } from './coco-segmentation.js';
import { decodeMasks } from './decode-masks.js';
import { foreignJson, startOfText } from './foreign-forms.js';
import { type FoundImage, measureImage } from './image-folder.js';
import { similarName, stemOf, uniqueStems } from './names.js';
import { type DataProblem, dataInvalid, ProblemList } from './problems.js';
import { readJson } from './text.js';
import {
  type AnnotationOptions,
  type AnnotationSource,
  type CellAnnotations,
  type ImageAnnotations,
  type ReadAnnotations,
  typeOf,
} from './types.js';

/** Class of all cells if a file has no categories. */
const DEFAULT_CLASS = 'cell';

/**
 * Reads a COCO data set: images, categories and annotations with polygons or run lengths, compressed or not. The lists may
 * be in any order. String and number fields of an image become columns. A field with null or NaN counts as missing.
 */
export async function readCoco(path: string, options: AnnotationOptions): Promise<AnnotationSource> {
  const reader = new CocoReader(path, options);
  let hasAnnotations = false;
  for await (const entry of cocoEntries(path, options.signal)) {
    hasAnnotations ||= entry.list === 'annotations';
    reader.add(entry);
  }
  const source = reader.finish(foreignJson(await startOfText(path)));
  if (!hasAnnotations) await checkAnnotations(path, options.signal);
  return source;
}

/**
 * Refuses a file that only lists images, such as COCO's `image_info_test2017.json`: all of them would be images without
 * cells.
 */
async function checkAnnotations(path: string, signal: AbortSignal | undefined): Promise<void> {
  const content = await readJson(path, signal);
  if (Array.isArray((content as Record<string, unknown>).annotations)) return;
  throw dataInvalid(
    path,
    'it has no list annotations, so nothing is known of the cells of its images; for images without cells write an empty list',
  );
}

interface Annotation {
  place: string;
  /** COCO's compressed string. */
  counts: string;
  category: unknown;
  crowd: boolean;
  area: unknown;
  bbox: unknown;
  score: unknown;
}

/** An image with its annotations so far. */
interface Collected extends CocoImage {
  place: string;
  annotations: Annotation[];
  /** Number of invalid annotations. */
  invalid: number;
  problems: DataProblem[];
  notices: DataProblem[];
}

class CocoReader {
  readonly #path: string;
  readonly #options: AnnotationOptions;
  readonly #problems = new ProblemList();
  readonly #notices = new ProblemList();
  readonly #images = new Map<string, Collected>();
  /** Ids of listed images that cannot be used. */
  readonly #unusable = new Set<string>();
  /** Image ids of annotations for which the file lists no image. */
  readonly #orphans = new Set<string>();
  readonly #categories = new Map<string, string>();
  /** Annotations that precede their image. */
  #early: CocoEntry[] = [];

  constructor(path: string, options: AnnotationOptions) {
    this.#path = path;
    this.#options = options;
  }

  add(entry: CocoEntry): void {
    const { list, place, value } = entry;
    if (typeof value !== 'object' || value === null || Array.isArray(value)) {
      this.#problem({ column: place, reason: `expected an object, but it is ${describe(value)}` });
      return;
    }
    const fields = value as Fields;
    if (list === 'images') this.#addImage(place, fields);
    else if (list === 'categories') this.#addCategory(place, fields);
    else if (this.#imageOf(fields)) this.#addAnnotation(place, fields);
    else this.#early.push(entry);
  }

  /** @param origin description of another format that the file may have; appended to the error. */
  finish(origin: string): AnnotationSource {
    for (const { place, value } of this.#early) this.#addAnnotation(place, value as Fields);
    this.#early = [];
    const images = [...this.#images.values()].sort((a, b) => compareIds(a.id, b.id));
    if (images.length === 0) {
      const what = `it has no usable images: a COCO data set has images, categories and annotations${origin}`;
      throw dataInvalid(this.#path, what, this.#problems.list());
    }
    if (this.#categories.size === 0 && images.some(({ annotations }) => annotations.length > 0)) {
      this.#notices.add({
        file: this.#path,
        column: 'categories',
        reason: `there are no categories: all cells have the class ${DEFAULT_CLASS}`,
      });
    }
    const categories = new Map([...this.#categories].sort(([a], [b]) => compareIds(a, b)));
    const names = uniqueStems(images.map(({ fileName }) => fileName));
    const { images: folder } = this.#options;
    const files = new FileFinder(folder === undefined ? imageFoldersOf(this.#path) : [folder]);
    const ofFile = new Map<string, Collected[]>();
    for (const image of images) ofFile.set(image.fileName, [...(ofFile.get(image.fileName) ?? []), image]);
    const unique = images.flatMap((image, i) => {
      const equal = ofFile.get(image.fileName)!;
      const annotated = equal.filter((one) => !isUnannotated(one));
      if (annotated.length < 2 && image === (annotated[0] ?? equal[0])) {
        const isEmpty = isUnannotated(image);
        const lost = isEmpty && this.#mayHaveLost(image.id) ? orphanReason(this.#orphans.size) : undefined;
        return [
          new CocoImageAnnotations(this.#path, names[i]!, image, categories, this.#options, files, lost),
        ];
      }
      // Each may have a part of the cells.
      const reason =
        annotated.length < 2
          ? 'another image has this name'
          : `${annotated.length} annotated images have the name ${image.fileName}: join them, or give each its own file`;
      this.#problem({ column: image.place, id: names[i]!, reason });
      return [];
    });
    return {
      path: this.#path,
      images: unique,
      classes: 'names',
      categories,
      columns: [...new Set(images.flatMap(({ columns }) => Object.keys(columns)))],
      problems: this.#problems.list(),
      notices: this.#notices.list(),
    };
  }

  /**
   * Whether annotations with an unlisted image id may belong to this image: their ids are the same number in two notations, or
   * no annotation refers to a listed image. Otherwise the image would count as one without cells.
   */
  #mayHaveLost(id: string): boolean {
    if (this.#orphans.size === 0) return false;
    const linked = [...this.#images.values()].some(
      ({ annotations, invalid }) => annotations.length + invalid > 0,
    );
    const isNumeric = id.trim() !== '' && Number.isFinite(Number(id));
    return !linked || (isNumeric && [...this.#orphans].some((orphan) => Number(orphan) === Number(id)));
  }

  #problem(problem: Omit<DataProblem, 'file'>): void {
    this.#problems.add({ file: this.#path, ...problem });
  }

  #imageOf({ image_id }: Fields): Collected | undefined {
    return isId(image_id) ? this.#images.get(String(image_id)) : undefined;
  }

  #addImage(place: string, fields: Fields): void {
    const image = readImage(place, fields);
    if ('reason' in image) {
      this.#problem(image);
      if (isId(fields.id)) this.#unusable.add(String(fields.id));
    } else if (this.#images.has(image.id)) {
      this.#problem({ column: `${place}.id`, reason: 'another image has this id' });
    } else {
      this.#images.set(image.id, {
        ...image,
        place,
        annotations: [],
        invalid: 0,
        problems: [],
        notices: [],
      });
    }
  }

  #addCategory(place: string, { id, name }: Fields): void {
    if (!isId(id) || typeof name !== 'string' || name === '' || this.#categories.has(String(id))) {
      this.#problem({ column: place, reason: 'expected a unique id and a name' });
    } else this.#categories.set(String(id), name);
  }

  #addAnnotation(place: string, fields: Fields): void {
    const image = this.#imageOf(fields);
    if (!image) {
      if (!this.#unusable.has(String(fields.image_id))) this.#orphans.add(String(fields.image_id));
      const reason = `there is no usable image with id ${describe(fields.image_id)}`;
      this.#problem({ column: `${place}.image_id`, reason });
      return;
    }
    const { iscrowd, segmentation, category_id, area, bbox, score } = fields;
    const entry = (column: string, reason: string) => ({
      file: this.#path,
      column,
      id: stemOf(image.fileName),
      reason,
    });
    const crowd = readCrowd(iscrowd);
    if (crowd === undefined) {
      const reason = `expected 0 or 1, but it is ${describe(iscrowd)}`;
      image.problems.push(entry(`${place}.iscrowd`, reason));
      image.invalid++;
      return;
    }
    const mask = readSegmentation(segmentation, image.size);
    if ('reason' in mask) {
      image.problems.push(entry(`${place}.segmentation`, mask.reason));
      image.invalid++;
      return;
    }
    image.notices.push(...mask.notices.map((reason) => entry(`${place}.segmentation`, reason)));
    image.annotations.push({ place, counts: mask.counts, category: category_id, crowd, area, bbox, score });
  }
}

class CocoImageAnnotations implements ImageAnnotations {
  readonly name: string;
  readonly fileName: string;
  readonly cocoId: string;
  readonly place: Required<Pick<DataProblem, 'file' | 'column'>>;
  readonly size: ImageSize;
  readonly needsSize = false;
  readonly cellType?: string;
  readonly columns: Readonly<Record<string, string>>;
  readonly #collected: Collected;
  readonly #categories: ReadonlyMap<string, string>;
  readonly #options: AnnotationOptions;
  readonly #files: FileFinder;
  readonly #lost: string | undefined;

  /** @param lost the reason if an image without annotations cannot be used. */
  constructor(
    file: string,
    name: string,
    collected: Collected,
    categories: ReadonlyMap<string, string>,
    options: AnnotationOptions,
    files: FileFinder,
    lost: string | undefined,
  ) {
    this.#lost = lost;
    this.name = name;
    this.fileName = collected.fileName;
    this.cocoId = collected.id;
    this.place = { file, column: collected.place };
    this.size = collected.size;
    this.columns = collected.columns;
    Object.assign(this, typeOf(collected.columns, options));
    this.#collected = collected;
    this.#categories = categories;
    this.#options = options;
    this.#files = files;
  }

  async locate(signal?: AbortSignal, read?: ImageReadOptions): Promise<FoundImage> {
    const path = await this.#files.find(this.fileName);
    signal?.throwIfAborted();
    if (path === undefined) {
      const hint = await this.#files.similar(this.fileName);
      return { reason: `there is no image ${this.fileName} in ${this.#files.folders.join(', ')}${hint}` };
    }
    const image = await measureImage(path, signal, read);
    return 'reason' in image ? image : this.#fitting(image);
  }

  async read(): Promise<ReadAnnotations> {
    const { annotations, invalid } = this.#collected;
    const problems = [...this.#collected.problems];
    const notices = [...this.#collected.notices];
    if (this.#lost !== undefined) return { reason: this.#lost, problems, notices };
    const entry = (column: string, reason: string) => ({
      file: this.place.file,
      column,
      id: this.name,
      reason,
    });
    const { masks, kept, failures } = decodeMasks(
      annotations.map(({ counts }) => counts),
      (texts) => Masks.fromCoco(texts, this.size),
    );
    for (const [i, reason] of failures) {
      problems.push(entry(`${annotations[i]!.place}.segmentation`, reason));
    }
    const areas = masks.areas();
    const chosen: number[] = [];
    const classes: string[] = [];
    let crowds = 0;
    for (const [k, i] of kept.entries()) {
      const { place, category, crowd } = annotations[i]!;
      const name = this.#className(category);
      if (areas[k] === 0 && !this.#options.predictions) {
        problems.push(entry(`${place}.segmentation`, 'it covers no pixel'));
      } else if (name === undefined) {
        problems.push(entry(`${place}.category_id`, `there is no category with id ${describe(category)}`));
      } else {
        if (crowd) crowds++;
        chosen.push(k);
        classes.push(name);
      }
    }
    const asCells = this.#options.crowds === 'cells';
    const found = annotations.length + invalid;
    if (found > 0 && chosen.length === (asCells ? 0 : crowds)) {
      const reason =
        crowds === found
          ? ALL_CROWDS
          : `none of its annotations can be used${crowds > 0 ? EXCEPT_CROWDS : ''}`;
      return { reason, problems, notices };
    }
    const own = chosen.map((k) => annotations[kept[k]!]!);
    if (!asCells) {
      for (const { place, crowd } of own) if (crowd) notices.push(entry(place, CROWD));
    }
    const types = new Set(classes.filter((_, i) => asCells || !own[i]!.crowd));
    if (this.#options.categories === 'cell-types' && types.size > 1) {
      return { reason: `its cells have several types: ${[...types].join(', ')}`, problems, notices };
    }
    const selected = chosen.length === masks.length ? masks : masks.select(chosen);
    const cells = this.#cells(selected, own, entry, problems, notices);
    const crowd = own.map((one) => one.crowd && !asCells);
    return {
      cells: {
        ...cells,
        ...(this.#options.categories === 'cell-types' ? typeIn(types) : { classes }),
        ...(crowd.includes(true) && { crowd }),
      },
      problems,
      notices,
    };
  }

  /** Class name of a category id; undefined for an unknown id. */
  #className(id: unknown): string | undefined {
    if (this.#categories.size === 0) return DEFAULT_CLASS;
    return isId(id) ? this.#categories.get(String(id)) : undefined;
  }

  /** Areas and boxes are those of the file, as in pycocotools; if missing, those of the mask. */
  #cells(
    masks: Masks,
    annotations: readonly Annotation[],
    entry: (column: string, reason: string) => DataProblem,
    problems: DataProblem[],
    notices: DataProblem[],
  ): CellAnnotations {
    const own = { areas: masks.areas(), boxes: toCocoBoxes(masks.boxes()) };
    const areas: number[] = [];
    const boxes: number[] = [];
    for (const [i, { place, area, bbox }] of annotations.entries()) {
      if (area !== undefined && area !== null && !isNumber(area)) {
        notices.push(
          entry(
            `${place}.area`,
            `expected a number, but it is ${describe(area)}: the area of the mask is used`,
          ),
        );
      }
      areas.push(isNumber(area) ? area : own.areas[i]!);
      const isBox =
        Array.isArray(bbox) &&
        bbox.length === 4 &&
        bbox.every(isNumber) &&
        bbox.slice(2).every((side) => side >= 0);
      if (!isBox && bbox !== undefined && bbox !== null && !isEmpty(bbox)) {
        notices.push(entry(`${place}.bbox`, 'expected x, y, width and height: the box of the mask is used'));
      }
      boxes.push(...(isBox ? (bbox as number[]) : own.boxes.subarray(4 * i, 4 * i + 4)));
    }
    const scored = annotations.length > 0 && annotations.every(({ score }) => score !== undefined);
    if (!scored || !this.#options.predictions) return { masks, places: placesOf(annotations), areas, boxes };
    const scores = annotations.map(({ place, score }) => {
      if (isNumber(score)) return score;
      problems.push(entry(`${place}.score`, `expected a number, but it is ${describe(score)}`));
      return 0;
    });
    return { masks, places: placesOf(annotations), areas, boxes, scores };
  }

  /** Returns the image if its size equals that in the file. */
  #fitting(image: Exclude<FoundImage, { reason: string }>): FoundImage {
    const { width, height } = this.size;
    if (image.size.width === width && image.size.height === height) return image;
    const turned = image.size.width === height && image.size.height === width;
    const { orientation } = image;
    const tag = orientation === undefined ? '' : ` once its EXIF orientation ${orientation} is applied`;
    const hint = turned ? `${tag}; was the image turned after it was annotated?` : tag;
    const own = `${image.size.width} x ${image.size.height}`;
    return { reason: `it states ${width} x ${height}, but the image has ${own} pixels${hint}` };
  }
}

const isUnannotated = ({ annotations, invalid }: Collected): boolean => annotations.length + invalid === 0;

const CROWD = 'a crowd region (iscrowd 1) is not a single cell: skipped';
const REMEDY = "to read them as cells, set crowds to 'cells' (--crowds cells)";
const ALL_CROWDS = `all of its annotations are crowd regions (iscrowd 1), which are skipped; ${REMEDY}`;
const EXCEPT_CROWDS = `, except crowd regions (iscrowd 1); ${REMEDY}`;

const orphanReason = (count: number): string =>
  `it has no annotations, and there are annotations of ${count} image${count === 1 ? '' : 's'} that the file does not list`;

const isNumber = (value: unknown): value is number => typeof value === 'number' && Number.isFinite(value);
const isEmpty = (value: unknown): boolean => Array.isArray(value) && value.length === 0;
const placesOf = (annotations: readonly Annotation[]) => annotations.map(({ place }) => place);
const typeIn = (types: ReadonlySet<string>) => (types.size === 1 ? { cellType: [...types][0]! } : {});

/**
 * Possible folders of a COCO file's images: its own folder, `images`, or a folder with the file's name. If the file is in a
 * folder `annotations`, as in COCO and CVAT, the same is searched beside that folder, and for `instances_val.json` also
 * `val` and `images/val`.
 */
function imageFoldersOf(file: string): string[] {
  const beside = dirname(file);
  const stem = stemOf(basename(file));
  const folders = [beside, join(beside, 'images'), join(beside, stem)];
  if (basename(beside).toLowerCase() !== 'annotations') return folders;
  const above = dirname(beside);
  const subset = stem.slice(stem.indexOf('_') + 1);
  return [
    join(above, 'images'),
    join(above, 'images', subset),
    join(above, subset),
    join(above, 'images', stem),
    join(above, stem),
    above,
    ...folders,
  ];
}

/** Finds files in several folders. Each folder is listed at most once. */
class FileFinder {
  readonly folders: readonly string[];
  readonly #listed = new Map<string, Promise<string[]>>();

  constructor(folders: readonly string[]) {
    this.folders = folders;
  }

  /** Finds a file by its exact name, or by its name in Unicode's composed form. */
  async find(name: string): Promise<string | undefined> {
    for (const folder of this.folders) {
      const path = join(folder, name);
      if ((await stat(path).catch(() => undefined))?.isFile()) return path;
    }
    for (const folder of this.folders) {
      const path = await this.#search(folder, name.split('/'));
      if (path !== undefined) return path;
    }
    return undefined;
  }

  /** Hint about a file with a similar name; appended to an error. */
  async similar(name: string): Promise<string> {
    const names = (await Promise.all(this.folders.map((folder) => this.#list(folder)))).flat();
    return similarName(name, names);
  }

  async #search(folder: string, parts: readonly string[]): Promise<string | undefined> {
    const names = await this.#list(folder);
    // A name unpacked from a zip file made on Windows may contain backslashes.
    const whole = names.find((name) => name.normalize('NFC') === parts.join('\\'));
    if (whole !== undefined) return join(folder, whole);
    const [part, ...rest] = parts;
    const below = rest.length > 0 ? names.find((name) => name.normalize('NFC') === part) : undefined;
    return below === undefined ? undefined : this.#search(join(folder, below), rest);
  }

  #list(folder: string): Promise<string[]> {
    const known = this.#listed.get(folder);
    if (known) return known;
    const names = readdir(folder).catch(() => []);
    this.#listed.set(folder, names);
    return names;
  }
}
