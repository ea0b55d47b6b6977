// cellroute/metrics: evaluation of predictions against ground truth.

export type { Crowds } from './annotations/types.js';
export { type PairedImages, type PairFilesOptions, pairFiles } from './metrics/files/index.js';
export type { PairOptions } from './metrics/files/pair.js';
export {
  type BootstrapOptions,
  type ClassScores,
  type CocoScores,
  type CompareOptions,
  type Comparison,
  type CountError,
  compareEvaluations,
  type EvaluatedImage,
  type EvaluateOptions,
  type Evaluation,
  type EvaluationRules,
  evaluate,
  type HitScores,
  type ImageScores,
  type ImageSetScores,
  type Interval,
  type Intervals,
  IOU_THRESHOLDS,
  type MetricName,
  metricOf,
  type PanopticScores,
  type ScoreDifference,
} from './metrics/index.js';
