/**
 * Every function and struct of the addon, typed: the TypeScript side of native/addon.
 * Plain structs and typed arrays only; one call an image or batch, never one a value.
 */

import type { ClassifierConfig } from '../config/classifier.js';
import type { MaskRCNNConfig } from '../config/mask-rcnn.js';
import type { Intensity } from '../config/shared.js';

/**
 * Masks of one image size, one after the other: `counts` from `offsets[i]` to `offsets[i + 1]` are mask i
 * as COCO counts (lengths of runs down the columns, the first of them background).
 */
export interface MaskBatch {
  height: number;
  width: number;
  counts: Uint32Array;
  /** One more than there are masks; starts with 0. */
  offsets: Uint32Array;
}

/** Masks cut from a set, and which of the set they are. */
export interface NativeKeptMasks {
  masks: MaskBatch;
  kept: Uint32Array;
}

export interface NativeLabelledMasks {
  masks: MaskBatch;
  /** The label of each mask, rising. */
  ids: Uint32Array;
}

/** Outlines, each level as offsets into the one before it: they start with 0 and are one longer than it has entries. */
export interface NativeContours {
  /** x, y of the corners. */
  points: Uint32Array;
  /** Into points, counted in pairs. */
  rings: Uint32Array;
  /** Into rings; the first ring of a polygon is its outer one. */
  polygons: Uint32Array;
  /** Into polygons. */
  masks: Uint32Array;
}

declare const brand: unique symbol;
/** A loaded network, owned by native code. */
export interface ModelHandle {
  readonly [brand]: 'model';
}
/** A network in training with its optimiser and, where asked for, the average of its weights. */
export interface TrainerHandle {
  readonly [brand]: 'trainer';
}
/** A flag that stops a job between its stages. */
export interface CancelHandle {
  readonly [brand]: 'cancel';
}

/** An image in native memory. */
export interface ImageHandle {
  readonly [brand]: 'image';
}
/** Room in the queue, held by a call for its image. */
export interface RoomHandle {
  readonly [brand]: 'room';
}

/** What every asynchronous function takes last. */
export interface NativeCall {
  cancel?: CancelHandle;
  /** Called at most every 50 ms, with the stage's name and the part done, 0 to 1. */
  onProgress?: (stage: string, fraction: number) => void;
  /** Threads of the owner thread's team; used by the first call of a process and device. */
  threads: number;
  /** Whose owner thread does it, as resolveDevice names it; left out the CPU's. Handles stay where they were made. */
  device?: string;
  /** Whether a GPU may take products of float32 in TF32. */
  tf32?: boolean;
}

/** One tensor of a file: where its elements lie. Checked again before anything is read. */
export interface NativeTensorEntry {
  name: string;
  dtype: string;
  shape: readonly number[];
  /** In elements. */
  strides: readonly number[];
  /** Bytes from the start of the file to element 0. */
  offset: number;
  /** First byte past the storage it lies in. */
  storageEnd: number;
}

export interface NativeWeights {
  path: string;
  tensors: readonly NativeTensorEntry[];
  /** Whose names the tensors bear. */
  keys: 'torchvision' | 'fastai';
  /** Put before every name: where in the network the tensors' names begin. */
  prefix?: string;
}

/** How a file's tensors met a network's: names, and for mismatches both shapes. */
export interface LoadReport {
  loaded: string[];
  missing: string[];
  unexpected: string[];
  mismatched: string[];
}

export interface NativeLoaded {
  model: ModelHandle;
  report: LoadReport;
  /** Bytes of parameters and buffers. */
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
  /** Network's pixels per pixel of the image; null for the network's own resize. Tiles have a scale of their own. */
  scale: number | null;
  scoreThreshold: number;
  nmsThreshold: number;
  detectionsPerImage: number;
  rpnPreNmsTopN: number;
  rpnPostNmsTopN: number;
  rpnNmsThreshold: number;
  rpnScoreThreshold: number;
  maskThreshold: number;
  /** Pixels; smaller masks are dropped. */
  minArea: number;
  /** Share of its pixels per cell may lose to better ones before it is dropped; null leaves overlaps. */
  maxLost: number | null;
  /** Whether the answer tells what its stages took. */
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

/** The boxes in one window, by falling score. */
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
  /** Seconds by stage, of the whole batch; where it was asked for. */
  profile?: Record<string, number>;
}

