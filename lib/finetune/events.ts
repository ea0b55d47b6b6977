import type { CellSizes } from '../data/diameters.js';
import type { SegmenterTrainEvent } from '../trainer/events.js';
import type { FinetuneSummary, TriedStart } from './summary.js';

/** The images are read and split. */
export interface DataEvent {
  kind: 'data';
  train: number;
  heldOut: number;
  /** Cell sizes of the training images. */
  sizes: CellSizes;
}

/** A start was evaluated on training images. */
export interface TriedEvent extends TriedStart {
  kind: 'tried';
  images: number;
}

/** The start was chosen. */
export interface StartChosenEvent extends TriedStart {
  kind: 'chosen';
}

/** A score on the held-out images. */
export interface HeldOutEvent {
  kind: 'held-out';
  /** `start`: the unchanged start; `scaled`: the start at the scale of these cells; `trained`: after training. */
  model: 'start' | 'scaled' | 'trained';
  metric: string;
  score: number;
  images: number;
}

/** Plan of the training, from the measured speed; sent again when the speed changes. */
export interface PlanEvent {
  kind: 'plan';
  steps: number;
  /** 0 if the number of steps is fixed. */
  secondsPerStep: number;
  precision: string;
  device: string;
  batchSize: number;
  /** Steps between two evaluations. */
  everySteps: number;
  learningRate: number;
}

/** An event of the training: {@link SegmenterTrainEvent}. */
export interface TrainingEvent {
  kind: 'training';
  event: SegmenterTrainEvent;
}

/** A remark about the data or the training. */
export interface FinetuneNotice {
  kind: 'notice';
  message: string;
}

/** The last event. */
export interface FinishedEvent {
  kind: 'finished';
  summary: FinetuneSummary;
}

/** Event of {@link finetune}; `kind` selects the type. */
export type FinetuneEvent =
  | DataEvent
  | TriedEvent
  | StartChosenEvent
  | HeldOutEvent
  | PlanEvent
  | TrainingEvent
  | FinetuneNotice
  | FinishedEvent;
