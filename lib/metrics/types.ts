import type { OverlapRemoval } from '../inference/thresholds.js';
import type { BoxArray } from '../mask/boxes.js';
import type { Masks } from '../mask/masks.js';
import type { CallOptions } from '../native/job.js';

/** Ground truth and predictions of an image. */
export interface EvaluatedImage {
  /** Unique id of the image. */
  id: string;
  /** The cell type, for the table by types. */
  cellType?: string | undefined;
  groundTruth: Masks;
  /** Predicted masks of the same image size as `groundTruth`, in any order. */
  predicted: Masks;
  /** One finite score per prediction. Of equal scores, the first counts as better. */
  scores: ArrayLike<number>;
  /** Class of each ground truth cell and of each prediction, whole numbers. Default 1. */
  groundTruthLabels?: ArrayLike<number>;
  labels?: ArrayLike<number>;
  /** Flag per ground truth cell: true for a region of many cells (COCO's iscrowd). Default: none. */
  crowd?: ArrayLike<boolean | number>;
  /**
   * Box of each ground truth cell in pixels, for COCO's box metrics. `fromCocoBoxes` converts x, y, width, height.
   * Default: the bounding boxes of the masks.
   */
  groundTruthBoxes?: BoxArray;
  boxes?: BoxArray;
  /** Areas in pixels that define COCO's small, medium and large cells. Default: the areas of the masks. */
  groundTruthAreas?: ArrayLike<number>;
  areas?: ArrayLike<number>;
}

/** Options of bootstrap intervals. */
export interface BootstrapOptions {
  /** Number of samples, 2 to 1,000,000. */
  samples: number;
  /** Integer from 0 to 2^53 - 1. The same seed draws the same images on every machine. Default 0. */
  seed?: number | undefined;
  /** Share of the samples inside the interval, above 0 and below 1. Default 0.95. */
  confidence?: number | undefined;
}

export interface EvaluateOptions extends CallOptions {
  /**
   * Minimum score of a prediction, as in `segment`: any finite number. Default: all predictions. COCO's metrics always use
   * all predictions, because they rank by score.
   */
  minScore?: number | undefined;
  /**
   * Whether each pixel belongs to one prediction only, that with the highest score, as in `segment`. `true` keeps every
   * prediction that has a pixel left; `{ maxLost }` drops predictions that lose more than this share, 0 to 1, of their
   * pixels. COCO's metrics use the original masks. Default true (false in `segment`), because the other metrics are
   * defined for masks without overlaps.
   */
  removeOverlaps?: OverlapRemoval | undefined;
  /** IoU of a match for precision, recall, F1 and counts; above 0, up to 1. Default 0.5. */
  iou?: number | undefined;
  /** Maximum number of predictions per image and class for COCO's metrics, best first. Default: all. pycocotools: 100. */
  maxDets?: number | undefined;
  /** Computes bootstrap intervals by resampling images. Default: none. */
  bootstrap?: BootstrapOptions | undefined;
}

/** Rules of an evaluation; part of every result. */
export interface EvaluationRules {
  /** null: predictions with any score. */
  minScore: number | null;
  /** false: overlaps were kept. */
  removeOverlaps: { maxLost: number } | false;
  iou: number;
  maxDets: number | 'all';
}

/** COCO's metrics as in pycocotools, each 0 to 1; null without ground truth of that size. */
export interface CocoScores {
  maxDets: number | 'all';
  /** Mean over IoU 0.5 to 0.95 in steps of 0.05. */
  ap: number | null;
  ap50: number | null;
  ap75: number | null;
  /** Mean recall over the same IoU thresholds. */
  ar: number | null;
  /** Cells up to 32² pixels. Medium: up to 96², large: above 96². */
  apSmall: number | null;
  apMedium: number | null;
  apLarge: number | null;
  arSmall: number | null;
  arMedium: number | null;
  arLarge: number | null;
}