/** How an image is cut; pixels are those of the network's input. */
export interface NativeTiling {
  /** Network's pixels per pixel of the image, whatever the network's own resize says. */
  scale: number;
  size: number;
  overlap: number;
  /** Cells of the whole image at most, null for any number; `detectionsPerImage` is of each tile. For stitching. */
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
  /** Of each column of tiles two numbers: the first pixel of the image that it needs, and how many. */
  columns: Uint32Array;
  /** The same of each row. */
  rows: Uint32Array;
  /** Where the seams are, pixels of the image, rising: x of the vertical, y of the horizontal ones. */
  seamsX: Float32Array;
  seamsY: Float32Array;
}

/** The values that become 0 and about 1: shares of an integer type's range, or floats as they are. */
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
export interface NativeSightings {
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

export interface NativeTile extends NativeSightings {
  detectionsCapped: boolean;
  proposalsCapped: boolean;
  profile?: Record<string, number>;
}

/** The rules for the cells of the whole image. */
export interface NativeStitchOptions {
  minArea: number;
  maxLost: number | null;
  /** Cells of the whole image at most, null for any number. */
  limit: number | null;
  /** The first row of tiles that is missing; cells that it may change are kept back. null: none is missing. */
  nextRow: number | null;
  profile: boolean;
}

export interface NativeStitched extends NativeSegmentation {
  /** Cells with a seam through their box, rising. */
  onSeam: Uint32Array;
  /** Detections that were kept back, rising: indices into all that were passed. */
  open: Uint32Array;
}

/** What one pass of the network leaves to be decided by thresholds, by falling score. */
export interface NativeCandidates {
  boxes: Float32Array;
  scores: Float32Array;
  labels: Int32Array;
  /** [cells, side, side], of the label's class. */
  probabilities: Float32Array;
  side: number;
  /** [cells, NMS thresholds]: not 0 where `segment` with this threshold keeps the cell. */
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
  /** Class whose logit is explained; null takes the highest. */
  target: number | null;
  /** What stands for an image that shows nothing: the configuration's mean, or zeros before normalising. */
  baseline: 'mean' | 'black';
  /** Points of the path that integrated gradients take. */
  steps: number;
  /** Side of occlusion's square and how far it moves, in pixels of the network's input. */
  patch: number;
  stride: number;
}

export interface NativeExplanation {
  target: number;
  height: number;
  width: number;
  /** [height * width] of the network's input. */
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

/** How anchors and proposals become training examples: torchvision's arguments of MaskRCNN. */
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
  /** Samples go in as large as they come, whatever the network's `resize` says. */
  skipResize: boolean;
}

export type NativeOptimizer =
  | { kind: 'sgd'; weightDecay: number; nesterov: boolean }
  | { kind: 'adamw'; weightDecay: number; beta2: number; eps: number };

export interface NativeTrainerOptions {
  optimizer: NativeOptimizer;
  /** Stages of the backbone that train, from the last: torchvision's trainable_backbone_layers, 0 to 5. */
  trainableLayers: number;
  /** Whether batch norms update their statistics; false keeps those the network came with. */
  updateBatchStatistics: boolean;
  /**
   * Decay of the weights' exponential moving average; null keeps none. Update n, from 0, uses at most
   * (1 + n) / (10 + n), so that the average of a short run is not made of the weights it began with.
   */
  averageDecay: number | null;
  /**
   * `bfloat16`: torch.autocast in the forward pass. Weights, optimiser and losses stay float32. Faster only where the
   * processor computes in bfloat16 (AVX512_BF16, AMX), and slower elsewhere.
   */
  precision: 'float32' | 'bfloat16';
  /** Sums on a GPU in an order that never changes. */
  deterministic: boolean;
  /**
   * Of the initial weights, a whole number below 2^53. The same LibTorch draws the same from it, but for the last bits
   * between families of processors.
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

/** What changes from step to step. */
export interface NativeStep {
  lr: number;
  /** SGD's momentum, AdamW's beta1. */
  momentum: number;
  /** Norm of all gradients together above which they are scaled down; null never. */
  maxGradNorm: number | null;
  /** Of everything random in the step, a whole number below 2^53. */
  seed: number;
}

export interface NativeStepResult {
  /** By torchvision's names, `loss` for a classifier; without weights between them. */
  losses: Record<string, number>;
  /** Of all gradients together, before clipping; NaN where a loss was not finite. */
  gradNorm: number;
  /** False where a loss or a gradient was not finite: the weights are then as they were. */
  applied: boolean;
}

// Samples

/** One side of a sample: where its pixels lie along a side of the image, in the image's pixels. */
export interface NativeSampleSide {
  /** Pixels of the sample. */
  size: number;
  /** Where its first pixel begins, and how many pixels of the image each is wide; negative runs backwards. */
  origin: number;
  step: number;
  /** What is seen of the image: from `first` to below `end`. */
  first: number;
  end: number;
}

/** How one sample is made of an image, decided from first to last: every pixel is resampled once. */
export interface NativeSamplePlan {
  /** Applied over the whole image first, as before inference. */
  intensity: Intensity;
  /** Whether the sample's rows run along the image's y. */
  transposed: boolean;
  /** Along the image's x and y, whichever way the sample lies. */
  x: NativeSampleSide;
  y: NativeSampleSide;
  /** Factors, applied one after the other to what is seen of the image, values clamped to 0..1. */
  photometric: readonly { brightness: number; contrast: number; gamma: number }[];
  /** Value of all that is seen past the image. */
  fill: number;
  /** Share of a cell's pixels, 0 to 1, that must be seen, or it is dropped; one without pixels always is. */
  minVisible: number;
}

export interface NativeSample {
  /** [3, height, width]. */
  pixels: Float32Array;
  masks: MaskBatch;
  /** Which of the given masks these are, rising. */
  kept: Uint32Array;
}

/** An image ready for a training step: decoded, scaled by the model's intensity rule, transformed. */
export interface NativeTrainSample {
  /** [3, height, width], not yet normalised by mean and std. */
  pixels: Float32Array;
  width: number;
  height: number;
  /** Of height × width; cells that a crop left nothing of are gone. */
  masks: MaskBatch;
  /** Class of each mask, 1 to numClasses - 1. */
  labels: Int32Array;
}

/** An image ready for a step of the classifier. */
export interface NativeClassifySample {
  /** [3, height, width], not yet normalised by mean and std; one size within a batch. */
  pixels: Float32Array;
  width: number;
  height: number;
  /** Index of the class. */
  label: number;
}

// Metrics

/** An image to be evaluated. Boxes are x, y, width, height; arrays that may be empty say so. */
export interface NativeEvaluatedImage {
  truth: MaskBatch;
  predicted: MaskBatch;
  truthLabels: Int32Array;
  labels: Int32Array;
  scores: Float64Array;
  /** Not 0 for regions of many cells; empty where there are none. */
  crowd: Uint8Array;
  /** Empty for those of the masks. */
  truthBoxes: Float64Array;
  boxes: Float64Array;
  /** What COCO's area ranges go by; empty for those of the masks. */
  truthAreas: Float64Array;
  areas: Float64Array;
}

export interface NativeMetricsOptions {
  minScore: number;
  /** Share of its pixels a prediction may lose to better ones before it is dropped; null leaves overlaps. */
  maxLost: number | null;
  /** Of hits, false alarms and misses. */
  iou: number;
  /** Of COCO's metrics, an image and class; null for all. */
  maxDets: number | null;
  /** Of the bootstrap; 0 for none. */
  samples: number;
  /** A whole number below 2^53. */
  seed: number;
  /** Share of the samples within the intervals. */
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
  | 'hits'
  | 'falseAlarms'
  | 'misses'
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

/** NaN where a metric has no meaning. */
export type NativeSummary = Readonly<Record<NativeMetric, number>>;

export interface NativeEvaluation {
  /** A number an image; of `precision` ten. */
  images: {
    truths: Uint32Array;
    predictions: Uint32Array;
    hits: Uint32Array;
    falseAlarms: Uint32Array;
    misses: Uint32Array;
    kaggle: Float64Array;
    precision: Float64Array;
    aji: Float64Array;
    pq: Float64Array;
  };
  /** All images, then each group; `low` and `high` where samples were asked for. */
  groups: { summary: NativeSummary; low?: NativeSummary; high?: NativeSummary }[];
  /** By rising label; only COCO's numbers and panoptic quality are known of a class. */
  classes: { label: number; truths: number; summary: NativeSummary }[];
}

/** What is measured of the shape of masks: a value per mask in each array. native/measure/shape.h has the definitions. */
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
  /** Why the addon cannot use it; empty where it can. */
  problem: string;
}

export interface NativeInfo {
  libtorch: string;
  /** What LibTorch's kernels use: AVX512, AVX2, DEFAULT. */
  cpuCapability: string;
  /** Whether this is the addon with CUDA. */
  cuda: boolean;
  /** Whether the processor multiplies bfloat16, and LibTorch lets it. */
  bfloat16: boolean;
  /** Whether there are products of 8 bits for the processor. */
  int8: boolean;
}

export interface NativeAddon {
  info(): NativeInfo;
  /** Wakes CUDA, where there is any. `problem` says why the list is empty, and what helps. */
  findGpus(call: NativeCall): Promise<{ list: NativeGpu[]; problem: string }>;
  /** `cpu` or `cuda:<n>` of cpu, cuda, cuda:<n> or auto; rejects with DEVICE_UNAVAILABLE. */
  resolveDevice(name: string, call: NativeCall): Promise<string>;

