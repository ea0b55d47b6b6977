import { checkBoolean, checkNumber, checkObject, checkOptions, refuse } from '../check.js';
import { type Box, toCocoBoxes } from '../mask/boxes.js';
import { cellBlocks } from './blocks.js';
import { cellTypeOf, type NamedResult, streamOf, type TextWriter, textOf } from './named.js';
import { shortest } from './text.js';

/** Run-length encoding of a mask in COCO files. */
export interface CocoSegmentation {
  /** Height, width. */
  size: [number, number];
  /** COCO's compressed string. */
  counts: string;
}

/** One prediction in a COCO results file. */
export interface CocoDetection {
  image_id: number | string;
  category_id: number;
  segmentation: CocoSegmentation;
  /** x, y, width, height of the detected box, in pixels. */
  bbox: [number, number, number, number];
  score: number;
  /** Area of the mask in pixels. */
  area: number;
}

/** Content of a COCO data set file. */
export interface CocoDataset {
  info: { description: string };
  images: { id: number; file_name: string; width: number; height: number }[];
  categories: { id: number; name: string }[];
  annotations: {
    id: number;
    image_id: number;
    category_id: number;
    segmentation: CocoSegmentation;
    /** Bounding box of the mask: x, y, width, height. */
    bbox: [number, number, number, number];
    area: number;
    iscrowd: 0;
    score: number;
  }[];
}

/** One prediction in a COCO results file. */
export interface CocoResult extends Omit<NamedResult, 'id'> {
  /** Id of the image in the ground truth. */
  id: number | string;
}

/** Options of {@link cocoResultsJson} and {@link cocoDatasetJson}. */
export interface CocoOptions {
  /**
   * Category id per category name. A category is the predicted cell type, or `cell` without a router. For labels above 1,
   * the label is appended (`astro 2`).
   */
  categories?: Readonly<Record<string, number>> | undefined;
}

/** Options of {@link cocoResultsJson}. */
export interface CocoResultsOptions extends CocoOptions {
  /** Whether detections have a `bbox`. Default true. */
  boxes?: boolean | undefined;
}

/**
 * Creates a list of COCO results for pycocotools' `loadRes`. Without `categories`, the category of a cell is its label.
 *
 * pycocotools takes a detection's area from `bbox` if there is one, which changes the size class (small, medium, large) of
 * some cells. With `boxes: false`, areas are those of the masks.
 *
 * @throws {CellrouteError} INVALID_ARGUMENT, also for a category without an id in `categories`.
 */
export function cocoResultsJson(images: Iterable<CocoResult>, options: CocoResultsOptions = {}): string {
  return textOf(images, detectionList(options));
}

/**
 * {@link cocoResultsJson} as a stream: pieces of text, for `stream.Readable.from` or a file.
 *
 * @throws {CellrouteError} as {@link cocoResultsJson}; the iteration throws what `images` throw.
 */
export function streamCocoResults(
  images: Iterable<CocoResult> | AsyncIterable<CocoResult>,
  options: CocoResultsOptions = {},
): AsyncGenerator<string, void, undefined> {
  return streamOf(images, detectionList(options));
}

/**
 * Creates a COCO data set. Images are numbered from 1 in the order of the input, with ids as file names. Categories are
 * `categories`, or the occurring ones, numbered from 1. Scores are an additional field that COCO tools ignore.
 *
 * @throws {CellrouteError} INVALID_ARGUMENT, also for a category without an id in `categories`.
 */
export function cocoDatasetJson(images: Iterable<NamedResult>, options: CocoOptions = {}): string {
  return textOf(images, dataset(options));
}

/**
 * {@link cocoDatasetJson} as a stream: pieces of text, for `stream.Readable.from` or a file.
 *
 * @throws {CellrouteError} as {@link cocoDatasetJson}; the iteration throws what `images` throw.
 */
export function streamCocoDataset(
  images: Iterable<NamedResult> | AsyncIterable<NamedResult>,
  options: CocoOptions = {},
): AsyncGenerator<string, void, undefined> {
  return streamOf(images, dataset(options));
}

