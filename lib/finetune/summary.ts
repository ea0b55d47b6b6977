import type { SegmentThresholds } from '../inference/thresholds.js';
import type { ScoreDifference } from '../metrics/index.js';

/** A segmenter that training could start from, as it is on some training images. */
export interface TriedStart {
  /** Type of the starter ensemble; a file's path for a start that was passed. */
  name: string;
  /** Factor of the network's `resize` at which cells are as large as in its own training. */
  scale: number;
  /** Mean average precision at IoU 0.5 on the training images that were tried, 0 to 1. */
  ap50: number;
  /** Kaggle's mean at a score of 0.5. */
  kaggle: number;
}

/** A score with its 95 % interval over images. */
export interface ScoreWithInterval {
  score: number;
  /** Absent where one image was held out. */
  interval?: readonly [low: number, high: number];
}

/** What {@link finetune} returns and writes as `summary.json`. */
export interface FinetuneSummary {
  format: 'cellroute-finetune';
  version: 1;
  /** Folder of the resulting ensemble. */
  folder: string;
  /**
   * `trained`: the trained network. `scaled` or `start`: it was not better on the held-out images, so the folder has the start,
   * at the scale of these cells or as it is.
   */
  result: 'trained' | 'scaled' | 'start';
  metric: string;
  /** Of the held-out images. Thresholds were chosen on other images than each was evaluated on. */
  scores: {
    /** The start as it is. */
    start: ScoreWithInterval;
    /** The start at the scale of these cells. */
    scaled: ScoreWithInterval;
    /** The trained network. */
    trained: ScoreWithInterval;
    /** What is in the folder. */
    result: ScoreWithInterval;
  };
  /** By how much the result is better than the start as it is, for Kaggle's mean; with a 95 % interval. */
  difference: Pick<ScoreDifference, 'difference' | 'interval'>;
  images: { train: number; heldOut: number };
  /** Ids of the held-out images. */
  heldOut: readonly string[];
  cells: { train: number; diameter: number };
  start: TriedStart;
  tried: readonly TriedStart[];
  /** `resize.scale` of the resulting network. */
  scale: number | null;
  thresholds: SegmentThresholds;
  training: {
    steps: number;
    planned: number;
    bestStep: number | null;
    reason: string;
    precision: string;
    device: string;
    batchSize: number;
    learningRate: number;
  };
  /** Seconds from the call to the result; of this process, if it was resumed. */
  seconds: number;
  source: Record<string, unknown> | null;
}
