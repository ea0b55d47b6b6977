import { posix } from 'node:path';
import { dataInvalid } from '../../data/problems.js';
import { fromCocoBoxes } from '../../mask/boxes.js';
import type { EvaluatedImage } from '../types.js';
import type { Side, SideImage } from './side.js';

export interface PairOptions {
  /** Leaves out images that the predictions say nothing of, whose cells would count as missed. */
  onlyPredicted?: boolean;
  /** Takes all cells for one class. */
  ignoreClasses?: boolean;
  /** Only images whose columns have these values. */
  where?: Readonly<Record<string, string>>;
}

export interface PairedImages {
  images: EvaluatedImage[];
  /** Class of label k; only where classes are compared. */
  classNames?: ReadonlyMap<number, string>;
  /** What the reader of the numbers should know. */
  notices: string[];
}

/** Brings predictions to their truth, by name or by COCO's id, in the order of the truth's images. */
export function pairSides(truth: Side, predicted: Side, options: PairOptions): PairedImages {
  const notices: string[] = [];
  const wanted = truth.images.filter(({ columns = {} }) =>
    Object.entries(options.where ?? {}).every(([name, value]) => columns[name] === value),
  );
  if (wanted.length === 0) throw dataInvalid(truth.path, 'no image in it has the columns asked for');
  const answers = answersOf(wanted, truth, predicted, notices);
  const chosen = options.onlyPredicted ? wanted.filter((image) => answers.has(image)) : wanted;
  const silent = chosen.filter((image) => !answers.has(image));
  if (silent.length > 0) {
    notices.push(
      `${silent.length} of ${chosen.length} images have no prediction, and all of their cells count as missed: ${listed(silent)}`,
    );
  }
  const labels = labelsOf(truth, predicted, options, notices);
  const images = chosen.map((image) => pairOf(truth, image, answers.get(image), labels));
  if (images.every(({ predicted: { length } }) => length === 0)) {
    notices.push('There is not a single predicted cell.');
  } else if (![...answers.values()].some(({ scores }) => scores)) {
    notices.push(
      'The predictions have no scores: for AP their order counts, the first of an image as the best.',
    );
  }
  return { images, notices, ...(labels && { classNames: labels.names }) };
}

/** Each image's predictions. */
function answersOf(
  images: readonly SideImage[],
  truth: Side,
  predicted: Side,
  notices: string[],
): Map<SideImage, SideImage> {
  const byName = new Map(images.map((image) => [image.name, image]));
  const byLastPart = new Map<string, SideImage | undefined>();
  for (const image of images) {
    const part = lastPart(image.name);
    byLastPart.set(part, byLastPart.has(part) ? undefined : image);
  }
  const byId = new Map(
    images.flatMap((image) => (image.cocoId === undefined ? [] : [[String(image.cocoId), image] as const])),
  );
  const answers = new Map<SideImage, SideImage>();
  const strangers: SideImage[] = [];
  for (const answer of predicted.images) {
    // A list of results has ids alone; other files number their images each in their own way.
    const own =
      (predicted.classes === 'ids' ? byId.get(String(answer.cocoId)) : undefined) ??
      byName.get(answer.name) ??
      byLastPart.get(lastPart(answer.name));
    if (!own) {
      strangers.push(answer);
    } else if (answers.has(own)) {
      throw dataInvalid(predicted.path, `there are two predictions for image ${own.name}`);
    } else {
      answers.set(own, answer);
    }
  }
  if (answers.size === 0 && strangers.length > 0) {
    throw dataInvalid(
      predicted.path,
      `none of its images (${listed(predicted.images)}) is one of ${truth.path} (${listed(images)})`,
    );
  }
  if (strangers.length > 0) {
    notices.push(`${strangers.length} predicted images have no truth and are left out: ${listed(strangers)}`);
  }
  return answers;
}

interface Labels {
  truth: (name: string) => number;
  predicted: (name: string) => number;
  names: ReadonlyMap<number, string>;
}

/** Numbers for the classes of both sides; nothing where they cannot be compared, or are one. */
function labelsOf(
  truth: Side,
  predicted: Side,
  { ignoreClasses = false }: PairOptions,
  notices: string[],
): Labels | undefined {
  const { categories } = truth;
  if (ignoreClasses || !categories || categories.size < 2 || predicted.classes === 'none') return undefined;
  const label = new Map<string, number>();
  for (const name of categories.values()) if (!label.has(name)) label.set(name, label.size + 1);
  const nameOf = (side: Side, own: string) =>
    (side.classes === 'ids' ? categories : side.categories)?.get(own) ?? own;
  const number = (name: string) => {
    const found = label.get(name) ?? label.size + 1;
    label.set(name, found);
    return found;
  };
  const foreign = new Set(
    predicted.images.flatMap(({ classes = [] }) => classes.map((own) => nameOf(predicted, own))),
  );
  const known = [...foreign].filter((name) => label.has(name));
  if (foreign.size > 0 && known.length === 0) {
    notices.push(
      `Classes are not compared: the predictions' (${[...foreign].slice(0, 5).join(', ')}) are none of the truth's (${[...label.keys()].slice(0, 5).join(', ')}).`,
    );
    return undefined;
  }
  for (const name of foreign) number(name);
  return {
    truth: (own) => number(nameOf(truth, own)),
    predicted: (own) => number(nameOf(predicted, own)),
    names: new Map([...label].map(([name, k]) => [k, name])),
  };
}

function pairOf(
  side: Side,
  truth: SideImage,
  answer: SideImage | undefined,
  labels: Labels | undefined,
): EvaluatedImage {
  const size = truth.size ?? answer?.size;
  if (!size) {
    throw dataInvalid(
      side.path,
      `nobody says how many pixels image ${truth.name} has: it needs width and height`,
    );
  }
  const masks = truth.masks(size);
  const predicted = answer ? answer.masks(size) : masks.select([]);
  if (predicted.width !== size.width || predicted.height !== size.height) {
    throw dataInvalid(
      side.path,
      `image ${truth.name} has ${size.width} x ${size.height} pixels, and ${predicted.width} x ${predicted.height} where it was predicted`,
    );
  }
  const { crowd, boxes: truthBoxes, areas: truthAreas, type } = truth;
  return {
    id: truth.name,
    ...(type === undefined ? {} : { type }),
    truth: masks,
    ...(crowd && { crowd }),
    ...(truthBoxes && { truthBoxes: fromCocoBoxes(truthBoxes) }),
    ...(truthAreas && { truthAreas }),
    predicted,
    scores: answer?.scores ?? new Float64Array(predicted.length).fill(1),
    ...(answer?.boxes && { boxes: fromCocoBoxes(answer.boxes) }),
    ...(answer?.areas && { areas: answer.areas }),
    ...(labels && {
      truthLabels: truth.classes!.map(labels.truth),
      labels: (answer?.classes ?? []).map(labels.predicted),
    }),
  };
}

/** Without folders and without an ending that a list of results may have kept. */
const lastPart = (name: string) => posix.basename(name).replace(/\.(png|jpe?g|tiff?|webp)$/i, '');

function listed(images: readonly SideImage[]): string {
  const names = images.slice(0, 3).map(({ name }) => name);
  return images.length > 3 ? `${names.join(', ')}, …` : names.join(', ');
}
