/**
 * Types of all functions and structs of the addon: the TypeScript side of native/addon.
 * Only plain structs and typed arrays cross, with one call per image or batch, never one per value.
 */

import type { ClassifierConfig } from '../config/classifier.js';
import type { MaskRCNNConfig } from '../config/mask-rcnn.js';
import type { Intensity } from '../config/shared.js';

/**
 * Masks of one image size. `counts` from `offsets[i]` to `offsets[i + 1]` are mask i as COCO counts: lengths of runs down
 * the columns, the first of them background.
 */
export interface MaskBatch {
  height: number;
  width: number;
  counts: Uint32Array;
  /** One more than the number of masks; starts with 0. */
  offsets: Uint32Array;
}

/** Remaining masks of a set, and their indices in the set. */
export interface NativeKeptMasks {
  masks: MaskBatch;
  kept: Uint32Array;
}

export interface NativeLabelledMasks {
  masks: MaskBatch;
  /** Label of each mask, ascending. */
  ids: Uint32Array;
}

/** Outlines. Each level has offsets into the previous one, which start with 0 and are one longer than its number of entries. */
export interface NativeContours {
  /** x, y of each corner. */
  points: Uint32Array;
  /** Offsets into points, in pairs. */
  rings: Uint32Array;
  /** Offsets into rings; the first ring of a polygon is its outer ring. */
  polygons: Uint32Array;
  /** Offsets into polygons. */
  masks: Uint32Array;
}

declare const brand: unique symbol;
/** A loaded network, owned by native code. */
export interface ModelHandle {
  readonly [brand]: 'model';
}
/** A network in training with its optimizer and, if requested, the average of its weights. */
export interface TrainerHandle {
  readonly [brand]: 'trainer';
}
/** A flag that cancels a job between its stages. */
export interface CancelHandle {
  readonly [brand]: 'cancel';
}

/** An image in native memory. */
export interface ImageHandle {
  readonly [brand]: 'image';
}
/** Room in the queue that a call holds for its image. */
export interface RoomHandle {
  readonly [brand]: 'room';
}

/** Last argument of every asynchronous function. */
export interface NativeCall {
  cancel?: CancelHandle;
  /** Called at most every 50 ms, with the name of the stage and the finished fraction, 0 to 1. */
  onProgress?: (stage: string, fraction: number) => void;
  /** Number of OpenMP threads of the owner thread; only that of the first call per process and device is used. */
  threads: number;
  /** Device whose owner thread runs the job, as returned by resolveDevice. Default: the CPU. Handles stay on their device. */
  device?: string;
  /** Whether a GPU may compute float32 products in TF32. */
  tf32?: boolean;
}

/** Location of a tensor in a file. Native code checks it again before it reads. */
export interface NativeTensorEntry {
  name: string;
  dtype: string;
  shape: readonly number[];
  /** Strides in elements. */
  strides: readonly number[];
  /** Position of element 0 in the file, in bytes. */
  offset: number;
  /** End of the storage that contains the tensor. */
  storageEnd: number;
}

export interface NativeWeights {
  path: string;
  tensors: readonly NativeTensorEntry[];
  /** Naming scheme of the tensors. */
  keys: 'torchvision' | 'fastai';
  /** Prefix that is added to every name, if the tensors are a part of the network. */
  prefix?: string;
}

/** Result of matching a file's tensors with a network's: names, and for mismatches both shapes. */
export interface LoadReport {
  loaded: string[];
  missing: string[];
  unexpected: string[];
  mismatched: string[];
}

export interface NativeLoaded {
  model: ModelHandle;
  report: LoadReport;
  /** Size of parameters and buffers in bytes. */
  bytes: number;
}

export interface NativeImage {
  data: Uint8Array | Uint16Array | Float32Array;
  width: number;
  height: number;
  channels: number;
}

