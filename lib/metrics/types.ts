import type { OverlapRemoval } from '../inference/thresholds.js';
import type { BoxArray } from '../mask/boxes.js';
import type { Masks } from '../mask/masks.js';
import type { CallOptions } from '../native/job.js';

/** An image's truth and what was predicted for it. */
export interface EvaluatedImage {
  /** Unique among the images. */
  id: string;
  /** The cell type, for the table by types. */
  cellType?: string | undefined;
  groundTruth: Masks;
  /** Of the same size as `groundTruth`, in any order. */
  predicted: Masks;
  /** One a prediction, finite. Of equal ones the first counts as the better one. */
  scores: ArrayLike<number>;
  /** Class of each truth and of each prediction, whole numbers. Default 1. */
  groundTruthLabels?: ArrayLike<number>;
  labels?: ArrayLike<number>;
  /** For each truth whether it is a region of many cells (COCO's iscrowd). Default none. */
  crowd?: ArrayLike<boolean | number>;
  /**
   * Boxes of each truth and of each prediction, in pixels: what COCO's box metrics compare. `fromCocoBoxes` converts
   * x, y, width, height. Default: the boxes around the masks.
   */
  groundTruthBoxes?: BoxArray;
  boxes?: BoxArray;
  /** What COCO's small, medium and large go by, in pixels. Default: the areas of the masks. */
  groundTruthAreas?: ArrayLike<number>;
  areas?: ArrayLike<number>;
}

/** Options of bootstrap intervals. */
export interface BootstrapOptions {
  /** How often images are drawn, 2 to 1,000,000. */
  samples: number;
  /** A whole number, 0 to 2^53 - 1. The same seed draws the same images on every machine. Default 0. */
  seed?: number | undefined;
  /** Share of the samples within the intervals, above 0 and below 1. Default 0.95. */
  confidence?: number | undefined;
}

export interface EvaluateOptions extends CallOptions {
  /**
   * Predictions that score at least this are counted, as in `segment`. COCO's metrics take all predictions, because
   * they weigh scores themselves. Any finite number; default: all predictions.
   */
  minScore?: number | undefined;
  /**
   * Whether each pixel belongs to one prediction only, the one with the highest score, as in `segment`: `true` keeps
   * every prediction that has a pixel left; `{ maxLost }` drops one that loses more than this share, 0 to 1, of its
   * pixels. COCO's metrics take the masks as they are. Default true here (false in `segment`), because the other
   * metrics are defined for masks without overlaps.
   */
  removeOverlaps?: OverlapRemoval | undefined;
  /** IoU at which a prediction is a hit, for precision, recall, F1 and counts; above 0, up to 1. Default 0.5. */
  iou?: number | undefined;
  /** The best predictions of an image and class that COCO's metrics look at. Default: all. pycocotools: 100. */
  maxDets?: number | undefined;
  /** Draws images with replacement, so that every number gets an interval. Default: none. */
  bootstrap?: BootstrapOptions | undefined;
}

/** What was applied; every evaluation carries it. */
export interface EvaluationRules {
  /** null: predictions of every score. */
  minScore: number | null;
  /** false: overlaps were left. */
  removeOverlaps: { maxLost: number } | false;
  iou: number;
  maxDets: number | 'all';
}

/** COCO's metrics as pycocotools has them, each 0 to 1; null where no truth is of that size. */
export interface CocoScores {
  maxDets: number | 'all';
  /** Mean over IoU 0.5 to 0.95 in steps of 0.05. */
  ap: number | null;
  ap50: number | null;
  ap75: number | null;
  /** Mean recall over the same IoUs. */
  ar: number | null;
  /** Up to 32², up to 96² and above 96² pixels. */
  apSmall: number | null;
  apMedium: number | null;
  apLarge: number | null;
  arSmall: number | null;
  arMedium: number | null;
  arLarge: number | null;
}

/** Panoptic quality and its factors. */
export interface PanopticScores {
  /** Panoptic, segmentation and recognition quality, each 0 to 1. */
  pq: number;
  sq: number;
  rq: number;
}

/** Precision, recall and F1 at one IoU threshold. */
export interface HitScores {
  /** At which a prediction and a truth are paired, one to one and as many as can be. */
  iou: number;
  precision: number;
  recall: number;
  f1: number;
  truePositives: number;
  falsePositives: number;
  falseNegatives: number;
}

/** Differences between predicted and true numbers of cells. */
export interface CountError {
  /** Predicted less true cells per image: below 0 where cells are missed. */
  mean: number;
  /** Of the same differences without their signs. */
  meanAbsolute: number;
  /** The absolute differences together, as a share of all true cells; null where there are none. */
  relative: number | null;
}

/** Two ends of a bootstrap interval; null where a metric has no meaning in any sample. */
export type Interval = readonly [low: number, high: number] | null;

/** Bootstrap intervals of the metrics. */
export interface Intervals {
  samples: number;
  seed: number;
  confidence: number;
  kaggle: Interval;
  /** One for each IoU threshold. */
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
  /** Of {@link CountError.mean}. */
  countError: Interval;
}

/** All metrics over a set of images. */
export interface ImageSetScores {
  images: number;
  /** True cells, without crowds. */
  groundTruths: number;
  /** Predictions that count: after `minScore` and overlaps, without those that fall to a crowd. */
  predictions: number;
  kaggle: {
    /** The competition's score: the mean of all images' means over the thresholds. */
    mean: number;
    /** TP / (TP + FP + FN) above each of {@link IOU_THRESHOLDS}, mean over the images. */
    precisionAtIou: number[];
  };
  /** By masks. Mean over the classes. */
  coco: CocoScores;
  /** By boxes. */
  cocoBoxes: CocoScores;
  f1: HitScores;
  /** Pairs above an IoU of 0.5; all images' pairs together, mean over the classes. */
  panoptic: PanopticScores;
  /** Kumar's aggregated Jaccard index (not AJI+): the mean over the images. */
  aji: number;
  countError: CountError;
  /** Where a bootstrap was asked for. */
  intervals?: Intervals;
}

/** Metrics of one image. */
export interface ImageScores {
  id: string;
  cellType?: string;
  groundTruths: number;
  predictions: number;
  /** The competition's precision, mean over the thresholds. */
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
  /** Predicted less true cells. */
  countError: number;
}

/** Metrics of one class. */
export interface ClassScores {
  label: number;
  /** True cells of the class, without crowds. */
  groundTruths: number;
  coco: CocoScores;
  cocoBoxes: CocoScores;
  panoptic: PanopticScores;
}

/** What {@link evaluate} found. Plain data: JSON.stringify keeps all of it. */
export interface Evaluation extends ImageSetScores {
  rules: EvaluationRules;
  /** Where images have types. */
  perCellType?: Record<string, ImageSetScores>;
  /** By rising label. */
  perClass: ClassScores[];
  /** In the order they were given. */
  perImage: ImageScores[];
}
