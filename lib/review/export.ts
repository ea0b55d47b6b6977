import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { uniqueStems } from '../annotations/names.js';
import { refuse } from '../check.js';
import type { CocoDataset } from '../export/coco-json.js';
import { labelPng } from '../export/label-png.js';
import { csvLine } from '../export/text.js';
import { cannotWrite } from '../file-errors.js';
import { Cells } from '../inference/cells.js';
import { boxArray, toCocoBoxes } from '../mask/boxes.js';
import { hashOf, type Outputs } from '../outputs.js';
import { copyAtomically, makeFolder } from '../weights/atomic.js';
import type { ClassedCells } from './edits.js';
import type { REVIEW_FORMATS } from './options.js';

/** An image of the corrected data set. */
export interface CorrectedImage extends ClassedCells {
  /** File name in `images`. */
  file: string;
  /** Path of the image that is copied. */
  path: string;
  cellType: string | undefined;
}

/** Writes the reviewed images as a data set. */
export interface CorrectedWriter {
  /**
   * Writes all reviewed images.
   *
   * @param images in the order of their names.
   * @param changed which of them changed since the last call.
   * @throws {CellrouteError} FILE_UNWRITABLE
   */
  write(images: readonly CorrectedImage[], changed: ReadonlySet<string>): Promise<void>;
}

export interface WriterOptions {
  out: string;
  outputs: Outputs;
  classes: readonly string[];
  /** File names of all images of the review. */
  files: readonly string[];
  force: boolean;
}

/** @throws {CellrouteError} INVALID_ARGUMENT for label images of several classes. */
export function correctedWriter(
  format: (typeof REVIEW_FORMATS)[number],
  options: WriterOptions,
): CorrectedWriter {
  if (format === 'coco') return new CocoWriter(options);
  const { classes } = options;
  if (classes.length > 1) {
    throw refuse('format', `'coco' for cells of several classes (${classes.join(', ')})`, format);
  }
  return new LabelWriter(options);
}

/** The folder `images`. Its files have no manifest: they are not results, and may be segmented again. */
class ImageCopies {
  readonly #folder: string;
  readonly #force: boolean;
  readonly #copied = new Set<string>();

  constructor({ out, force }: WriterOptions) {
    this.#folder = join(out, 'images');
    this.#force = force;
  }

  async add({ file, path }: CorrectedImage): Promise<void> {
    if (this.#copied.has(file)) return;
    await makeFolder(this.#folder);
    const copy = join(this.#folder, file);
    const isThere = (await stat(copy).catch(() => undefined)) !== undefined;
    const isSame = isThere && (await hashOf(copy)) === (await hashOf(path));
    if (isThere && !isSame && !this.#force) {
      throw cannotWrite(
        copy,
        `it differs from ${path}: write elsewhere, or overwrite it with force: true (--force)`,
      );
    }
    if (!isSame) await copyAtomically(path, copy);
    this.#copied.add(file);
  }
}

type Annotation = Omit<CocoDataset['annotations'][number], 'score'>;

/** `coco.json`, with the cell type as a field of each image. */
class CocoWriter implements CorrectedWriter {
  readonly #options: WriterOptions;
  readonly #copies: ImageCopies;

  constructor(options: WriterOptions) {
    this.#options = options;
    this.#copies = new ImageCopies(options);
  }

  async write(images: readonly CorrectedImage[]): Promise<void> {
    for (const image of images) await this.#copies.add(image);
    const { out, outputs, classes } = this.#options;
    await outputs.write(join(out, 'coco.json'), cocoText(images, classes));
  }
}

/** A data set that pycocotools reads, image by image. */
function* cocoText(
  images: readonly CorrectedImage[],
  classes: readonly string[],
): Generator<string, void, undefined> {
  const info = { description: 'Cells reviewed with cellroute' };
  const categories = classes.map((name, i) => ({ id: i + 1, name }));
  const entries = images.map(({ file, masks, cellType }, i) => ({
    id: i + 1,
    file_name: file,
    width: masks.width,
    height: masks.height,
    ...(cellType !== undefined && { cell_type: cellType }),
  }));
  const head = JSON.stringify({ info, categories, images: entries });
  yield `${head.slice(0, -1)},"annotations":[`;
  let id = 0;
  for (const [i, { masks, classes: names }] of images.entries()) {
    const areas = masks.areas();
    const boxes = toCocoBoxes(masks.boxes());
    const texts = masks.toCoco().map((counts, k) => {
      const annotation: Annotation = {
        id: ++id,
        image_id: i + 1,
        category_id: classes.indexOf(names[k]!) + 1,
        segmentation: { size: [masks.height, masks.width], counts },
        bbox: Array.from(boxes.subarray(4 * k, 4 * k + 4)) as Annotation['bbox'],
        area: areas[k]!,
        iscrowd: 0,
      };
      return `${id > 1 ? ',' : ''}\n${JSON.stringify(annotation)}`;
    });
    yield texts.join('');
  }
  yield '\n]}\n';
}

/** `labels/NAME.png` per image, and `index.csv` with the reviewed images and their cell types. */
class LabelWriter implements CorrectedWriter {
  readonly #options: WriterOptions;
  readonly #copies: ImageCopies;
  readonly #ids: ReadonlyMap<string, string>;
  readonly #written = new Set<string>();

  constructor(options: WriterOptions) {
    this.#options = options;
    this.#copies = new ImageCopies(options);
    const stems = uniqueStems(options.files);
    this.#ids = new Map(options.files.map((file, i) => [file, stems[i]!]));
  }

  async write(images: readonly CorrectedImage[], changed: ReadonlySet<string>): Promise<void> {
    const { out, outputs } = this.#options;
    for (const image of images) {
      await this.#copies.add(image);
      if (this.#written.has(image.file) && !changed.has(image.file)) continue;
      await outputs.write(join(out, 'labels', `${this.#ids.get(image.file)}.png`), await labelsOf(image));
      this.#written.add(image.file);
    }
    const rows = images.map(({ file, cellType }) => csvLine([this.#ids.get(file)!, cellType ?? '']));
    await outputs.write(join(out, 'index.csv'), [csvLine(['id', 'cell_type']), ...rows]);
  }
}

/** Later cells are on top, as they are drawn: an outline that a person drew stays complete. */
function labelsOf({ masks }: CorrectedImage): Promise<Buffer> {
  const count = masks.length;
  const reversed = masks.select(Array.from({ length: count }, (_, i) => count - 1 - i));
  return labelPng({
    width: masks.width,
    height: masks.height,
    scale: 1,
    limitsReached: { detections: false, proposals: false },
    cells: new Cells({
      boxes: boxArray(Float32Array.from(reversed.boxes())),
      scores: new Float32Array(count).fill(1),
      labels: new Int32Array(count).fill(1),
      areas: reversed.areas(),
      masks: reversed,
    }),
  });
}