  createCancel(): CancelHandle;
  cancel(handle: CancelHandle): void;
  /** Room for an image of so many bytes; null if it must wait. The limits are of the whole process. */
  tryRoom(bytes: number): RoomHandle | null;
  /** Waits for room, in the order of the calls. */
  requestRoom(bytes: number, call: NativeCall): Promise<RoomHandle>;
  releaseRoom(room: RoomHandle): void;
  setQueueLimits(bytes: number, calls: number): void;
  /** Limits above Number.MAX_SAFE_INTEGER were not set yet. */
  queueState(): { maxQueuedBytes: number; maxQueuedCalls: number; bytes: number; calls: number };

  /** Native memory for an image of this size and type, still empty. */
  createImage(image: NativeImage): ImageHandle;
  /** Copies elements `begin` to `end` of `data` behind those that the image has. INVALID_ARGUMENT if `data` was transferred. */
  appendPixels(image: ImageHandle, data: NativeImage['data'], begin: number, end: number): void;
  releaseImage(image: ImageHandle): void;
  /** Frees the memory of an array that nothing reads any more, by detaching its buffer. */
  discardPixels(data: NativeImage['data']): void;

  /** Cancels every job of the process and waits for the owner thread to end: before the process exits. */
  stopEngine(): void;

  /** bfloat16 and int8 on the CPU only where `info` has them; int8 never on a GPU, float16 only there. */
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
  /** One tensor's bytes, row-major. */
  readTensor(model: ModelHandle, name: string, call: NativeCall): Promise<Uint8Array>;

