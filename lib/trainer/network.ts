import { types } from 'node:util';
import { checkNumber, refuse } from '../check.js';
import type { ClassifierConfig } from '../config/classifier.js';
import type { MaskRCNNConfig } from '../config/mask-rcnn.js';
import type { ClassifySample, TrainSample } from '../data/types.js';
import { CellrouteError } from '../errors.js';
import { CellClassifier } from '../inference/classifier.js';
import { LoadedModel, NativeObject } from '../inference/model.js';
import { mismatchOf, nativeWeights } from '../inference/model-file.js';
import { CellSegmenter } from '../inference/segmenter.js';
import type {
  NativeAddon,
  NativeCall,
  NativeClassifierTrainerOptions,
  NativeSegmenterTrainerOptions,
  NativeStep,
  NativeStepResult,
  NativeWeights,
  TrainerHandle,
} from '../native/contract.js';
import { type CallOptions, type ExecutionTarget, ON_CPU, runJob } from '../native/job.js';
import { call, native } from '../native/load.js';
import { openWeights } from '../weights/open.js';
import type { TensorSource } from '../weights/source.js';

/** How a network's tensors began. */
export interface StartReport {
  /** Tensors of the network that came from the file. */
  taken: string[];
  /** Tensors of the network that the file does not have in this shape: they are as the seed made them. */
  fresh: string[];
  /** Tensors of the file that were not taken, each in a sentence that says why. */
  refused: string[];
}

/** Which weights a snapshot has: those of the last step, or their moving average. */
export type SnapshotWeights = 'current' | 'average';

/** What the kinds of network differ in. */
interface Kind<Sample, Snapshot> {
  step(
    addon: NativeAddon,
    handle: TrainerHandle,
    samples: readonly Sample[],
    step: NativeStep,
    call: NativeCall,
  ): Promise<NativeStepResult>;
  snapshot(model: LoadedModel): Snapshot;
  checkSamples(samples: readonly Sample[]): void;
}

/**
 * A network in training with its optimiser and, where asked for, the average of its weights. Calls queue; a call after
 * `dispose`, or in flight then, rejects with DISPOSED.
 */
export class TrainingNetwork<Sample, Snapshot> {
  readonly #native: NativeObject<TrainerHandle>;
  readonly #kind: Kind<Sample, Snapshot>;

  protected constructor(handle: TrainerHandle, place: ExecutionTarget, kind: Kind<Sample, Snapshot>) {
    this.#native = new NativeObject('trainer', handle, place, (trainer) => native().releaseTrainer(trainer));
    this.#kind = kind;
  }

  /**
   * Takes from a file of weights (safetensors, torch checkpoint, fastai export) whatever fits by name and shape; heads
   * of another shape, as those of a COCO checkpoint with 91 classes, stay fresh. The average starts there.
   *
   * @throws {CellrouteError} what openWeights throws; WEIGHTS_MISMATCH where nothing fits.
   */
  async start(path: string, options: CallOptions = {}): Promise<StartReport> {
    return this.startWith(path, {}, options);
  }