/** Options of a segmentation as passed to native code. */
export interface NativeSegmentOptions {
  intensity: Intensity;
  /** Network's pixels per pixel of the image; null for the network's own resize. Tiles have a separate scale. */
  scale: number | null;
  scoreThreshold: number;
  nmsThreshold: number;
  detectionsPerImage: number;
  rpnPreNmsTopN: number;
  rpnPostNmsTopN: number;
  rpnNmsThreshold: number;
  rpnScoreThreshold: number;
  maskThreshold: number;
  /** Minimum area of a mask in pixels. */
  minArea: number;
  /** Share of its pixels that a cell may lose to higher-scored ones before it is dropped; null keeps overlaps. */
  maxLost: number | null;
  /** Whether the result has the seconds per stage. */
  profile: boolean;
}

/** A window of an image at a scale. */
export interface NativeProbe {
  /** Pixels of the network's input per pixel of the image. */
  scale: number;
  /** In pixels of the network's input. */
  x: number;
  y: number;
  width: number;
  height: number;
}

/** The boxes in one window, by descending score. */
export interface NativeProbedBoxes {
  /** x1, y1, x2, y2 of each in pixels of the window. */
  boxes: Float32Array;
  scores: Float32Array;
}

export interface NativeSegmentation {
  boxes: Float32Array;
  scores: Float32Array;
  labels: Int32Array;
  areas: Uint32Array;
  masks: MaskBatch;
  detectionsCapped: boolean;
  proposalsCapped: boolean;
  /** Seconds per stage of the whole batch, if requested. */
  profile?: Record<string, number>;
}

/** Tiling of an image, in pixels of the network's input. */
export interface NativeTiling {
  /** Pixels of the network's input per pixel of the image, whatever the network's own resize. */
  scale: number;
  size: number;
  overlap: number;
  /** Maximum number of cells of the whole image; null for any number. `detectionsPerImage` applies per tile. For stitching. */
  limit: number | null;
}

/** An image in tiles. */
export interface NativeGrid {
  width: number;
  height: number;
  tiling: NativeTiling;
}

/** Where the tiles of a grid lie. */
export interface NativeTilePlan {
  /** Two numbers per column of tiles: the first pixel of the image that it needs, and how many. */
  columns: Uint32Array;
  /** The same per row. */
  rows: Uint32Array;
  /** Positions of the seams in pixels of the image, ascending: x of the vertical, y of the horizontal ones. */
  seamsX: Float32Array;
  seamsY: Float32Array;
}

/** The values that become 0 and about 1: fractions of an integer type's range, or the floats themselves. */
export interface NativeRange {
  low: number;
  high: number;
}

/** Which tile of a grid, row by row, and the place in the image of the first pixel that is passed. */
export interface NativeTilePlace {
  index: number;
  x: number;
  y: number;
}

/** Detections of tiles, in pixels of the whole image. */
export interface NativeTileDetections {
  boxes: Float32Array;
  scores: Float32Array;
  labels: Int32Array;
  /** Index of the tile that detected it. */
  tiles: Uint32Array;
  /** Index of the tile whose core has the middle of its box. */
  owners: Uint32Array;
  /** Not 0 where it may continue beyond its tile. */
  cut: Uint8Array;
  masks: MaskBatch;
}

export interface NativeTile extends NativeTileDetections {
  detectionsCapped: boolean;
  proposalsCapped: boolean;
  profile?: Record<string, number>;
}

/** The rules for the cells of the whole image. */
export interface NativeStitchOptions {
  minArea: number;
  maxLost: number | null;
  /** Maximum number of cells of the whole image; null for any number. */
  limit: number | null;
  /** The first missing row of tiles; cells that it may change are held back. null: none is missing. */
  nextRow: number | null;
  profile: boolean;
}

export interface NativeStitched extends NativeSegmentation {
  /** Cells with a seam through their box, ascending. */
  onSeam: Uint32Array;
  /** Detections that were held back, ascending: indices into all that were passed. */
  open: Uint32Array;
}