  segment(
    model: ModelHandle,
    image: NativeImage | ImageHandle,
    options: NativeSegmentOptions,
    call: NativeCall,
  ): Promise<NativeSegmentation>;
  planTiles(model: ModelHandle, grid: NativeGrid): NativeTilePlan;
  /** What an intensity rule finds in an image; null for one that does not depend on it. Refuses NaN and infinity. */
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
    tiles: readonly NativeSightings[],
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
  /** Everything `segment` finds above the options' score threshold with one of the NMS thresholds. */
  findCandidates(
    model: ModelHandle,
    image: NativeImage | ImageHandle,
    options: NativeSegmentOptions & { nmsThresholds: readonly number[] },
    call: NativeCall,
  ): Promise<NativeCandidates>;
  /** The masks of candidates of an image at a mask threshold, one each. */
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
  /** A network input as it is: [3, height, width], normalised. */
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
  /** The same for a network input as it is: [3, height, width], normalised. */
  explainTensor(
    model: ModelHandle,
    data: Float32Array,
    height: number,
    width: number,
    options: NativeExplainOptions,
    call: NativeCall,
  ): Promise<NativeExplanation>;

  /** A network with fresh weights (torchvision's initialisation), ready to train. */
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
  /** Takes over the tensors that fit by name and shape, and reports them and all others; the average starts there. */
  startTrainer(trainer: TrainerHandle, weights: NativeWeights, call: NativeCall): Promise<LoadReport>;
  /** The whole state: `model.<key>`, `optimizer.<key>.<name>`, `average.<key>` and `average.n_averaged`. */
  listTrainerTensors(trainer: TrainerHandle): NativeTensorInfo[];
  readTrainerTensor(trainer: TrainerHandle, name: string, call: NativeCall): Promise<Uint8Array>;
  /** Puts the whole state back; what does not fit is reported, and the trainer then may not go on. */
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
  /** The network as it is now, or its average, as a model of its own. */
  snapshotTrainer(
    trainer: TrainerHandle,
    weights: 'current' | 'average',
    call: NativeCall,
  ): Promise<NativeLoaded>;

