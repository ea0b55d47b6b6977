import { posix } from 'node:path';
import { withoutImageEnding } from '../../annotations/names.js';
import { type DataProblem, dataInvalid, ProblemList, problemLine } from '../../annotations/problems.js';
import type { AnnotationSource, CellAnnotations, ImageAnnotations } from '../../annotations/types.js';
import { defined } from '../../defined.js';
import { fromCocoBoxes } from '../../mask/boxes.js';
import type { ImageSize, Masks } from '../../mask/masks.js';
import type { EvaluatedImage } from '../types.js';

/** Options for pairing predictions with ground truth. */
export interface PairOptions {
  /** Skips images without a prediction. By default their cells count as missed. */
  onlyPredicted?: boolean | undefined;
  /** Treats all cells as one class. */
  ignoreClasses?: boolean | undefined;
  /** Uses only images whose columns have these values. */
  where?: Readonly<Record<string, string>> | undefined;
}

/** Images with ground truth and predictions, read by {@link pairFiles}. */
export interface PairedImages {
  images: EvaluatedImage[];
  /** Class name of each label; present only if classes are compared. */
  classNames?: ReadonlyMap<number, string>;
  /** Messages about skipped entries and assumptions. */
  notices: string[];
}

/** A usable image of the ground truth, and its prediction, if there is one. */
interface Pair {
  image: ImageAnnotations;
  groundTruth: CellAnnotations;
  prediction: CellAnnotations | undefined;
}

/** Matches predictions to ground truth by name or COCO id, in the order of the ground truth's images. */
export async function pairAnnotations(
  groundTruth: AnnotationSource,
  predicted: AnnotationSource,
  options: PairOptions & { strict?: boolean | undefined; signal?: AbortSignal | undefined },
): Promise<PairedImages> {
  const notices: string[] = [];
  const selected = groundTruth.images.filter(({ columns }) =>
    Object.entries(options.where ?? {}).every(([name, value]) => columns[name] === value),
  );
  if (selected.length === 0 && groundTruth.images.length > 0) {
    throw dataInvalid(groundTruth.path, 'no image has the requested values in its columns');
  }
  const predictions = predictionsOf(selected, groundTruth, predicted, notices);
  const chosen = options.onlyPredicted ? selected.filter((image) => predictions.has(image)) : selected;
  const { pairs, messages } = await readPairs(groundTruth, chosen, predictions, predicted, options);
  notices.push(...messages);
  const withoutPrediction = pairs.filter(({ image }) => !predictions.has(image));
  if (withoutPrediction.length > 0) {
    const names = listed(withoutPrediction.map(({ image }) => image.name));
    notices.push(
      `${withoutPrediction.length} of ${pairs.length} images have no prediction, and all of their cells count as missed: ${names}`,
    );
  }
  const labels = labelsOf(groundTruth, predicted, pairs, options, notices);
  const images = pairs.map((pair) => evaluatedImage(pair, labels));
  if (images.every(({ predicted: { length } }) => length === 0)) {
    notices.push('There are no predicted cells.');
  } else if (!pairs.some(({ prediction }) => prediction?.scores)) {
    notices.push(
      'The predictions have no scores. AP uses their order: the first of an image counts as the best.',
    );
  }
  return { images, notices, ...(labels && { classNames: labels.names }) };
}

