import type { ClassifierEvaluation } from './evaluate-classifier.js';
import type { SegmenterEvaluation } from './evaluate-segmenter.js';
import type { StartReport } from './network.js';

/** torchvision's losses of a Mask R-CNN. */
export type SegmenterLossName =
  | 'loss_classifier'
  | 'loss_box_reg'
  | 'loss_mask'
  | 'loss_objectness'
  | 'loss_rpn_box_reg';

/** Where a run is. Everything counts from 1; `batch` within its epoch. */
export interface Place {
  epoch: number;
  step: number;
}

/** The run begins, or goes on. */
export interface StartEvent extends Place {
  kind: 'start';
  folder: string;
  /** Whether it goes on from a checkpoint; epoch and step are then the next ones. */
  resumed: boolean;
  epochs: number;
  steps: number;
  stepsPerEpoch: number;
  /** How the weights began, where a file was started from. */
  report?: StartReport;
}

/** One step is done. */
export interface StepEvent<Loss extends string = string> extends Place {
  kind: 'step';
  batch: number;
  batches: number;
  steps: number;
  epochs: number;
  losses: Record<Loss, number>;
  /** Their sum, which is what is minimised. */
  total: number;
  /** What the step was taken with. */
  lr: number;
  momentum: number;
  /** Of all gradients together, before clipping. */
  gradNorm: number;
  imagesPerSecond: number;
  /** Until the last step, as fast as the last steps were; validations not counted. */
  secondsLeft: number;
  /** Ids of the batch's images. */
  images: readonly string[];
}

/** An epoch's steps are done. */
export interface EpochEvent<Loss extends string = string> extends Place {
  kind: 'epoch';
  epochs: number;
  /** Means over the epoch's steps. */
  losses: Record<Loss, number>;
  total: number;
  /** That the steps took, over interruptions. */
  seconds: number;
}

/** The network was tried on the validation images. */
export interface ValidationEvent<Evaluation> extends Place {
  kind: 'validation';
  metric: string;
  score: number;
  /** Whether it is better than every one before. */
  best: boolean;
  /** Further figures, by name. */
  figures: Record<string, number>;
  /** Of a classifier: images of each class (a row), by the class they were taken for. */
  confusion?: readonly (readonly number[])[];
  evaluation: Evaluation;
  seconds: number;
}

/** The best network so far lies in a file. */
export interface BestEvent extends Place {
  kind: 'best';
  score: number;
  file: string;
}

/** The state of the run lies in a file: it can go on from here. */
export interface CheckpointEvent extends Place {
  kind: 'checkpoint';
  file: string;
}

/** Something to know that stops nothing, such as a log that cannot be written. */
export interface NoticeEvent extends Place {
  kind: 'notice';
  message: string;
}

/** The run is over, or interrupted: the last event. */
export interface StopEvent extends Place {
  kind: 'stop';
  why: 'finished' | 'early-stopping' | 'aborted';
  folder: string;
  /** The final weights, those of the best validation where there were any; not after an abort. */
  weights?: string;
  best?: { score: number; step: number; epoch: number };
}

export type TrainEvent<Loss extends string, Evaluation> =
  | StartEvent
  | StepEvent<Loss>
  | EpochEvent<Loss>
  | ValidationEvent<Evaluation>
  | BestEvent
  | CheckpointEvent
  | NoticeEvent
  | StopEvent;

export type SegmenterTrainEvent = TrainEvent<SegmenterLossName, SegmenterEvaluation>;
export type ClassifierTrainEvent = TrainEvent<'loss', ClassifierEvaluation>;