function detectionList(options: CocoResultsOptions): TextWriter<CocoResult> {
  checkOptions(options, ['categories', 'boxes']);
  const { categories } = options;
  const boxes = checkBoolean('boxes', options.boxes ?? true);
  checkCategories(categories);
  const separator = separators();
  return {
    begin: () => '[',
    *add({ id, result }) {
      const { height, width } = result;
      for (const { cells, masks } of cellBlocks(result.cells)) {
        const counts = masks.toCoco();
        const texts = cells.map(({ box, score, label, area }, i) => {
          const detection: Partial<CocoDetection> = {
            image_id: id,
            category_id: categories ? idOf(categories, categoryName(result, label)) : label,
            segmentation: { size: [height, width], counts: counts[i]! },
            ...(boxes && { bbox: cocoBox(box) }),
            score: shortest(score),
            area,
          };
          return `${separator()}${JSON.stringify(detection)}`;
        });
        yield texts.join('');
      }
    },
    end: () => ']',
  };
}

/** Annotations come first, because the lists of images and categories are complete only at the end. */
function dataset(options: CocoOptions): TextWriter<NamedResult> {
  checkOptions(options, ['categories']);
  const { categories } = options;
  checkCategories(categories);
  const ids: Record<string, number> = { ...categories };
  const images: CocoDataset['images'] = [];
  let annotations = 0;
  const separator = separators();
  return {
    begin: () => `{"info":${JSON.stringify({ description: 'Cells found by cellroute' })},"annotations":[`,
    *add({ id, result }) {
      const { height, width } = result;
      const image_id = images.length + 1;
      images.push({ id: image_id, file_name: id, width, height });
      for (const { cells, masks } of cellBlocks(result.cells)) {
        const counts = masks.toCoco();
        const boxes = toCocoBoxes(masks.boxes());
        const texts = cells.map(({ score, label, area }, i) => {
          const name = categoryName(result, label);
          if (!categories) ids[name] ??= Object.keys(ids).length + 1;
          const annotation: CocoDataset['annotations'][number] = {
            id: ++annotations,
            image_id,
            category_id: idOf(ids, name),
            segmentation: { size: [height, width], counts: counts[i]! },
            bbox: Array.from(boxes.subarray(4 * i, 4 * i + 4)) as [number, number, number, number],
            area,
            iscrowd: 0,
            score: shortest(score),
          };
          return `${separator()}${JSON.stringify(annotation)}`;
        });
        yield texts.join('');
      }
    },
    end() {
      const named = Object.entries(ids).map(([name, id]) => ({ id, name }));
      return `],"images":${JSON.stringify(images)},"categories":${JSON.stringify(named)}}`;
    },
  };
}

/** Returns a comma before each entry of a list except the first. */
function separators(): () => string {
  let isFirst = true;
  return () => {
    const text = isFirst ? '' : ',';
    isFirst = false;
    return text;
  };
}

function checkCategories(categories: CocoOptions['categories']): void {
  if (categories === undefined) return;
  for (const [name, id] of Object.entries(checkObject('categories', categories))) {
    checkNumber(`categories.${name}`, id, { integer: true });
  }
}

/** x, y, width, height as shortest decimals. */
function cocoBox(box: Box): CocoDetection['bbox'] {
  const [x1, y1, x2, y2] = [box.x1, box.y1, box.x2, box.y2].map(shortest) as CocoDetection['bbox'];
  return [x1, y1, shortest(x2 - x1), shortest(y2 - y1)];
}

function categoryName(result: NamedResult['result'], label: number): string {
  const type = cellTypeOf(result) ?? 'cell';
  return label === 1 ? type : `${type} ${label}`;
}

function idOf(categories: Readonly<Record<string, number>>, name: string): number {
  const id = Object.hasOwn(categories, name) ? categories[name] : undefined;
  if (id === undefined) throw refuse(`categories['${name}']`, 'an id for every category that occurs', id);
  return id;
}
