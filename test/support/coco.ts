import { fromCocoBoxes } from '../../lib/mask/boxes.js';
import { Masks } from '../../lib/mask/masks.js';
import type { EvaluatedImage } from '../../lib/metrics/index.js';

interface CocoMask {
  image_id: number;
  category_id: number;
  segmentation: { counts: string };
  bbox?: number[];
  area?: number;
  iscrowd?: number;
}

export interface CocoGroundTruth {
  images: { id: number; width: number; height: number }[];
  annotations: CocoMask[];
  categories: { id: number }[];
}

export type CocoFound = CocoMask & { score: number };

/** COCO's ground truth and detections as images to evaluate, in the order of their ids, as in pycocotools. */
export function imagesOfCoco(
  groundTruth: CocoGroundTruth,
  found: CocoFound[],
  boxes: boolean,
): EvaluatedImage[] {
  const images = groundTruth.images.toSorted((a, b) => a.id - b.id);
  return images.map(({ id, width, height }) => {
    const groundTruths = groundTruth.annotations.filter(({ image_id }) => image_id === id);
    const own = found.filter(({ image_id }) => image_id === id);
    const masks = (list: CocoMask[]) =>
      Masks.fromCoco(
        list.map(({ segmentation }) => segmentation.counts),
        { width, height },
      );
    return {
      id: String(id),
      groundTruth: masks(groundTruths),
      groundTruthLabels: groundTruths.map(({ category_id }) => category_id),
      crowd: groundTruths.map(({ iscrowd }) => iscrowd === 1),
      groundTruthBoxes: fromCocoBoxes(groundTruths.flatMap(({ bbox }) => bbox!)),
      groundTruthAreas: groundTruths.map(({ area }) => area!),
      predicted: masks(own),
      labels: own.map(({ category_id }) => category_id),
      scores: own.map(({ score }) => score),
      // loadRes uses the area of the box if there is one.
      ...(boxes && {
        boxes: fromCocoBoxes(own.flatMap(({ bbox }) => bbox!)),
        areas: own.map(({ bbox }) => bbox![2]! * bbox![3]!),
      }),
    };
  });
}