/** Output of one forward pass before thresholds, by descending score. */
export interface NativeCandidates {
  boxes: Float32Array;
  scores: Float32Array;
  labels: Int32Array;
  /** [cells, side, side], for the class of the label. */
  probabilities: Float32Array;
  side: number;
  /** [cells, NMS thresholds]: not 0 if `segment` with this threshold keeps the cell. */
  keptBy: Uint8Array;
  /** Highest score of the detections that the limit dropped at any NMS threshold; 0 where it dropped none. */
  droppedScore: number;
  proposalsCapped: boolean;
}

export interface NativeClassification {
  logits: Float32Array;
  probabilities: Float32Array;
}

export interface NativeExplainOptions {
  method: 'integrated-gradients' | 'occlusion' | 'grad-cam';
  /** Class whose logit is explained; null for the highest. */
  target: number | null;
  /** Baseline: the configuration's mean, or zeros before normalisation. */
  baseline: 'mean' | 'black';
  /** Number of points on the path of integrated gradients. */
  steps: number;
  /** Side of the occlusion square and its step, in pixels of the network's input. */
  patch: number;
  stride: number;
}

export interface NativeExplanation {
  target: number;
  height: number;
  width: number;
  /** [height * width], in pixels of the network's input. */
  values: Float32Array;
  logits: Float32Array;
  baselineLogits: Float32Array;
}

export interface NativeTensorInfo {
  name: string;
  dtype: 'F32' | 'I64';
  shape: number[];
}

// Training

/** Sampling of anchors and proposals: torchvision's arguments of MaskRCNN. */
export interface NativeSampling {
  rpnFgIou: number;
  rpnBgIou: number;
  rpnBatchSize: number;
  rpnPositiveFraction: number;
  rpnPreNmsTopN: number;
  rpnPostNmsTopN: number;
  boxFgIou: number;
  boxBgIou: number;
  boxBatchSize: number;
  boxPositiveFraction: number;
  /** Samples keep their size, whatever the network's `resize`. */
  skipResize: boolean;
}

export type NativeOptimizer =
  | { kind: 'sgd'; weightDecay: number; nesterov: boolean }
  | { kind: 'adamw'; weightDecay: number; beta2: number; eps: number };

export interface NativeTrainerOptions {
  optimizer: NativeOptimizer;
  /** Number of trained backbone stages from the last: torchvision's trainable_backbone_layers, 0 to 5. */
  trainableLayers: number;
  /** Whether batch norms update their statistics; false keeps the initial ones. */
  updateBatchStatistics: boolean;
  /**
   * Decay of the exponential moving average of the weights; null for no average. Update n, from 0, uses at most
   * (1 + n) / (10 + n), so that the average of a short run does not depend on the initial weights.
   */
  averageDecay: number | null;
  /**
   * `bfloat16`: torch.autocast in the forward pass; weights, optimizer and losses stay float32. Faster only if the processor
   * has bfloat16 instructions (AVX512_BF16), otherwise slower.
   */
  precision: 'float32' | 'bfloat16';
  /** On a GPU: uses only kernels with a fixed order of summation. */
  deterministic: boolean;
  /**
   * Seed of the initial weights, an integer below 2^53. The same LibTorch gives the same weights, except for the last bits
   * between processor families.
   */
  seed: number;
}

export interface NativeSegmenterTrainerOptions extends NativeTrainerOptions {
  sampling: NativeSampling;
}

export interface NativeClassifierTrainerOptions extends NativeTrainerOptions {
  /** One weight per class; empty means equal weights. */
  classWeights: readonly number[];
}

/** Values that change from step to step. */
export interface NativeStep {
  lr: number;
  /** Momentum of SGD, beta1 of AdamW. */
  momentum: number;
  /** Maximum norm of all gradients together; null for no clipping. */
  maxGradNorm: number | null;
  /** Seed of all random numbers of the step, an integer below 2^53. */
  seed: number;
}

