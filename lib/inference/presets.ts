import type { PartialMaskRCNNConfig } from '../config/mask-rcnn.js';
import type { SegmentThresholds } from './thresholds.js';

/**
 * Preset for the three neuronal cell types of the Sartorius competition, as used in the routed-ensemble notebook.
 *
 * @example
 * const segmenter = await CellSegmenter.load('model_astro-e10.bin', { config: sartorius.config });
 */
export const sartorius = {
  cellTypes: ['shsy5y', 'astro', 'cort'],
  /**
   * torchvision's maskrcnn_resnet50_fpn, fine-tuned from its COCO_V1 weights (hence norm eps 0), with heads for two
   * classes. The densest image of the competition has 790 cells: raise detectionsPerImage for such images.
   */
  config: {
    backbone: { depth: 50, norm: { kind: 'frozen-batch', eps: 0 } },
    numClasses: 2,
    box: { detectionsPerImage: 539 },
  },
  /** Thresholds of the notebook. Overlaps are removed, as the competition requires. */
  thresholds: { minScore: 0.59, maskThreshold: 0.6, removeOverlaps: true },
} as const satisfies {
  cellTypes: readonly string[];
  config: PartialMaskRCNNConfig;
  thresholds: SegmentThresholds;
};
