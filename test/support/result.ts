import { Cells } from '../../lib/inference/cells.js';
import type { Segmentation } from '../../lib/inference/result.js';
import type { Masks } from '../../lib/mask/masks.js';

/** A result with these masks, as a network that is sure of all of them would give it. */
export function resultOf(masks: Masks, labels = new Array<number>(masks.length).fill(1)): Segmentation {
  const boxes = masks.boxes();
  // Half-open: x1 y1 x2 y2.
  const corners = Float32Array.from(boxes, (value, i) => (i % 4 < 2 ? value : value + boxes[i - 2]!));
  const cells = new Cells({
    boxes: corners,
    scores: new Float32Array(masks.length).fill(1),
    labels: Int32Array.from(labels),
    areas: masks.areas(),
    masks,
  });
  const capped = { detections: false, proposals: false };
  return { width: masks.width, height: masks.height, cells, capped };
}