export interface NativeStepResult {
  /** Losses by torchvision's names, `loss` for a classifier; not weighted. */
  losses: Record<string, number>;
  /** Norm of all gradients before clipping; NaN if a loss was not finite. */
  gradNorm: number;
  /** false if a loss or a gradient was not finite; the weights are then unchanged. */
  applied: boolean;
}

// Samples

/** One axis of a sample: the positions of its pixels along an axis of the image, in image pixels. */
export interface NativeSampleSide {
  /** Number of pixels of the sample. */
  size: number;
  /** Start of the first pixel, and image pixels per pixel; negative if the axis is flipped. */
  origin: number;
  step: number;
  /** Visible range of the image: from `first` to below `end`. */
  first: number;
  end: number;
}

/** Complete plan of a sample, in which every pixel is resampled once. */
export interface NativeSamplePlan {
  /** Intensity rule, applied to the whole image first, as before inference. */
  intensity: Intensity;
  /** Whether rows of the sample run along the image's y axis. */
  transposed: boolean;
  /** Axes along the image's x and y, whatever the orientation of the sample. */
  x: NativeSampleSide;
  y: NativeSampleSide;
  /** Factors, applied in order to the visible part of the image; values are clamped to 0..1. */
  photometric: readonly { brightness: number; contrast: number; gamma: number }[];
  /** Value of pixels outside the image. */
  fill: number;
  /** Minimum visible share of a cell's pixels, 0 to 1; a cell without a visible pixel is always dropped. */
  minVisible: number;
}

export interface NativeSample {
  /** [3, height, width]. */
  pixels: Float32Array;
  masks: MaskBatch;
  /** Indices of these masks among the given ones, ascending. */
  kept: Uint32Array;
}

/** A sample for a training step: decoded, scaled by the model's intensity rule, transformed. */
export interface NativeTrainSample {
  /** [3, height, width], before normalisation by mean and std. */
  pixels: Float32Array;
  width: number;
  height: number;
  /** Masks with height × width pixels, without cells that a crop removed completely. */
  masks: MaskBatch;
  /** Class of each mask, 1 to numClasses - 1. */
  labels: Int32Array;
}

/** A sample for a training step of the classifier. */
export interface NativeClassifySample {
  /** [3, height, width], before normalisation by mean and std; equal sizes within a batch. */
  pixels: Float32Array;
  width: number;
  height: number;
  /** Index of the class. */
  label: number;
}

// Metrics

/** An image to be evaluated. Boxes are x, y, width, height; arrays that may be empty say so. */
export interface NativeEvaluatedImage {
  groundTruth: MaskBatch;
  predicted: MaskBatch;
  groundTruthLabels: Int32Array;
  labels: Int32Array;
  scores: Float64Array;
  /** Not 0 for regions of many cells; empty if there are none. */
  crowd: Uint8Array;
  /** Empty: boxes of the masks. */
  groundTruthBoxes: Float64Array;
  boxes: Float64Array;
  /** Areas for COCO's size classes; empty: areas of the masks. */
  groundTruthAreas: Float64Array;
  areas: Float64Array;
}

export interface NativeMetricsOptions {
  minScore: number;
  /** Share of its pixels that a prediction may lose to higher-scored ones before it is dropped; null keeps overlaps. */
  maxLost: number | null;
  /** IoU threshold of a match. */
  iou: number;
  /** Maximum number of predictions per image and class for COCO's metrics; null for all. */
  maxDets: number | null;
  /** Number of bootstrap samples; 0 for none. */
  samples: number;
  /** Random seed, an integer below 2^53. */
  seed: number;
  /** Share of the samples inside the intervals. */
  confidence: number;
}

type NativeCocoMetric =
  | 'Ap'
  | 'ApSmall'
  | 'ApMedium'
  | 'ApLarge'
  | 'Ap50'
  | 'Ap75'
  | 'Ar'
  | 'ArSmall'
  | 'ArMedium'
  | 'ArLarge';