/** Panoptic quality and its factors. */
export interface PanopticScores {
  /** Panoptic quality, 0 to 1, the product of segmentation quality and recognition quality. */
  pq: number;
  sq: number;
  rq: number;
}

/** Precision, recall and F1 at one IoU threshold. */
export interface HitScores {
  /** IoU threshold of a match. Predictions and ground truth are matched one to one, with the maximum number of matches. */
  iou: number;
  precision: number;
  recall: number;
  f1: number;
  truePositives: number;
  falsePositives: number;
  falseNegatives: number;
}

/** Errors of the predicted number of cells. */
export interface CountError {
  /** Mean of predicted minus ground truth count per image: below 0 if cells are missed. */
  mean: number;
  /** Mean of the absolute differences. */
  meanAbsolute: number;
  /** Sum of the absolute differences, as a share of all ground truth cells; null if there are none. */
  relative: number | null;
}

/** A bootstrap interval; null if the metric is undefined in every sample. */
export type Interval = readonly [low: number, high: number] | null;

/** Bootstrap intervals of the metrics. */
export interface Intervals {
  samples: number;
  seed: number;
  confidence: number;
  kaggle: Interval;
  /** One interval per IoU threshold. */
  precisionAtIou: readonly Interval[];
  ap: Interval;
  ap50: Interval;
  ap75: Interval;
  ar: Interval;
  boxAp: Interval;
  boxAp50: Interval;
  boxAp75: Interval;
  boxAr: Interval;
  precision: Interval;
  recall: Interval;
  f1: Interval;
  pq: Interval;
  sq: Interval;
  rq: Interval;
  aji: Interval;
  /** Interval of {@link CountError.mean}. */
  countError: Interval;
}

/** All metrics over a set of images. */
export interface ImageSetScores {
  images: number;
  /** Number of ground truth cells, without crowds. */
  groundTruths: number;
  /** Number of predictions after `minScore` and overlap removal, without those that match a crowd. */
  predictions: number;
  kaggle: {
    /** The competition's score: mean over images and thresholds. */
    mean: number;
    /** TP / (TP + FP + FN) above each of {@link IOU_THRESHOLDS}, mean over images. */
    precisionAtIou: number[];
  };
  /** COCO's metrics with masks, mean over the classes. */
  coco: CocoScores;
  /** COCO's metrics with boxes, mean over the classes. */
  cocoBoxes: CocoScores;
  f1: HitScores;
  /** Panoptic quality of the pairs of all images above an IoU of 0.5, mean over the classes. */
  panoptic: PanopticScores;
  /** Kumar's aggregated Jaccard index (not AJI+), mean over images. */
  aji: number;
  countError: CountError;
  /** Present if `bootstrap` was set. */
  intervals?: Intervals;
}

/** Metrics of one image. */
export interface ImageScores {
  id: string;
  cellType?: string;
  groundTruths: number;
  predictions: number;
  /** The competition's precision, mean over thresholds. */
  kaggle: number;
  precisionAtIou: number[];
  precision: number;
  recall: number;
  f1: number;
  truePositives: number;
  falsePositives: number;
  falseNegatives: number;
  pq: number;
  aji: number;
  /** Predicted minus ground truth count. */
  countError: number;
}

/** Metrics of one class. */
export interface ClassScores {
  label: number;
  /** Number of ground truth cells of the class, without crowds. */
  groundTruths: number;
  coco: CocoScores;
  cocoBoxes: CocoScores;
  panoptic: PanopticScores;
}

/** Result of {@link evaluate} as plain data, which JSON.stringify keeps completely. */
export interface Evaluation extends ImageSetScores {
  rules: EvaluationRules;
  /** Where images have types. */
  perCellType?: Record<string, ImageSetScores>;
  /** By ascending label. */
  perClass: ClassScores[];
  /** In the order of the images passed. */
  perImage: ImageScores[];
}