  /** Runs on the thread pool, not on the owner thread, and reports no progress. The masks are of the image's size. */
  prepareSample(
    image: NativeImage,
    masks: MaskBatch,
    plan: NativeSamplePlan,
    call: NativeCall,
  ): Promise<NativeSample>;

  /** `groups` are indices of images that are summarised by themselves. Runs beside the owner thread. */
  evaluateMasks(
    images: readonly NativeEvaluatedImage[],
    groups: readonly Uint32Array[],
    options: NativeMetricsOptions,
    call: NativeCall,
  ): Promise<NativeEvaluation>;

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
  /** Sets the masks' pixels to 1 in as many zeroed images. */
  maskDecode(batch: MaskBatch, zeroed: Uint8Array): void;
  /** Texts joined to a few strings, and how long each is: many small strings would cross slowly. */
  maskFromKaggle(joined: readonly string[], lengths: Uint32Array, height: number, width: number): MaskBatch;
  maskToKaggle(batch: MaskBatch): string[];
  /** Writes the counts of all masks to `counts`, which has room for one a character, and returns where each begins and the last ends. */
  maskFromCoco(
    joined: readonly string[],
    lengths: Uint32Array,
    height: number,
    width: number,
    counts: Uint32Array,
  ): Uint32Array;
  maskToCoco(batch: MaskBatch): string[];
  /** Counts with runs of length 0 are welcome here, and only here. */
  maskFromCounts(counts: Uint32Array, offsets: Uint32Array, height: number, width: number): MaskBatch;
  /**
   * x, y, … of polygons, polygon p from `polygons[p]` to `polygons[p + 1]`; mask i has the pixels of its polygons
   * `offsets[i]` to `offsets[i + 1]` together. Both start with 0.
   */
  maskFromPolygons(
    points: Float64Array,
    polygons: Uint32Array,
    offsets: Uint32Array,
    height: number,
    width: number,
  ): MaskBatch;
  /** Throws what every other function would throw for this batch. */
  maskValidate(batch: MaskBatch): void;
  maskAreas(batch: MaskBatch): Uint32Array;
  /** x, y, width, height of each mask. */
  maskBoxes(batch: MaskBatch): Float64Array;
  /** x, y, length of each run within a row, mask by mask. */
  maskRowRuns(batch: MaskBatch): Uint32Array;
  /** `crowd` holds a byte for each mask of `b`, or nothing; `zeroed` becomes the matrix, a row for each mask of `a`. */
  maskIou(a: MaskBatch, b: MaskBatch, crowd: Uint8Array, zeroed: Float64Array): void;
  /** A batch of one. */
  maskUnion(batch: MaskBatch): MaskBatch;
  maskIntersection(batch: MaskBatch): MaskBatch;
  maskRemoveOverlaps(batch: MaskBatch, maxLost: number): NativeKeptMasks;
  maskFromLabels(
    labels: Uint8Array | Uint16Array | Uint32Array,
    height: number,
    width: number,
  ): NativeLabelledMasks;
  /** Writes 1, 2, 3, … into a zeroed image. */
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