/** kMetricNames of native/metrics/summary.h. */
export type NativeMetric =
  | 'kaggle'
  | `precision${50 | 55 | 60 | 65 | 70 | 75 | 80 | 85 | 90 | 95}`
  | `${'segm' | 'bbox'}${NativeCocoMetric}`
  | 'truePositives'
  | 'falsePositives'
  | 'falseNegatives'
  | 'precision'
  | 'recall'
  | 'f1'
  | 'pq'
  | 'sq'
  | 'rq'
  | 'aji'
  | 'countBias'
  | 'countAbsolute'
  | 'countRelative';

/** NaN for an undefined metric. */
export type NativeSummary = Readonly<Record<NativeMetric, number>>;

export interface NativeEvaluation {
  /** One number per image; ten for `precision`. */
  images: {
    groundTruths: Uint32Array;
    predictions: Uint32Array;
    truePositives: Uint32Array;
    falsePositives: Uint32Array;
    falseNegatives: Uint32Array;
    kaggle: Float64Array;
    precision: Float64Array;
    aji: Float64Array;
    pq: Float64Array;
  };
  /** All images, then each group; `low` and `high` with bootstrap. */
  groups: { summary: NativeSummary; low?: NativeSummary; high?: NativeSummary }[];
  /** By ascending label; a class has only COCO's metrics and panoptic quality. */
  classes: { label: number; groundTruths: number; summary: NativeSummary }[];
}

/** Measurements of the shape of masks: a value per mask in each array. native/measure/shape.h has the definitions. */
export interface NativeShapes {
  /** Pixels. */
  area: Float64Array;
  perimeter: Float64Array;
  /** Of pixel centres, which are integers. */
  centroidX: Float64Array;
  centroidY: Float64Array;
  left: Float64Array;
  top: Float64Array;
  /** Exclusive, as `bottom`. */
  right: Float64Array;
  bottom: Float64Array;
  majorAxis: Float64Array;
  minorAxis: Float64Array;
  eccentricity: Float64Array;
  /** Radians. */
  orientation: Float64Array;
  convexArea: Float64Array;
  solidity: Float64Array;
  feretMax: Float64Array;
  feretMin: Float64Array;
  circularity: Float64Array;
  /** 0 or 1. */
  touchesBorder: Float64Array;
  neighbors: Float64Array;
}

/**
 * Statistics of pixel values in a window: those of the channels of mask i lie from `i * channels` on. Without pixels in the
 * window, sum and count are 0 and the others NaN.
 */
export interface NativeIntensities {
  channels: number;
  /** Pixels in the window: one per mask. */
  count: Float64Array;
  mean: Float64Array;
  min: Float64Array;
  max: Float64Array;
  sum: Float64Array;
  /** Sum of the squared differences from the mean. */
  squares: Float64Array;
}

/** A GPU that the driver reports. */
export interface NativeGpu {
  name: string;
  /** Compute capability, such as 9.0. */
  capability: string;
  bytes: number;
  /** Reason why the addon cannot use it; empty if it can. */
  problem: string;
}

export interface NativeInfo {
  libtorch: string;
  /** Instruction set of LibTorch's kernels: AVX512, AVX2, DEFAULT. */
  cpuCapability: string;
  /** Whether this addon was built with CUDA. */
  cuda: boolean;
  /** Whether the processor has bfloat16 instructions that LibTorch uses. */
  bfloat16: boolean;
  /** Whether there are int8 kernels for the processor. */
  int8: boolean;
}

export interface NativeAddon {
  info(): NativeInfo;
  /** Initialises CUDA, if available. `problem` has the reason for an empty list, and what to do. */
  findGpus(call: NativeCall): Promise<{ list: NativeGpu[]; problem: string }>;
  /** Resolves cpu, cuda, cuda:<n> or auto to `cpu` or `cuda:<n>`; rejects with DEVICE_UNAVAILABLE. */
  resolveDevice(name: string, call: NativeCall): Promise<string>;

