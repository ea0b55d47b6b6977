import type { PartialMaskRCNNConfig } from '../config/mask-rcnn.js';
import type { SegmentThresholds } from './thresholds.js';

/**
 * The Sartorius competition's three neuronal cell types as the routed-ensemble notebook has them:
 * `CellSegmenter.load('model_astro-e10.bin', { config: sartorius.config })`.
 */
export const sartorius = {
  cellTypes: ['shsy5y', 'astro', 'cort'],
  /**
   * torchvision's maskrcnn_resnet50_fpn, begun from its COCO_V1 weights (so norm eps 0) with heads for two classes.
   * The competition's densest image has 790 cells: raise detectionsPerImage where that matters.
   */
  config: {
    backbone: { depth: 50, norm: { kind: 'frozen-batch', eps: 0 } },
    numClasses: 2,
    box: { detectionsPerImage: 539 },
  },
  /** Declared by the notebook; overlaps are removed, as the competition demands. */
  thresholds: { minScore: 0.59, maskThreshold: 0.6, removeOverlaps: true },
} as const satisfies {
  cellTypes: readonly string[];
  config: PartialMaskRCNNConfig;
  thresholds: SegmentThresholds;
};
