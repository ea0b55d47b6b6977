// cellroute/train: data sets, their correction, transforms, training and tuning.
export type { SignalOptions } from './abort.js';
export type { DataProblem } from './annotations/problems.js';
export type { Crowds } from './annotations/types.js';
export type { JsonSchema } from './config/schema.js';
export { Dataset, type DatasetDetails, type DatasetFilter, type DatasetParts } from './data/dataset.js';
export type { CellSizes } from './data/diameters.js';
export { type AnnotatedImage, type DatasetFromOptions, datasetFrom } from './data/iterable.js';
export { openDataset } from './data/open.js';
export type { OpenDatasetOptions } from './data/options.js';
export type { FoldOptions, SplitOptions } from './data/split.js';
export type { DatasetSummary, ImagesSummary, SummaryOptions } from './data/summary.js';
export type {
  ClassifySample,
  DatasetContents,
  DatasetItem,
  LoadedItem,
  TrainSample,
} from './data/types.js';
export { type CreateEnsembleOptions, createEnsemble, type NewType } from './ensembles/create.js';
export { type DescribedEnsemble, type DescribedType, describeEnsemble } from './ensembles/describe.js';
export {
  type AddTypeOptions,
  addToEnsemble,
  type RemoveTypeOptions,
  type RenameTypeOptions,
  removeFromEnsemble,
  renameInEnsemble,
} from './ensembles/edit.js';
export type { TypeImages } from './ensembles/embedding.js';
export type { WriteOptions } from './ensembles/stored.js';
export type {
  DataEvent,
  FinetuneEvent,
  FinetuneNotice,
  FinishedEvent,
  HeldOutEvent,
  PlanEvent,
  StartChosenEvent,
  TrainingEvent,
  TriedEvent,
} from './finetune/events.js';
export { finetune } from './finetune/finetune.js';
export type { FinetuneOptions } from './finetune/options.js';
export type { FinetuneSummary, ScoreWithInterval, TriedStart } from './finetune/summary.js';
export type { ReviewSummary } from './review/corrections.js';
export type { ReviewOptions } from './review/options.js';
export { type Review, startReview } from './review/review.js';
export { ClassifierTrainer, type ClassifierTypes } from './trainer/classifier-trainer.js';
export type {
  ClassifierTraining,
  PartialClassifierTraining,
  PartialSegmenterTraining,
  SegmenterTraining,
  Training,
} from './trainer/config.js';
export {
  type EnsembleEvent,
  type EnsembleTrainEvent,
  EnsembleTrainer,
  type EnsembleTrainerOptions,
  type EnsembleTraining,
  type Part,
  type PartEvent,
  type ResumeEnsembleOptions,
} from './trainer/ensemble-trainer.js';
export type { ClassifierEvaluation } from './trainer/evaluate-classifier.js';
export type { SegmenterEvaluation } from './trainer/evaluate-segmenter.js';
export type {
  BestEvent,
  CheckpointEvent,
  ClassifierTrainEvent,
  EpochEvent,
  NoticeEvent,
  RunPosition,
  SegmenterLossName,
  SegmenterTrainEvent,
  StartEvent,
  StepEvent,
  StopEvent,
  TrainEvent,
  ValidationEvent,
} from './trainer/events.js';
export type { StartReport } from './trainer/network.js';
export { SegmenterTrainer, type SegmenterTypes } from './trainer/segmenter-trainer.js';
export type { Snapshot, TrainingTypes } from './trainer/task.js';
export type { ResumeOptions, Resumption, RunOptions, Trainer, TrainerOptions } from './trainer/trainer.js';
export { syncWandb } from './trainer/wandb.js';
export type { Transform, TransformKind } from './transforms/index.js';
export * as transforms from './transforms/index.js';
export type { TuneGrid } from './tune/threshold-grid.js';
export type { TunedThresholds, TuneOptions } from './tune/tune.js';
export { tuneEnsemble } from './tune/tune-ensemble.js';
