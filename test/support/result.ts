import { Cells } from '../../lib/inference/cells.js';
import type { Segmentation } from '../../lib/inference/result.js';
import { boxArray } from '../../lib/mask/boxes.js';
import type { Masks } from '../../lib/mask/masks.js';

/** A result with these masks and score 1. */
export function resultOf(masks: Masks, labels = new Array<number>(masks.length).fill(1)): Segmentation {
  const cells = new Cells({
    boxes: boxArray(Float32Array.from(masks.boxes())),
    scores: new Float32Array(masks.length).fill(1),
    labels: Int32Array.from(labels),
    areas: masks.areas(),
    masks,
  });
  const limitsReached = { detections: false, proposals: false };
  return { width: masks.width, height: masks.height, cells, limitsReached, scale: 1 };
}
