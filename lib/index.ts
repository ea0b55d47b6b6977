export type { DataProblem } from './annotations/problems.js';
export {
  type ClassifierConfig,
  classifierConfig,
  type PartialClassifierConfig,
} from './config/classifier.js';
export { type MaskRCNNConfig, maskRCNNConfig, type PartialMaskRCNNConfig } from './config/mask-rcnn.js';
export type { Intensity } from './config/shared.js';
export { Dataset, type DatasetDetails, type DatasetFilter, type DatasetParts } from './data/dataset.js';
export { type AnnotatedImage, type DatasetFromOptions, datasetFrom } from './data/iterable.js';
export { openDataset } from './data/open.js';
export type { OpenDatasetOptions } from './data/options.js';
export type { FoldOptions, SplitOptions } from './data/split.js';
export type { DatasetSummary, ImagesSummary, SummaryOptions } from './data/summary.js';
export type { DatasetItem, LoadedItem } from './data/types.js';
export { CellrouteError, type ErrorCode, type ErrorDetails, type LockOwner } from './errors.js';
export {
  type CocoOptions,
  type CocoResult,
  cocoDatasetJson,
  cocoResultsJson,
} from './export/coco-json.js';
export { kaggleCsv, kaggleTrainCsv } from './export/kaggle-csv.js';
export { labelPng } from './export/label-png.js';
export type { NamedResult } from './export/named.js';
export {
  type ResultJson,
  type ResultJsonCell,
  type ResultJsonOptions,
  resultJson,
} from './export/result-json.js';
export { type DecodeOptions, decodeImage, type ImageInfo, readImageInfo } from './image/decode.js';
export type { ImageLimits } from './image/limits.js';
export type {
  ChannelChoice,
  ImageInput,
  ImageReadOptions,
  ImageSource,
  RawImage,
} from './image/types.js';
export { type Cell, type CellArrays, type CellJson, Cells } from './inference/cells.js';
export {
  CellClassifier,
  type Classification,
  type ClassifyOptions,
  type InputTensor,
  type LoadClassifierOptions,
} from './inference/classifier.js';
export type { Device } from './inference/device.js';
export {
  type LoadEnsembleOptions,
  RoutedEnsemble,
  type RoutedEnsembleOptions,
  type RoutedSegmentOptions,
} from './inference/ensemble.js';
export {
  type ExplainMethod,
  type ExplainOptions,
  Explanation,
  type SeenRegion,
} from './inference/explanation.js';
export type { SaveOptions } from './inference/model-file.js';
export type { Precision } from './inference/precision.js';
export { sartorius } from './inference/presets.js';
export {
  type LimitsReached,
  type Route,
  type RoutedSegmentation,
  reviveResult,
  type Seams,
  type Segmentation,
} from './inference/result.js';
export {
  CellSegmenter,
  type LoadSegmenterOptions,
  type SegmentOptions,
} from './inference/segmenter.js';
export {
  type OverlapRemoval,
  REMOVE_OVERLAPS,
  type SegmentThresholds,
  THRESHOLDS,
  type ThresholdName,
  type ThresholdSpec,
} from './inference/thresholds.js';
export type { TileSize, Tiles } from './inference/tiles.js';
export { type Box, type BoxArray, boxArray, fromCocoBoxes, toCocoBoxes } from './mask/boxes.js';
export { Contours, type Corner, type Polygon, type Ring } from './mask/contours.js';
export {
  type ImageSize,
  type IouOptions,
  type MaskBatch,
  Masks,
  type MasksJson,
  type RemoveOverlapsOptions,
  type RowRun,
} from './mask/masks.js';
export { type PairedImages, type PairFilesOptions, pairFiles } from './metrics/files/index.js';
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
export type { CallOptions, Progress } from './native/job.js';
export { type LoadOptions, loadNative } from './native/load.js';
export { type ComparisonOptions, type PredictedCells, renderComparison } from './render/comparison.js';
export type { RenderFormat } from './render/encode.js';
export { type HeatMapOptions, renderHeatMap } from './render/heat-map.js';
export { type OverlayOptions, renderOverlay } from './render/overlay.js';
export { Report, type ReportOptions } from './report/report.js';
export { ClassifierTrainer } from './trainer/classifier-trainer.js';
export type {
  ClassifierTraining,
  PartialClassifierTraining,
  PartialSegmenterTraining,
  SegmenterTraining,
} from './trainer/config.js';
export {
  type EnsembleTrainEvent,
  EnsembleTrainer,
  type EnsembleTrainerOptions,
  type EnsembleTraining,
  type ResumeEnsembleOptions,
} from './trainer/ensemble-trainer.js';
export type { ClassifierTrainEvent, SegmenterTrainEvent, TrainEvent } from './trainer/events.js';
export type { StartReport } from './trainer/network.js';
export { SegmenterTrainer } from './trainer/segmenter-trainer.js';
export type { ResumeOptions, RunOptions, TrainerOptions } from './trainer/trainer.js';
export type { ClassifierEvaluation, SegmenterEvaluation } from './trainer/validation.js';
export { syncWandb } from './trainer/wandb.js';
export type { Transform, TransformKind } from './transforms/index.js';
export * as transforms from './transforms/index.js';
export type { TuneGrid } from './tune/threshold-grid.js';
export type { TunedThresholds, TuneOptions } from './tune/tune.js';
export { tuneEnsemble } from './tune/tune-ensemble.js';
