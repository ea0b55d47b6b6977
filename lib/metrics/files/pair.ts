import { posix } from 'node:path';
import { stemOf } from '../../annotations/names.js';
import { type DataProblem, dataInvalid, ProblemList, problemLine } from '../../annotations/problems.js';
import type { AnnotationSource, CellAnnotations, ImageAnnotations } from '../../annotations/types.js';
import { defined } from '../../defined.js';
import { imageEndings } from '../../image/format.js';
import { fromCocoBoxes } from '../../mask/boxes.js';
import type { ImageSize, Masks } from '../../mask/masks.js';
import type { EvaluatedImage } from '../types.js';

/** Options for pairing predictions with ground truth. */
export interface PairOptions {
  /** Leaves out images that the predictions do not mention, whose cells would count as missed. */
  onlyPredicted?: boolean | undefined;
  /** Takes all cells for one class. */
  ignoreClasses?: boolean | undefined;
  /** Only images whose columns have these values. */
  where?: Readonly<Record<string, string>> | undefined;
}

/** Images with ground truth and predictions, read by {@link pairFiles}. */
export interface PairedImages {
  images: EvaluatedImage[];
  /** Class of label k; only where classes are compared. */
  classNames?: ReadonlyMap<number, string>;
  /** What a reader of the numbers should know. */
  notices: string[];
}

/** An image of the ground truth that can be used, and its prediction, if there is one. */
interface Pair {
  image: ImageAnnotations;
  truth: CellAnnotations;
  answer: CellAnnotations | undefined;
}

/** Brings predictions to their ground truth, by name or by COCO's id, in the order of the ground truth's images. */
export async function pairAnnotations(
  truth: AnnotationSource,
  predicted: AnnotationSource,
  options: PairOptions & { strict?: boolean | undefined; signal?: AbortSignal | undefined },
): Promise<PairedImages> {
  const notices: string[] = [];
  const wanted = truth.images.filter(({ columns }) =>
    Object.entries(options.where ?? {}).every(([name, value]) => columns[name] === value),
  );
  if (wanted.length === 0 && truth.images.length > 0) {
    throw dataInvalid(truth.path, 'no image in it has the columns asked for');
  }
  const answers = answersOf(wanted, truth, predicted, notices);
  const chosen = options.onlyPredicted ? wanted.filter((image) => answers.has(image)) : wanted;
  const { pairs, messages } = await readPairs(truth, chosen, answers, predicted, options);
  notices.push(...messages);
  const silent = pairs.filter(({ image }) => !answers.has(image));
  if (silent.length > 0) {
    const names = listed(silent.map(({ image }) => image.name));
    notices.push(
      `${silent.length} of ${pairs.length} images have no prediction, and all of their cells count as missed: ${names}`,
    );
  }
  const labels = labelsOf(truth, predicted, pairs, options, notices);
  const images = pairs.map((pair) => evaluatedImage(pair, labels));
  if (images.every(({ predicted: { length } }) => length === 0)) {
    notices.push('There is not a single predicted cell.');
  } else if (!pairs.some(({ answer }) => answer?.scores)) {
    notices.push(
      'The predictions have no scores: for AP their order counts, the first of an image as the best.',
    );
  }
  return { images, notices, ...(labels && { classNames: labels.names }) };
}

/** The prediction of each image. */
function answersOf(
  images: readonly ImageAnnotations[],
  truth: AnnotationSource,
  predicted: AnnotationSource,
  notices: string[],
): Map<ImageAnnotations, ImageAnnotations> {
  // By the most of a name that both state: with folders and ending, without ending, without folders, without either.
  const keys = [
    ({ fileName }: ImageAnnotations) => fileName,
    ({ name }: ImageAnnotations) => name,
    ({ fileName }: ImageAnnotations) => posix.basename(fileName),
    ({ fileName }: ImageAnnotations) => lastPart(fileName),
  ];
  const indices = keys.map((key) => uniqueBy(images, key));
  const byId = uniqueBy(images, ({ cocoId }) => cocoId);
  const answers = new Map<ImageAnnotations, ImageAnnotations>();
  const unmatched: ImageAnnotations[] = [];
  for (const answer of predicted.images) {
    // A list of results has only ids; other files number their images each in its own way.
    const byNumber = predicted.classes === 'ids' ? byId.get(answer.cocoId ?? '') : undefined;
    const own = byNumber ?? firstOf(keys, (key, i) => indices[i]!.get(key(answer)));
    if (!own) {
      unmatched.push(answer);
    } else if (answers.has(own)) {
      throw dataInvalid(predicted.path, `there are two predictions for image ${own.name}`);
    } else {
      answers.set(own, answer);
    }
  }
  const names = unmatched.map(({ name }) => name);
  if (answers.size === 0 && unmatched.length > 0) {
    throw dataInvalid(
      predicted.path,
      `none of its images (${listed(names)}) is one of ${truth.path} (${listed(images.map(({ name }) => name))})`,
    );
  }
  if (unmatched.length > 0) {
    notices.push(
      `${unmatched.length} predicted images have no ground truth and are left out: ${listed(names)}`,
    );
  }
  return answers;
}