/** Finds the prediction of each image. */
function predictionsOf(
  images: readonly ImageAnnotations[],
  groundTruth: AnnotationSource,
  predicted: AnnotationSource,
  notices: string[],
): Map<ImageAnnotations, ImageAnnotations> {
  const whole = ({ fileName }: ImageAnnotations) => fileName;
  const name = (image: ImageAnnotations) => image.name;
  // Tried in this order: file name with folders, name without extension, base name, base name without extension. In a table,
  // `b.tif` is the name of `b.tif.tif` without extension, and not the file `b.tif` that is `b` there.
  const keys = [
    ...([groundTruth, predicted].every(hasFileNames) ? [whole, name] : [name, whole]),
    ({ fileName }: ImageAnnotations) => posix.basename(fileName),
    ({ fileName }: ImageAnnotations) => lastPart(fileName),
  ];
  const indices = keys.map((key) => uniqueBy(images, key));
  const byId = uniqueBy(images, ({ cocoId }) => cocoId);
  const predictions = new Map<ImageAnnotations, ImageAnnotations>();
  const unmatched: ImageAnnotations[] = [];
  for (const prediction of predicted.images) {
    // Ids identify images only in a list of COCO results. Other files number their images independently.
    const byNumber = predicted.classes === 'ids' ? byId.get(prediction.cocoId ?? '') : undefined;
    const own = byNumber ?? firstOf(keys, (key, i) => indices[i]!.get(key(prediction)));
    if (!own) {
      unmatched.push(prediction);
    } else if (predictions.has(own)) {
      throw dataInvalid(predicted.path, `image ${own.name} has two predictions`);
    } else {
      predictions.set(own, prediction);
    }
  }
  const names = unmatched.map(({ name }) => name);
  if (predictions.size === 0 && unmatched.length > 0) {
    throw dataInvalid(
      predicted.path,
      `none of its images (${listed(names)}) is an image of ${groundTruth.path} (${listed(images.map(({ name }) => name))})`,
    );
  }
  if (unmatched.length > 0) {
    notices.push(
      `${unmatched.length} predicted images have no ground truth and are skipped: ${listed(names)}`,
    );
  }
  return predictions;
}

/** Whether a source has file names, and not only names without extension. */
const hasFileNames = ({ images }: AnnotationSource): boolean =>
  images.some(({ fileName, name }) => fileName !== name);

/** Maps keys to images. A key of several images maps to undefined. */
function uniqueBy(
  images: readonly ImageAnnotations[],
  keyOf: (image: ImageAnnotations) => string | undefined,
): Map<string, ImageAnnotations | undefined> {
  const found = new Map<string, ImageAnnotations | undefined>();
  for (const image of images) {
    const key = keyOf(image);
    if (key !== undefined) found.set(key, found.has(key) ? undefined : image);
  }
  return found;
}

function firstOf<T, R>(
  values: readonly T[],
  find: (value: T, index: number) => R | undefined,
): R | undefined {
  for (const [i, value] of values.entries()) {
    const found = find(value, i);
    if (found !== undefined) return found;
  }
  return undefined;
}

async function readPairs(
  source: AnnotationSource,
  images: readonly ImageAnnotations[],
  predictions: ReadonlyMap<ImageAnnotations, ImageAnnotations>,
  predicted: AnnotationSource,
  { strict = false, signal }: { strict?: boolean | undefined; signal?: AbortSignal | undefined },
): Promise<{ pairs: Pair[]; messages: string[] }> {
  const problems = new ProblemList();
  const noticed = new ProblemList();
  problems.add(...source.problems);
  noticed.add(...source.notices, ...predicted.notices);
  const pairs: Pair[] = [];
  for (const image of images) {
    signal?.throwIfAborted();
    const prediction = predictions.get(image);
    const size = image.needsSize ? await sizeFor(image, prediction, signal) : image.size;
    const groundTruth = await image.read(size, signal);
    problems.add(...groundTruth.problems);
    noticed.add(...groundTruth.notices);
    if (!groundTruth.cells) {
      problems.add({ ...image.place, id: image.name, reason: groundTruth.reason });
      continue;
    }
    const { masks } = groundTruth.cells;
    pairs.push({
      image,
      groundTruth: groundTruth.cells,
      prediction: prediction && (await readPrediction(source, image, prediction, masks, noticed)),
    });
  }
  const unusable = problems.list();
  if (pairs.length === 0) throw dataInvalid(source.path, 'no image can be used', unusable);
  if (strict && unusable.length > 0)
    throw dataInvalid(source.path, 'some images or annotations cannot be used', unusable);
  return {
    pairs,
    messages: [
      ...summarised(unusable, 'rows or images of the ground truth cannot be used and are skipped'),
      ...summarised(noticed.list(), 'annotations were skipped or changed'),
    ],
  };
}

const MAX_LISTED = 20;

function summarised(entries: readonly DataProblem[], what: string): string[] {
  if (entries.length === 0) return [];
  const lines = entries.slice(0, MAX_LISTED).map((entry) => `- ${problemLine(entry)}`);
  if (entries.length > MAX_LISTED) lines.push(`- and ${entries.length - MAX_LISTED} more`);
  return [[`${entries.length} ${what}:`, ...lines].join('\n')];
}