  protected async startWith(
    path: string,
    extra: Pick<NativeWeights, 'prefix'>,
    options: CallOptions,
  ): Promise<StartReport> {
    const file = await openWeights(path);
    const report = await this.#native.run(options, (trainer, nativeCall) =>
      native().startTrainer(trainer, { ...nativeWeights(file), ...extra }, nativeCall),
    );
    if (report.loaded.length === 0) {
      throw new CellrouteError(
        'WEIGHTS_MISMATCH',
        `${file.path}: none of its ${file.tensors.length} tensors fits this network by name and shape`,
        { file: file.path },
      );
    }
    const mismatched = report.mismatched.map((sentence) => sentence.slice(0, sentence.indexOf(':')));
    return {
      taken: report.loaded,
      fresh: [...report.missing, ...mismatched],
      refused: [
        ...report.mismatched,
        ...report.unexpected.map((name) => `${name}: not part of this network`),
      ],
    };
  }

  /**
   * One step: forward, backward, clipping, optimiser, average. It depends on the network's state, the samples and
   * `step` alone.
   *
   * Where a loss or a gradient is not finite, and where the step is stopped or fails, weights, statistics of norms,
   * optimiser and average are as before, bit by bit. A step that is aborted too late, once the optimiser runs, is done
   * and resolves: what rejects has changed nothing.
   *
   * @throws {CellrouteError} INVALID_ARGUMENT, naming the sample; DISPOSED, OUT_OF_MEMORY; an abort rejects with
   *   `signal.reason`.
   */
  async step(
    samples: readonly Sample[],
    step: NativeStep,
    options: CallOptions = {},
  ): Promise<NativeStepResult> {
    if (!Array.isArray(samples) || samples.length === 0)
      throw refuse('samples', 'at least one sample', samples);
    this.#kind.checkSamples(samples);
    checkStep(step);
    return this.#native.run(options, (trainer, nativeCall) =>
      this.#kind.step(native(), trainer, samples, step, nativeCall),
    );
  }

  /**
   * A network of its own that answers: the weights as they are now, or their average. The caller disposes it.
   *
   * @throws {CellrouteError} INVALID_ARGUMENT for 'average' where none is kept; DISPOSED, OUT_OF_MEMORY
   */
  async snapshot(weights: SnapshotWeights, options: CallOptions = {}): Promise<Snapshot> {
    const { model } = await this.#native.run(options, (trainer, nativeCall) =>
      native().snapshotTrainer(trainer, weights, nativeCall),
    );
    return this.#kind.snapshot(new LoadedModel('snapshot', model, this.#native.place));
  }

  /**
   * The whole state for writeWeights: `model.<key>`, `optimizer.<key>.<name>`, `average.<key>` and
   * `average.n_averaged`. Each tensor is read when it is its turn, so no step may run before the file is written.
   */
  tensors(options: CallOptions = {}): TensorSource[] {
    return call(() => native().listTrainerTensors(this.#native.handle)).map((tensor) => ({
      ...tensor,
      read: () =>
        this.#native.run(options, (trainer, nativeCall) =>
          native().readTrainerTensor(trainer, tensor.name, nativeCall),
        ),
    }));
  }

  /**
   * Puts a state back that was written with `tensors`, bit by bit.
   *
   * @throws {CellrouteError} what openWeights throws; WEIGHTS_MISMATCH where a tensor is missing, too many, or of
   *   another shape or type. After a failure the network cannot go on until a restore succeeds.
   */
  async restore(path: string, options: CallOptions = {}): Promise<void> {
    const file = await openWeights(path);
    const report = await this.#native.run(options, (trainer, nativeCall) =>
      native().restoreTrainer(trainer, nativeWeights(file), nativeCall),
    );
    const mismatch = mismatchOf(file, report);
    if (mismatch) throw mismatch;
  }

  /** Stops what is in flight (it rejects with DISPOSED), waits for it, and frees everything. */
  async dispose(): Promise<void> {
    await this.#native.dispose();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.dispose();
  }
}

/** A Mask R-CNN in training. Losses: loss_classifier, loss_box_reg, loss_mask, loss_objectness, loss_rpn_box_reg. */
export class SegmenterNetwork extends TrainingNetwork<TrainSample, CellSegmenter> {
  /**
   * A network with fresh weights, torchvision's initialisation drawn from `training.seed`. With norms of kind
   * `frozen-batch` these are identities that never change, so such a network should be started from a checkpoint; a
   * fresh one learns better with `batch` or `group`.
   *
   * @throws {CellrouteError} INVALID_CONFIG, INVALID_ARGUMENT, OUT_OF_MEMORY
   */
  static async create(
    config: MaskRCNNConfig,
    training: NativeSegmenterTrainerOptions,
    options: CallOptions = {},
    place: ExecutionTarget = ON_CPU,
  ): Promise<SegmenterNetwork> {
    const handle = await runJob(
      options,
      (nativeCall) => native().createSegmenterTrainer(config, training, nativeCall),
      { place },
    );
    return new SegmenterNetwork(handle, place, {
      step: (addon, trainer, samples, step, nativeCall) =>
        addon.trainSegmenterStep(trainer, samples, step, nativeCall),
      snapshot: (model) => CellSegmenter.of(config, model),
      checkSamples: (samples) => {
        for (const [i, sample] of samples.entries())
          checkTrainSample(sample, `samples[${i}]`, config.numClasses);
      },
    });
  }

