import type { SegmentThresholds } from '../inference/thresholds.js';
import type { ScoreDifference } from '../metrics/index.js';

/** Scores of a segmenter on training images, before training. */
export interface TriedStart {
  /** Type of the starter ensemble, or path of a weights file. */
  name: string;
  /** Factor of the network's `resize` at which cells have the size of its training. */
  scale: number;
  /** Average precision at IoU 0.5 on the evaluated training images, 0 to 1. */
  ap50: number;
  /** The competition's mean precision at a score of 0.5, 0 to 1. */
  kaggle: number;
}

/** A score with its 95 % interval over images. */
export interface ScoreWithInterval {
  score: number;
  /** Absent if only one image was held out. */
  interval?: readonly [low: number, high: number];
}

/** What {@link finetune} returns and writes as `summary.json`. */
export interface FinetuneSummary {
  format: 'cellroute-finetune';
  version: 1;
  /** Folder of the resulting ensemble. */
  folder: string;
  /**
   * The network in the folder. `trained`: the trained network. `scaled`: the start at the scale of these cells; `start`: the
   * unchanged start; both if the gain of the trained network on the held-out images can be chance.
   */
  result: 'trained' | 'scaled' | 'start';
  metric: string;
  /** Scores on the held-out images. No image was evaluated with thresholds that were chosen on it. */
  scores: {
    /** The unchanged start. */
    start: ScoreWithInterval;
    /** The start at the scale of these cells. */
    scaled: ScoreWithInterval;
    /** The trained network. */
    trained: ScoreWithInterval;
    /** The network in the folder. */
    result: ScoreWithInterval;
  };
  /** Difference between the result and the unchanged start in the competition's mean precision, with a 95 % interval. */
  difference: Pick<ScoreDifference, 'difference' | 'interval'>;
  images: { train: number; heldOut: number };
  /** Ids of the held-out images. */
  heldOut: readonly string[];
  cells: { train: number; diameter: number };
  start: TriedStart;
  tried: readonly TriedStart[];
  /** `resize.scale` of the resulting network; null if it is the unchanged start. */
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
  /** Duration of the call in seconds; of the last call, if it was resumed. */
  seconds: number;
  source: Record<string, unknown> | null;
}
