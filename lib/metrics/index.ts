import { checkObject, checkOneOf } from '../check.js';
import type { Evaluation, ImageSetScores } from './types.js';

export { IOU_THRESHOLDS } from './check.js';
export {
  type CompareOptions,
  type Comparison,
  compareEvaluations,
  type ScoreDifference,
} from './compare.js';
export { evaluate } from './evaluate.js';
export type {
  BootstrapOptions,
  ClassScores,
  CocoScores,
  CountError,
  EvaluatedImage,
  EvaluateOptions,
  Evaluation,
  EvaluationRules,
  HitScores,
  ImageScores,
  ImageSetScores,
  Interval,
  Intervals,
  PanopticScores,
} from './types.js';

export const METRIC_NAMES = ['kaggle', 'ap', 'ap50', 'f1', 'pq', 'aji'] as const;
/** Name of a metric by which a model can be selected. */
export type MetricName = (typeof METRIC_NAMES)[number];

/**
 * One metric of an evaluation, or of one of its types, as a number for which larger is better. NaN for `ap` and `ap50`
 * without ground truth.
 *
 * @throws {CellrouteError} INVALID_ARGUMENT for an unknown name.
 */
export function metricOf(evaluation: Evaluation | ImageSetScores, name: MetricName): number {
  checkObject('evaluation', checkObject('evaluation', evaluation).kaggle);
  switch (checkOneOf('name', name, METRIC_NAMES)) {
    case 'kaggle':
      return evaluation.kaggle.mean;
    case 'ap':
      return evaluation.coco.ap ?? Number.NaN;
    case 'ap50':
      return evaluation.coco.ap50 ?? Number.NaN;
    case 'f1':
      return evaluation.f1.f1;
    case 'pq':
      return evaluation.panoptic.pq;
    case 'aji':
      return evaluation.aji;
  }
}
