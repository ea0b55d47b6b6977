// cellroute: inference, masks and results. Training, metrics, drawing and reports have separate entry points.

export type { NumberRange } from './check.js';
export {
  type ClassifierConfig,
  classifierConfig,
  type PartialClassifierConfig,
} from './config/classifier.js';
export { type MaskRCNNConfig, maskRCNNConfig, type PartialMaskRCNNConfig } from './config/mask-rcnn.js';
export type { DeepPartial } from './config/schema.js';
export type { Intensity } from './config/shared.js';
export {
  CellrouteError,
  type ErrorCode,
  type ErrorDetails,
  type ErrorDetailsByCode,
  type ErrorWith,
  type FileDetails,
  type ImageDetails,
  type LimitDetails,
  type LockOwner,
  type MaskDetails,
  type NoDetails,
  type ValueDetails,
} from './errors.js';
export {
  type CocoDataset,
  type CocoDetection,
  type CocoOptions,
  type CocoResult,
  type CocoResultsOptions,
  type CocoSegmentation,
  cocoDatasetJson,
  cocoResultsJson,
  streamCocoDataset,
  streamCocoResults,
} from './export/coco-json.js';
export { type ExplanationJson, explanationJson } from './export/explanation-json.js';
export {
  type FormatContext,
  type FormatDescription,
  type ImageFormatContext,
  type ImageResultFormat,
  RESULT_FORMATS,
  type ResultFormat,
  type ResultFormatName,
  type RunResult,
  type RunResultFormat,
} from './export/formats.js';
export { type GeoJsonOptions, quPathGeoJson, streamQuPathGeoJson } from './export/geojson.js';
export { imageJRois } from './export/imagej.js';
export {
  type KaggleOptions,
  type KaggleTrainOptions,
  kaggleCsv,
  kaggleTrainCsv,
  streamKaggleCsv,
  streamKaggleTrainCsv,
} from './export/kaggle-csv.js';
export { labelPng, streamLabelPng } from './export/label-png.js';
export { type LabelTiffOptions, labelTiff, omeTiff } from './export/label-tiff.js';
export { measurementsCsv, streamMeasurementsCsv } from './export/measurements-csv.js';
export { measurementsParquet } from './export/measurements-parquet.js';
export type { MeasurementsTableOptions } from './export/measurements-table.js';
export type { NamedResult } from './export/named.js';
export {
  type FolderFile,
  type OmeZarrOptions,
  omeZarrFiles,
  omeZarrZip,
  writeOmeZarr,
} from './export/ome-zarr.js';
export {
  type ResultJson,
  type ResultJsonCell,
  type ResultJsonOptions,
  resultJson,
  streamResultJson,
} from './export/result-json.js';
export { streamSummaryCsv, summaryCsv } from './export/summary-csv.js';
export type { ImageRegion } from './image/centred-part.js';
export { type DecodeOptions, decodeImage, type ImageInfo, readImageInfo } from './image/decode.js';
export type { ImageLimits } from './image/limits.js';
export type { Slide, SlideLevel, SlideWindow } from './image/slide.js';
export { type OpenSlideOptions, openSlide } from './image/slide-open.js';
export type {
  ChannelChoice,
  ImageContent,
  ImageDataLike,
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
  type RoutedSegmentAllOptions,
  type RoutedSegmentOptions,
  type RoutedSlideOptions,
  type SaveEnsembleOptions,
} from './inference/ensemble.js';
export {
  type ExplainMethod,
  type ExplainOptions,
  Explanation,
} from './inference/explanation.js';
export type { SaveOptions } from './inference/model-file.js';
export { type FoundModel, findModel } from './inference/model-path.js';
export type { Precision } from './inference/precision.js';
export { sartorius } from './inference/presets.js';
export {
  type QueueLimits,
  type QueueOptions,
  type QueueState,
  queueState,
  setQueueLimits,
} from './inference/queue.js';
export {
  type LimitsReached,
  type Route,
  type RoutedSegmentation,
  reviveResult,
  type Seams,
  type Segmentation,
  type SlideInfo,
} from './inference/result.js';
export type { RouterStatistics, TypeStatistics } from './inference/router-statistics.js';
export { SCALE_RANGES, type ScaleOptions } from './inference/scale.js';
export type {
  ImageSequence,
  NamedImage,
  SegmentAllOptions,
  SegmentAllResult,
} from './inference/segment-all.js';
export type { SegmentOptions } from './inference/segment-options.js';
export {
  planSlide,
  type SlideRowCells,
  type SlideSegmenter,
  segmentSlideRow,
  stitchSlideRows,
} from './inference/segment-slide.js';
export { CellSegmenter, type LoadSegmenterOptions } from './inference/segmenter.js';
export type { BackgroundRule, SlideRowsOptions, SlideSegmentOptions } from './inference/slide-options.js';
export type { SlidePlan, SlideRoute } from './inference/slide-plan.js';
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
export type { ColumnNames } from './measure/columns.js';
export type { ChannelMeasurements } from './measure/intensities.js';
export {
  type Measurements,
  type MeasureOptions,
  measure,
  type ShapeMeasurements,
} from './measure/measure.js';
export type { NativeGpu, NativeSegmentOptions, NativeShapes } from './native/contract.js';
export { type DiagnoseOptions, type Diagnosis, diagnose } from './native/doctor.js';
export type { InstalledPackage, SearchedLocation } from './native/find.js';
export type { CallOptions, Progress } from './native/job.js';
export { type Loaded, type LoadOptions, loadNative } from './native/load.js';
export type { ProcessOptions } from './pool.js';
export { type ExportPythonOptions, exportPython } from './python/export-python.js';
export { type ConvertOptions, convertWeights } from './weights/convert.js';
export { inspectWeights } from './weights/open.js';
export type {
  DType,
  FastaiExport,
  FastaiResize,
  OtherEntry,
  Refusal,
  TensorEntry,
  WeightsFile,
  WeightsFormat,
} from './weights/table.js';