  createCancel(): CancelHandle;
  cancel(handle: CancelHandle): void;
  /** Room for an image of this many bytes; null if it must wait. Limits apply to the whole process. */
  tryRoom(bytes: number): RoomHandle | null;
  /** Waits for room, in the order of the calls. */
  requestRoom(bytes: number, call: NativeCall): Promise<RoomHandle>;
  releaseRoom(room: RoomHandle): void;
  setQueueLimits(bytes: number, calls: number): void;
  /** Limits above Number.MAX_SAFE_INTEGER have not been set yet. */
  queueState(): { maxQueuedBytes: number; maxQueuedCalls: number; bytes: number; calls: number };

  /** Allocates native memory for an image of this size and type, without pixels. */
  createImage(image: NativeImage): ImageHandle;
  /** Appends elements `begin` to `end` of `data` to the image. INVALID_ARGUMENT if `data` was transferred. */
  appendPixels(image: ImageHandle, data: NativeImage['data'], begin: number, end: number): void;
  releaseImage(image: ImageHandle): void;
  /** Frees the memory of an array that is no longer used, by detaching its buffer. */
  discardPixels(data: NativeImage['data']): void;

  /** The largest centred part of an image with the target's aspect ratio, which a classifier's `resize` crops. */
  centredPart(
    image: { width: number; height: number },
    target: { width: number; height: number },
  ): { x: number; y: number; width: number; height: number };

  /** Cancels all jobs of the process and waits for the owner thread to end; called before the process exits. */
  stopEngine(): void;

  /** bfloat16 and int8 on the CPU only if `info` has them; int8 only on the CPU, float16 only on a GPU. */
  loadMaskRCNN(
    config: MaskRCNNConfig,
    weights: NativeWeights,
    precision: 'float32' | 'bfloat16' | 'float16' | 'int8',
    call: NativeCall,
  ): Promise<NativeLoaded>;
  loadClassifier(config: ClassifierConfig, weights: NativeWeights, call: NativeCall): Promise<NativeLoaded>;
  releaseModel(model: ModelHandle): void;
  /** Parameters and buffers by torchvision's names. */
  listTensors(model: ModelHandle): NativeTensorInfo[];
  /** Bytes of one tensor in row-major order. */
  readTensor(model: ModelHandle, name: string, call: NativeCall): Promise<Uint8Array>;

  segment(
    model: ModelHandle,
    image: NativeImage | ImageHandle,
    options: NativeSegmentOptions,
    call: NativeCall,
  ): Promise<NativeSegmentation>;
  planTiles(model: ModelHandle, grid: NativeGrid): NativeTilePlan;
  /** Range that an intensity rule measures in an image; null for a rule that does not depend on it. Refuses NaN and infinity. */
  measureRange(
    image: NativeImage | ImageHandle,
    intensity: Intensity,
    call: NativeCall,
  ): Promise<NativeRange | null>;
  /** One tile of an image, of which `image` has at least the pixels that the tile needs. */
  segmentTile(
    model: ModelHandle,
    image: NativeImage | ImageHandle,
    options: NativeSegmentOptions,
    grid: NativeGrid,
    place: NativeTilePlace,
    range: NativeRange | null,
    call: NativeCall,
  ): Promise<NativeTile>;
  /** Joins the detections of tiles. */
  stitchTiles(
    model: ModelHandle,
    grid: NativeGrid,
    tiles: readonly NativeTileDetections[],
    options: NativeStitchOptions,
    call: NativeCall,
  ): Promise<NativeStitched>;
  /** The boxes in windows of an image, without masks. Intensities are scaled over the whole image. */
  probeScales(
    model: ModelHandle,
    image: NativeImage | ImageHandle,
    options: NativeSegmentOptions,
    probes: readonly NativeProbe[],
    call: NativeCall,
  ): Promise<NativeProbedBoxes[]>;
  /** Standard deviation of the values in each block of a grid over the image, row by row. */
  blockContrast(
    image: NativeImage | ImageHandle,
    intensity: Intensity,
    rows: number,
    columns: number,
    call: NativeCall,
  ): Promise<Float32Array>;
  /** All cells above the options' score threshold that `segment` keeps with one of the NMS thresholds. */
  findCandidates(
    model: ModelHandle,
    image: NativeImage | ImageHandle,
    options: NativeSegmentOptions & { nmsThresholds: readonly number[] },
    call: NativeCall,
  ): Promise<NativeCandidates>;
  /** Masks of candidates at a mask threshold, one per candidate. */
  cutMasks(
    candidates: Pick<NativeCandidates, 'boxes' | 'probabilities' | 'side'>,
    height: number,
    width: number,
    threshold: number,
    call: NativeCall,
  ): Promise<MaskBatch>;
  classify(
    model: ModelHandle,
    image: NativeImage | ImageHandle,
    intensity: Intensity,
    call: NativeCall,
  ): Promise<NativeClassification>;
  /** Classifies a prepared network input: [3, height, width], normalised. */
  classifyTensor(
    model: ModelHandle,
    data: Float32Array,
    height: number,
    width: number,
    call: NativeCall,
  ): Promise<NativeClassification>;

