import type { Evaluation } from '../metrics/index.js';

/** Result of a validation. */
export interface ValidationResult<Evaluation> {
  metric: string;
  /** Higher is better; NaN if the metric is undefined. */
  score: number;
  /** Breaks ties between equal scores; higher is better. */
  tie?: number;
  figures: Record<string, number>;
  confusion?: readonly (readonly number[])[];
  evaluation: Evaluation;
  /** Draws some of the images with their predictions, as PNG; undefined if none are drawn. */
  sheet?: () => Promise<Buffer>;
}

/** Evaluation of a classifier. */
export interface ClassifierEvaluation {
  classNames: readonly string[];
  images: number;
  /** Share of correctly classified images, 0 to 1. */
  accuracy: number;
  /** Mean of the per-class accuracy over the classes that occur. */
  balancedAccuracy: number;
  /** Mean cross-entropy, unweighted. */
  loss: number;
  /** Confusion matrix: number of images of class i (row) predicted as class j (column). */
  confusion: number[][];
  /** Per image: id, true class, predicted class and its probability. */
  perImage: { id: string; type: string; predicted: string; probability: number }[];
}

/** Evaluation of a segmenter. */
export type SegmenterEvaluation = Evaluation;
