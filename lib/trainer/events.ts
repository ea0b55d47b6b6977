import type { ClassifierEvaluation } from './evaluate-classifier.js';
import type { SegmenterEvaluation } from './evaluate-segmenter.js';
import type { StartReport } from './network.js';

/** Names of the Mask R-CNN losses, as in torchvision. */
export type SegmenterLossName =
  | 'loss_classifier'
  | 'loss_box_reg'
  | 'loss_mask'
  | 'loss_objectness'
  | 'loss_rpn_box_reg';

/** Position of an event in its run, counted from 1. */
export interface RunPosition {
  epoch: number;
  step: number;
}

/** The run starts or resumes. */
export interface StartEvent extends RunPosition {
  kind: 'start';
  folder: string;
  /** Whether the run resumes from a checkpoint. Epoch and step are then the next ones. */
  resumed: boolean;
  epochs: number;
  steps: number;
  stepsPerEpoch: number;
  /** Loaded weights, if training starts from a file. */
  report?: StartReport | undefined;
}

/** A step is finished. */
export interface StepEvent<Loss extends string = string> extends RunPosition {
  kind: 'step';
  batch: number;
  batches: number;
  steps: number;
  epochs: number;
  losses: Record<Loss, number>;
  /** Sum of the losses, which is minimized. */
  total: number;
  /** Learning rate of the step. */
  lr: number;
  momentum: number;
  /** Norm of all gradients before clipping. */
  gradNorm: number;
  imagesPerSecond: number;
  /** Estimated seconds until the last step, without validations. */
  secondsLeft: number;
  /** Ids of the batch's images. */
  images: readonly string[];
}

/** An epoch is finished. */
export interface EpochEvent<Loss extends string = string> extends RunPosition {
  kind: 'epoch';
  epochs: number;
  /** Means over the epoch's steps. */
  losses: Record<Loss, number>;
  total: number;
  /** Duration of the steps in seconds, without interruptions. */
  seconds: number;
}

/** A validation is finished. */
export interface ValidationEvent<Evaluation> extends RunPosition {
  kind: 'validation';
  metric: string;
  score: number;
  /** Whether this is the best score so far. */
  best: boolean;
  /** Other metrics, by name. */
  figures: Record<string, number>;
  /** Confusion matrix of a classifier: true class by row, predicted class by column. */
  confusion?: readonly (readonly number[])[] | undefined;
  evaluation: Evaluation;
  seconds: number;
}

/** The best network so far was saved. */
export interface BestEvent extends RunPosition {
  kind: 'best';
  score: number;
  file: string;
}

/** A checkpoint was saved, from which the run can be resumed. */
export interface CheckpointEvent extends RunPosition {
  kind: 'checkpoint';
  file: string;
}

/** A warning that does not stop the run, such as a log that cannot be written. */
export interface NoticeEvent extends RunPosition {
  kind: 'notice';
  message: string;
}

/** The run is finished or interrupted: the last event. */
export interface StopEvent extends RunPosition {
  kind: 'stop';
  reason: 'finished' | 'early-stopping' | 'aborted';
  folder: string;
  /** File of the final weights: those of the best validation, if there was one. Not set after an abort. */
  weights?: string;
  best?: { score: number; step: number; epoch: number } | undefined;
}

/** Event of a training run; `kind` selects the type. */
export type TrainEvent<Loss extends string, Evaluation> =
  | StartEvent
  | StepEvent<Loss>
  | EpochEvent<Loss>
  | ValidationEvent<Evaluation>
  | BestEvent
  | CheckpointEvent
  | NoticeEvent
  | StopEvent;

/** Event of {@link SegmenterTrainer.run}. */
export type SegmenterTrainEvent = TrainEvent<SegmenterLossName, SegmenterEvaluation>;
/** Event of {@link ClassifierTrainer.run}. */
export type ClassifierTrainEvent = TrainEvent<'loss', ClassifierEvaluation>;