  explain(
    model: ModelHandle,
    image: NativeImage | ImageHandle,
    intensity: Intensity,
    options: NativeExplainOptions,
    call: NativeCall,
  ): Promise<NativeExplanation>;
  /** As explain, for a prepared network input: [3, height, width], normalised. */
  explainTensor(
    model: ModelHandle,
    data: Float32Array,
    height: number,
    width: number,
    options: NativeExplainOptions,
    call: NativeCall,
  ): Promise<NativeExplanation>;

  /** Creates a network with random weights (torchvision's initialization) for training. */
  createSegmenterTrainer(
    config: MaskRCNNConfig,
    options: NativeSegmenterTrainerOptions,
    call: NativeCall,
  ): Promise<TrainerHandle>;
  createClassifierTrainer(
    config: ClassifierConfig,
    options: NativeClassifierTrainerOptions,
    call: NativeCall,
  ): Promise<TrainerHandle>;
  releaseTrainer(trainer: TrainerHandle): void;
  /** Loads the tensors that fit by name and shape, and reports all others; the average starts from the result. */
  startTrainer(trainer: TrainerHandle, weights: NativeWeights, call: NativeCall): Promise<LoadReport>;
  /** Complete state: `model.<key>`, `optimizer.<key>.<name>`, `average.<key>` and `average.n_averaged`. */
  listTrainerTensors(trainer: TrainerHandle): NativeTensorInfo[];
  readTrainerTensor(trainer: TrainerHandle, name: string, call: NativeCall): Promise<Uint8Array>;
  /** Restores the complete state. Tensors that do not fit are reported; the trainer must not be used then. */
  restoreTrainer(trainer: TrainerHandle, weights: NativeWeights, call: NativeCall): Promise<LoadReport>;
  trainSegmenterStep(
    trainer: TrainerHandle,
    samples: readonly NativeTrainSample[],
    step: NativeStep,
    call: NativeCall,
  ): Promise<NativeStepResult>;
  trainClassifierStep(
    trainer: TrainerHandle,
    samples: readonly NativeClassifySample[],
    step: NativeStep,
    call: NativeCall,
  ): Promise<NativeStepResult>;
  /** Copies the network, or its average, to a separate model. */
  snapshotTrainer(
    trainer: TrainerHandle,
    weights: 'current' | 'average',
    call: NativeCall,
  ): Promise<NativeLoaded>;

  /** Runs on the thread pool, not on the owner thread, without progress. Masks must have the size of the image. */
  prepareSample(
    image: NativeImage,
    masks: MaskBatch,
    plan: NativeSamplePlan,
    call: NativeCall,
  ): Promise<NativeSample>;

  /** `groups` are indices of images that are also summarised separately. Runs concurrently with the owner thread. */
  evaluateMasks(
    images: readonly NativeEvaluatedImage[],
    groups: readonly Uint32Array[],
    options: NativeMetricsOptions,
    call: NativeCall,
  ): Promise<NativeEvaluation>;

