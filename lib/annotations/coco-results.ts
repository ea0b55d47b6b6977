import { describe } from '../check.js';
import { type ImageSize, Masks } from '../mask/masks.js';
import { type Fields, isId } from './coco-image.js';
import { readSegmentation } from './coco-segmentation.js';
import { decodeMasks } from './decode-masks.js';
import { inMemory } from './in-memory.js';
import { dataInvalid } from './problems.js';
import { readJson } from './text.js';
import type { AnnotationSource, ImageAnnotations } from './types.js';

interface Detection {
  place: string;
  fields: Fields;
}

/**
 * Reads a list of COCO results, as pycocotools' loadRes.
 *
 * @throws {CellrouteError} DATA_INVALID for the first invalid result.
 */
export async function readCocoResults(path: string, signal?: AbortSignal): Promise<AnnotationSource> {
  const list = await readJson(path, signal);
  if (!Array.isArray(list)) throw wrong(path, 'the file', 'a list of results', list);
  const images = new Map<string, { size: ImageSize; detections: Detection[] }>();
  list.forEach((value: unknown, i) => {
    const place = `[${i}]`;
    if (typeof value !== 'object' || value === null) throw wrong(path, place, 'an object', value);
    const fields = value as Fields;
    if (!isId(fields.image_id)) throw wrong(path, `${place}.image_id`, 'an id', fields.image_id);
    if (typeof fields.score !== 'number') throw wrong(path, `${place}.score`, 'a number', fields.score);
    const size = sizeOf(fields.segmentation);
    if (!size) throw wrong(path, `${place}.segmentation`, 'run lengths with their size', fields.segmentation);
    const id = String(fields.image_id);
    const image = images.get(id) ?? { size, detections: [] };
    images.set(id, image);
    image.detections.push({ place, fields });
  });
  // loadRes checks only the first result: if it has a box, all areas are areas of boxes.
  const first = (list[0] as Fields | undefined)?.bbox;
  const hasBoxes = Array.isArray(first) && first.length > 0;
  return {
    path,
    images: [...images].map(([id, { size, detections }]) => resultOf(path, id, size, detections, hasBoxes)),
    classes: 'ids',
    columns: [],
    problems: [],
    notices: [],
  };
}

function resultOf(
  path: string,
  id: string,
  size: ImageSize,
  detections: readonly Detection[],
  hasBoxes: boolean,
): ImageAnnotations {
  const texts = detections.map(({ place, fields: { segmentation } }) => {
    const mask = readSegmentation(segmentation, size);
    if ('reason' in mask) throw dataInvalid(path, `${place}.segmentation: ${mask.reason}`);
    return mask.counts;
  });
  const { masks, failures } = decodeMasks(texts, (all) => Masks.fromCoco(all, size));
  for (const [i, reason] of failures) {
    throw dataInvalid(path, `${detections[i]!.place}.segmentation: ${reason}`);
  }
  const boxes = hasBoxes ? detections.map((detection) => boxOf(path, detection)) : undefined;
  return inMemory(
    { name: id, fileName: id, cocoId: id, place: { file: path } },
    {
      masks,
      scores: detections.map(({ fields }) => fields.score as number),
      classes: detections.map(({ place, fields: { category_id } }) => {
        if (!isId(category_id)) throw wrong(path, `${place}.category_id`, 'an id', category_id);
        return String(category_id);
      }),
      ...(boxes && { boxes: boxes.flat(), areas: boxes.map(([, , width, height]) => width * height) }),
    },
  );
}

function boxOf(path: string, { place, fields: { bbox } }: Detection): [number, number, number, number] {
  if (
    !Array.isArray(bbox) ||
    bbox.length !== 4 ||
    bbox.some((value) => typeof value !== 'number') ||
    bbox[2] < 0 ||
    bbox[3] < 0
  ) {
    throw wrong(path, `${place}.bbox`, 'x, y, width and height', bbox);
  }
  return bbox as [number, number, number, number];
}

function sizeOf(segmentation: unknown): ImageSize | undefined {
  const { size } = (segmentation ?? {}) as { size?: unknown };
  if (!Array.isArray(size) || size.length !== 2 || !size.every((side) => Number.isInteger(side) && side >= 1))
    return undefined;
  return { width: size[1] as number, height: size[0] as number };
}

const wrong = (path: string, place: string, expected: string, value: unknown) =>
  dataInvalid(path, `${place}: expected ${expected}, but it is ${describe(value)}`);