  /** As `start`, for a classifier's file: its backbone, conv1 to layer4, becomes this network's. */
  async startFromClassifier(path: string, options: CallOptions = {}): Promise<StartReport> {
    return this.startWith(path, { prefix: 'backbone.body.' }, options);
  }
}

/** A classifier in training. Loss: loss, the cross-entropy, weighted by class where `classWeights` are given. */
export class ClassifierNetwork extends TrainingNetwork<ClassifySample, CellClassifier> {
  /** As SegmenterNetwork.create. */
  static async create(
    config: ClassifierConfig,
    training: NativeClassifierTrainerOptions,
    options: CallOptions = {},
    place: ExecutionTarget = ON_CPU,
  ): Promise<ClassifierNetwork> {
    const handle = await runJob(
      options,
      (nativeCall) => native().createClassifierTrainer(config, training, nativeCall),
      { place },
    );
    return new ClassifierNetwork(handle, place, {
      step: (addon, trainer, samples, step, nativeCall) =>
        addon.trainClassifierStep(trainer, samples, step, nativeCall),
      snapshot: (model) => CellClassifier.of(config, model),
      checkSamples: (samples) => checkClassifySamples(samples, config.classNames.length),
    });
  }
}

function checkStep(step: NativeStep): void {
  checkNumber('step.lr', step.lr, { min: 0 });
  checkNumber('step.momentum', step.momentum, { min: 0, max: 1 - Number.EPSILON });
  if (step.maxGradNorm !== null) checkNumber('step.maxGradNorm', step.maxGradNorm, { min: Number.MIN_VALUE });
  checkNumber('step.seed', step.seed, { min: 0, max: Number.MAX_SAFE_INTEGER, integer: true });
}

function checkPixels(sample: { pixels: Float32Array; width: number; height: number }, path: string): void {
  checkNumber(`${path}.width`, sample.width, { min: 1, max: 1 << 16, integer: true });
  checkNumber(`${path}.height`, sample.height, { min: 1, max: 1 << 16, integer: true });
  if (!types.isFloat32Array(sample.pixels) || sample.pixels.length !== 3 * sample.width * sample.height) {
    throw refuse(
      `${path}.pixels`,
      `a Float32Array of 3 x ${sample.height} x ${sample.width} values`,
      sample.pixels,
    );
  }
}

function checkTrainSample(sample: TrainSample, path: string, numClasses: number): void {
  checkPixels(sample, path);
  const { masks, labels } = sample;
  if (masks.width !== sample.width || masks.height !== sample.height) {
    throw new CellrouteError(
      'INVALID_ARGUMENT',
      `Expected masks of ${sample.width} x ${sample.height} pixels for ${path}.masks but received ${masks.width} x ${masks.height}`,
      { option: `${path}.masks` },
    );
  }
  if (!types.isInt32Array(labels) || labels.length !== masks.offsets.length - 1) {
    throw refuse(
      `${path}.labels`,
      `an Int32Array with one label a mask (${masks.offsets.length - 1})`,
      labels,
    );
  }
  for (const [i, label] of labels.entries()) {
    checkNumber(`${path}.labels[${i}]`, label, { min: 1, max: numClasses - 1, integer: true });
  }
}

function checkClassifySamples(samples: readonly ClassifySample[], classes: number): void {
  const [first] = samples;
  for (const [i, sample] of samples.entries()) {
    checkPixels(sample, `samples[${i}]`);
    checkNumber(`samples[${i}].label`, sample.label, { min: 0, max: classes - 1, integer: true });
    if (sample.width !== first!.width || sample.height !== first!.height) {
      throw new CellrouteError(
        'INVALID_ARGUMENT',
        `Expected images of one size in a batch but samples[0] has ${first!.width} x ${first!.height} pixels and samples[${i}] ${sample.width} x ${sample.height}`,
        { option: `samples[${i}]` },
      );
    }
  }
}