  /** Bootstrap interval of the mean of values, for at least one value. Runs on the calling thread. */
  bootstrapMean(
    values: Float64Array,
    options: Pick<NativeMetricsOptions, 'samples' | 'seed' | 'confidence'>,
  ): [low: number, high: number];

  /** Runs beside the owner thread. */
  measureShapes(batch: MaskBatch, call: NativeCall): Promise<NativeShapes>;
  /** Runs beside the owner thread. The image is a window, whose first pixel is at `origin` in that of the masks. */
  measureIntensities(
    batch: MaskBatch,
    image: NativeImage | ImageHandle,
    origin: { x: number; y: number },
    call: NativeCall,
  ): Promise<NativeIntensities>;

  /** Masks of height * width bytes each, in rows; every byte but 0 belongs to the mask. */
  maskEncode(pixels: Uint8Array, height: number, width: number): MaskBatch;
  /** Sets the pixels of each mask to 1 in zeroed images. */
  maskDecode(batch: MaskBatch, zeroed: Uint8Array): void;
  /** Texts are passed as a few concatenated strings and their lengths, because many small strings are slow to read. */
  maskFromKaggle(joined: readonly string[], lengths: Uint32Array, height: number, width: number): MaskBatch;
  maskToKaggle(batch: MaskBatch): string[];
  /** Writes the counts of all masks to `counts`, which needs room for one per character. Returns the masks' offsets. */
  maskFromCoco(
    joined: readonly string[],
    lengths: Uint32Array,
    height: number,
    width: number,
    counts: Uint32Array,
  ): Uint32Array;
  maskToCoco(batch: MaskBatch): string[];
  /** The only function that accepts counts with runs of length 0. */
  maskFromCounts(counts: Uint32Array, offsets: Uint32Array, height: number, width: number): MaskBatch;
  /**
   * x, y, … of polygons. Polygon p has the values from `polygons[p]` to `polygons[p + 1]`; mask i is the union of polygons
   * `offsets[i]` to `offsets[i + 1]`. Both start with 0.
   */
  maskFromPolygons(
    points: Float64Array,
    polygons: Uint32Array,
    offsets: Uint32Array,
    height: number,
    width: number,
  ): MaskBatch;
  /** Throws the error that every other function would throw for this batch. */
  maskValidate(batch: MaskBatch): void;
  maskAreas(batch: MaskBatch): Uint32Array;
  /** x, y, width, height of each mask. */
  maskBoxes(batch: MaskBatch): Float64Array;
  /** x, y, length of each run within a row, mask by mask. */
  maskRowRuns(batch: MaskBatch): Uint32Array;
  /** `crowd` has one byte per mask of `b`, or is empty; `zeroed` becomes the matrix, one row per mask of `a`. */
  maskIou(a: MaskBatch, b: MaskBatch, crowd: Uint8Array, zeroed: Float64Array): void;
  /** Returns a batch with one mask. */
  maskUnion(batch: MaskBatch): MaskBatch;
  maskIntersection(batch: MaskBatch): MaskBatch;
  maskRemoveOverlaps(batch: MaskBatch, maxLost: number): NativeKeptMasks;
  maskFromLabels(
    labels: Uint8Array | Uint16Array | Uint32Array,
    height: number,
    width: number,
  ): NativeLabelledMasks;
  /** Writes 1, 2, 3, … to a zeroed image. */
  maskToLabels(batch: MaskBatch, zeroed: Uint16Array | Uint32Array): void;
  /** Writes ids[i] for mask i into a zeroed image of a window, which is x, y, width and height. */
  maskToLabelsIn(
    batch: MaskBatch,
    ids: Uint32Array,
    window: Uint32Array,
    zeroed: Uint16Array | Uint32Array,
  ): void;
  maskContours(batch: MaskBatch): NativeContours;
}