/** Images by a key; a key that several images have leads to none of them. */
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
  answers: ReadonlyMap<ImageAnnotations, ImageAnnotations>,
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
    const answer = answers.get(image);
    const size = image.needsSize ? await sizeFor(image, answer, signal) : image.size;
    const truth = await image.read(size, signal);
    problems.add(...truth.problems);
    noticed.add(...truth.notices);
    if (!truth.cells) {
      problems.add({ ...image.place, id: image.name, reason: truth.reason });
      continue;
    }
    const { masks } = truth.cells;
    pairs.push({
      image,
      truth: truth.cells,
      answer: answer && (await readAnswer(source, image, answer, masks, noticed)),
    });
  }
  const unusable = problems.list();
  if (pairs.length === 0) throw dataInvalid(source.path, 'nothing in it can be used', unusable);
  if (strict && unusable.length > 0) throw dataInvalid(source.path, 'not all of it can be used', unusable);
  return {
    pairs,
    messages: [
      ...summarised(unusable, 'rows or images of the ground truth cannot be used and are left out'),
      ...summarised(noticed.list(), 'annotations were left out or read in another way'),
    ],
  };
}

const MAX_TOLD = 20;

function summarised(entries: readonly DataProblem[], what: string): string[] {
  if (entries.length === 0) return [];
  const lines = entries.slice(0, MAX_TOLD).map((entry) => `- ${problemLine(entry)}`);
  if (entries.length > MAX_TOLD) lines.push(`- and ${entries.length - MAX_TOLD} more`);
  return [[`${entries.length} ${what}:`, ...lines].join('\n')];
}

/** @throws {CellrouteError} DATA_INVALID for predictions that cannot be used. */
async function readAnswer(
  source: AnnotationSource,
  image: ImageAnnotations,
  answer: ImageAnnotations,
  { width, height }: Masks,
  noticed: ProblemList,
): Promise<CellAnnotations> {
  const own = answer.size;
  if (own && (own.width !== width || own.height !== height)) {
    throw dataInvalid(
      source.path,
      `image ${image.name} has ${width} x ${height} pixels, and ${own.width} x ${own.height} where it was predicted`,
    );
  }
  const { cells, problems, notices, reason } = await answer.read({ width, height });
  const wrong = [...problems, ...(cells ? [] : [{ ...answer.place, id: answer.name, reason }])];
  if (wrong.length > 0 || !cells) {
    throw dataInvalid(answer.place.file, 'predictions have to be complete', wrong);
  }
  noticed.add(...notices);
  return cells;
}

/** The size of an image whose annotations do not state it: that of its prediction, or of its file. */
async function sizeFor(
  image: ImageAnnotations,
  answer: ImageAnnotations | undefined,
  signal: AbortSignal | undefined,
): Promise<ImageSize> {
  if (answer?.size) return answer.size;
  const file = await image.locate(signal).catch(() => undefined);
  if (file && 'size' in file) return file.size;
  throw dataInvalid(
    image.place.file,
    `image ${image.name} has no width and height: add columns of these names, or put the images beside the table`,
  );
}

interface Labels {
  truth: (name: string) => number;
  predicted: (name: string) => number;
  names: ReadonlyMap<number, string>;
}

/** Numbers for the classes of both sources; nothing where they cannot be compared, or are one. */
function labelsOf(
  truth: AnnotationSource,
  predicted: AnnotationSource,
  pairs: readonly Pair[],
  { ignoreClasses = false }: PairOptions,
  notices: string[],
): Labels | undefined {
  const { categories } = truth;
  const areClasses = pairs.every(({ truth: { classes, masks } }) => classes || masks.length === 0);
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
  const foreign = new Set(pairs.flatMap(({ answer }) => (answer?.classes ?? []).map(nameOf)));
  const known = [...foreign].filter((name) => label.has(name));
  if (foreign.size > 0 && known.length === 0) {
    notices.push(
      `Classes are not compared: the predictions' (${[...foreign].slice(0, 5).join(', ')}) are none of the ground truth's (${[...label.keys()].slice(0, 5).join(', ')}).`,
    );
    return undefined;
  }
  for (const name of foreign) number(name);
  return {
    truth: number,
    predicted: (own) => number(nameOf(own)),
    names: new Map([...label].map(([name, k]) => [k, name])),
  };
}

function evaluatedImage({ image, truth, answer }: Pair, labels: Labels | undefined): EvaluatedImage {
  const { masks, crowd, boxes: truthBoxes, areas: truthAreas } = truth;
  const predicted = answer?.masks ?? masks.select([]);
  const cellType = truth.cellType ?? image.cellType;
  return {
    id: image.name,
    groundTruth: masks,
    ...defined({
      cellType,
      crowd,
      groundTruthBoxes: truthBoxes && fromCocoBoxes(truthBoxes),
      groundTruthAreas: truthAreas,
    }),
    predicted,
    scores: answer?.scores ?? new Float64Array(predicted.length).fill(1),
    ...defined({ boxes: answer?.boxes && fromCocoBoxes(answer.boxes), areas: answer?.areas }),
    ...(labels && {
      truthLabels: (truth.classes ?? []).map(labels.truth),
      labels: (answer?.classes ?? []).map(labels.predicted),
    }),
  };
}

/** Without folders and without the ending of an image. */
function lastPart(name: string): string {
  const last = posix.basename(name);
  return imageEndings.some((ending) => last.toLowerCase().endsWith(ending)) ? stemOf(last) : last;
}

function listed(names: readonly string[]): string {
  return names.length > 3 ? `${names.slice(0, 3).join(', ')}, …` : names.join(', ');
}