/** @throws {CellrouteError} DATA_INVALID for predictions that cannot be used. */
async function readPrediction(
  source: AnnotationSource,
  image: ImageAnnotations,
  prediction: ImageAnnotations,
  { width, height }: Masks,
  noticed: ProblemList,
): Promise<CellAnnotations> {
  const own = prediction.size;
  if (own && (own.width !== width || own.height !== height)) {
    throw dataInvalid(
      source.path,
      `image ${image.name} has ${width} x ${height} pixels, but its prediction has ${own.width} x ${own.height}`,
    );
  }
  const { cells, problems, notices, reason } = await prediction.read({ width, height });
  const wrong = [...problems, ...(cells ? [] : [{ ...prediction.place, id: prediction.name, reason }])];
  if (wrong.length > 0 || !cells) {
    throw dataInvalid(prediction.place.file, 'predictions must be complete', wrong);
  }
  noticed.add(...notices);
  return cells;
}

/** Size of an image whose annotations do not state it: from its prediction or its file. */
async function sizeFor(
  image: ImageAnnotations,
  prediction: ImageAnnotations | undefined,
  signal: AbortSignal | undefined,
): Promise<ImageSize> {
  if (prediction?.size) return prediction.size;
  const file = await image.locate(signal).catch(() => undefined);
  if (file && 'size' in file) return file.size;
  throw dataInvalid(
    image.place.file,
    `image ${image.name} has no width and height: add columns with these names, or put the images beside the table`,
  );
}

interface Labels {
  groundTruth: (name: string) => number;
  predicted: (name: string) => number;
  names: ReadonlyMap<number, string>;
}

/** Class numbers for both sources; undefined if classes cannot be compared or there is only one. */
function labelsOf(
  groundTruth: AnnotationSource,
  predicted: AnnotationSource,
  pairs: readonly Pair[],
  { ignoreClasses = false }: PairOptions,
  notices: string[],
): Labels | undefined {
  const { categories } = groundTruth;
  const areClasses = pairs.every(({ groundTruth: { classes, masks } }) => classes || masks.length === 0);
  if (ignoreClasses || !areClasses || !categories || categories.size < 2) return undefined;
  if (predicted.classes === 'none') return undefined;
  const label = new Map<string, number>();
  for (const name of categories.values()) if (!label.has(name)) label.set(name, label.size + 1);
  const nameOf = (own: string) => (predicted.classes === 'ids' ? categories.get(own) : undefined) ?? own;
  const number = (name: string) => {
    const found = label.get(name) ?? label.size + 1;
    label.set(name, found);
    return found;
  };
  const foreign = new Set(pairs.flatMap(({ prediction }) => (prediction?.classes ?? []).map(nameOf)));
  const known = [...foreign].filter((name) => label.has(name));
  if (foreign.size > 0 && known.length === 0) {
    notices.push(
      `Classes are not compared: no predicted class (${[...foreign].slice(0, 5).join(', ')}) is a class of the ground truth (${[...label.keys()].slice(0, 5).join(', ')}).`,
    );
    return undefined;
  }
  for (const name of foreign) number(name);
  return {
    groundTruth: number,
    predicted: (own) => number(nameOf(own)),
    names: new Map([...label].map(([name, k]) => [k, name])),
  };
}

function evaluatedImage(
  { image, groundTruth, prediction }: Pair,
  labels: Labels | undefined,
): EvaluatedImage {
  const { masks, crowd, boxes: groundTruthBoxes, areas: groundTruthAreas } = groundTruth;
  const predicted = prediction?.masks ?? masks.select([]);
  const cellType = groundTruth.cellType ?? image.cellType;
  return {
    id: image.name,
    groundTruth: masks,
    ...defined({
      cellType,
      crowd,
      groundTruthBoxes: groundTruthBoxes && fromCocoBoxes(groundTruthBoxes),
      groundTruthAreas,
    }),
    predicted,
    scores: prediction?.scores ?? new Float64Array(predicted.length).fill(1),
    ...defined({ boxes: prediction?.boxes && fromCocoBoxes(prediction.boxes), areas: prediction?.areas }),
    ...(labels && {
      groundTruthLabels: (groundTruth.classes ?? []).map(labels.groundTruth),
      labels: (prediction?.classes ?? []).map(labels.predicted),
    }),
  };
}

/** Base name without the extension of an image format. */
function lastPart(name: string): string {
  return withoutImageEnding(posix.basename(name));
}

function listed(names: readonly string[]): string {
  return names.length > 3 ? `${names.slice(0, 3).join(', ')}, …` : names.join(', ');
}
