import { types } from 'node:util';
import { checkNumber, refuse } from '../check.js';
import type { ClassifierConfig } from '../config/classifier.js';
import type { MaskRCNNConfig } from '../config/mask-rcnn.js';
import type { ClassifySample, TrainSample } from '../data/types.js';
import { CellrouteError } from '../errors.js';
import { CellClassifier } from '../inference/classifier.js';
import { LoadedModel, NativeObject } from '../inference/model.js';
import {
  mismatchError,
  mismatchOf,
  nativeWeights,
  openNetworkFile,
  reportRemoved,
} from '../inference/model-file.js';
import { CellSegmenter } from '../inference/segmenter.js';
import type {
  NativeAddon,
  NativeCall,
  NativeClassifierTrainerOptions,
  NativeSegmenterTrainerOptions,
  NativeStep,
  NativeStepResult,
  TrainerHandle,
} from '../native/contract.js';
import { type CallOptions, type ExecutionTarget, ON_CPU, runJob } from '../native/job.js';
import { call, native } from '../native/load.js';
import { openWeights } from '../weights/open.js';
import type { TensorSource } from '../weights/source.js';

/** Which tensors of a network were loaded from a start file. */
export interface StartReport {
  /** Tensors of the network that were loaded from the file. */
  loaded: string[];
  /** Tensors of the network that the file does not contain in this shape; they are randomly initialized. */
  initialized: string[];
  /** Tensors of the file that were not loaded, each with the reason. */
  skipped: string[];
}

/** Options of {@link TrainingNetwork.start}. */
export interface StartOptions extends CallOptions {
  /** Whether a file is accepted of which other tensors than the class heads do not fit. Default false. */
  partial?: boolean | undefined;
}

/** Which tensors of a file are loaded, and which need not fit. */
interface StartRule {
  /** Put before the names in the file. */
  prefix?: string | undefined;
  /** Names that may be missing, of another shape or no part of the network. */
  mayDiffer: RegExp;
}

/** Weights of a snapshot: those of the last step, or their moving average. */
export type SnapshotWeights = 'current' | 'average';

/** The operations that differ between segmenters and classifiers. */
interface Kind<Sample, Snapshot> {
  step(
    addon: NativeAddon,
    handle: TrainerHandle,
    samples: readonly Sample[],
    step: NativeStep,
    call: NativeCall,
  ): Promise<NativeStepResult>;
  snapshot(model: LoadedModel): Snapshot;
  /** The layers whose size is that of the classes. */
  classHeads: RegExp;
  checkSamples(samples: readonly Sample[]): void;
}

/**
 * A network in training, with its optimizer and optionally the moving average of its weights. Calls are queued. A call
 * after `dispose`, or in progress at that time, rejects with DISPOSED.
 */
export class TrainingNetwork<Sample, Snapshot> {
  readonly #native: NativeObject<TrainerHandle>;
  readonly #kind: Kind<Sample, Snapshot>;

  protected constructor(handle: TrainerHandle, place: ExecutionTarget, kind: Kind<Sample, Snapshot>) {
    this.#native = new NativeObject('trainer', handle, place, (trainer) => native().releaseTrainer(trainer));
    this.#kind = kind;
  }

  /**
   * Loads the weights of a network (safetensors, torch checkpoint, fastai export). The class heads, which have another
   * shape where the number of classes differs, keep their random weights if they do not fit. The moving average starts
   * from the result.
   *
   * @throws {CellrouteError} the errors of openWeights; WEIGHTS_MISMATCH where other tensors do not fit by name and
   *   shape, with `partial` where none does. The network is then partly loaded and must not be used.
   */
  async start(path: string, options: StartOptions = {}): Promise<StartReport> {
    return this.startWith(path, { mayDiffer: this.#kind.classHeads }, options);
  }

  protected async startWith(
    path: string,
    { prefix, mayDiffer }: StartRule,
    { partial = false, ...options }: StartOptions,
  ): Promise<StartReport> {
    const { file, removed } = await openNetworkFile(path, partial ? 'accept' : 'refuse');
    if (removed !== '') reportRemoved(file.path, removed);
    const weights = { ...nativeWeights(file), ...(prefix !== undefined && { prefix }) };
    const report = await this.#native.run(options, (trainer, nativeCall) =>
      native().startTrainer(trainer, weights, nativeCall),
    );
    if (report.loaded.length === 0) {
      throw new CellrouteError(
        'WEIGHTS_MISMATCH',
        `${file.path}: none of its ${file.tensors.length} tensors fits this network by name and shape`,
        { file: file.path },
      );
    }
    const wrong = (names: readonly string[]) =>
      partial ? [] : names.filter((name) => !mayDiffer.test(name));
    const error = mismatchError(
      file,
      {
        missing: wrong(report.missing),
        mismatched: wrong(report.mismatched),
        unexpected: wrong(report.unexpected),
      },
      'does not fit this network in other tensors than those of the classes',
      'Describe the network of the file by `network`, or set `start.partial: true` to initialize what does not fit.',
    );
    if (error) throw error;
    const mismatched = report.mismatched.map((sentence) => sentence.slice(0, sentence.indexOf(':')));
    return {
      loaded: report.loaded,
      initialized: [...report.missing, ...mismatched],
      skipped: [
        ...report.mismatched,
        ...report.unexpected.map((name) => `${name}: not part of this network`),
      ],
    };
  }

  /**
   * Runs one step: forward pass, backward pass, clipping, optimizer, moving average. The result depends only on the
   * state of the network, the samples and `step`.
   *
   * If a loss or a gradient is not finite, or if the step is aborted or fails, weights, norm statistics, optimizer and
   * average keep their previous values bit by bit. An abort after the optimizer has started has no effect: the step
   * resolves. A rejected step has changed nothing.
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
   * Creates a separate network for inference, with the current weights or their average. The caller disposes it.
   *
   * @throws {CellrouteError} INVALID_ARGUMENT for 'average' without a moving average; DISPOSED, OUT_OF_MEMORY.
   */
  async snapshot(weights: SnapshotWeights, options: CallOptions = {}): Promise<Snapshot> {
    const { model } = await this.#native.run(options, (trainer, nativeCall) =>
      native().snapshotTrainer(trainer, weights, nativeCall),
    );
    return this.#kind.snapshot(new LoadedModel('snapshot', model, this.#native.place));
  }

  /**
   * The complete state for writeWeights: `model.<key>`, `optimizer.<key>.<name>`, `average.<key>` and
   * `average.n_averaged`. Tensors are read one by one while the file is written; no step may run meanwhile.
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
   * Restores a state written with `tensors`, bit by bit.
   *
   * @throws {CellrouteError} the errors of openWeights; WEIGHTS_MISMATCH if a tensor is missing, unexpected, or of
   *   another shape or type. After a failure the network cannot be used until a restore succeeds.
   */
  async restore(path: string, options: CallOptions = {}): Promise<void> {
    const file = await openWeights(path);
    const report = await this.#native.run(options, (trainer, nativeCall) =>
      native().restoreTrainer(trainer, nativeWeights(file), nativeCall),
    );
    const mismatch = mismatchOf(file, report);
    if (mismatch) throw mismatch;
  }

  /** Cancels calls in progress (they reject with DISPOSED), waits for them and frees all memory. */
  async dispose(): Promise<void> {
    await this.#native.dispose();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.dispose();
  }
}

/** A segmenter has no classifier head, its backbone may end before layer4, and it has more layers. */
const CLASSIFIERS_BACKBONE: StartRule = {
  prefix: 'backbone.body.',
  mayDiffer: /^(?!backbone\.body\.)|^backbone\.body\.(fc|head|layer\d)\./,
};

/** A Mask R-CNN in training. Losses: loss_classifier, loss_box_reg, loss_mask, loss_objectness, loss_rpn_box_reg. */
export class SegmenterNetwork extends TrainingNetwork<TrainSample, CellSegmenter> {
  /**
   * Creates a network with random weights: torchvision's initialization, seeded by `training.seed`. Norms of kind
   * `frozen-batch` are then identities that never change: use them only with a start checkpoint. A network that starts
   * from random weights should use `batch` or `group`.
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
      classHeads: /^roi_heads\.(box_predictor|mask_predictor\.mask_fcn_logits)\./,
      checkSamples: (samples) => {
        for (const [i, sample] of samples.entries())
          checkTrainSample(sample, `samples[${i}]`, config.numClasses);
      },
    });
  }

  /** As `start`, but loads the backbone (conv1 to layer4) of a classifier. */
  async startFromClassifier(path: string, options: StartOptions = {}): Promise<StartReport> {
    return this.startWith(path, CLASSIFIERS_BACKBONE, options);
  }
}

/** A classifier in training. Loss: `loss`, the cross-entropy, weighted by `classWeights` if given. */
export class ClassifierNetwork extends TrainingNetwork<ClassifySample, CellClassifier> {
  /** Creates a classifier with random weights; see SegmenterNetwork.create. */
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
      classHeads: /^(fc|head)\./,
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
      `an Int32Array with one label per mask (${masks.offsets.length - 1})`,
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
        `Expected images of equal size in a batch but samples[0] has ${first!.width} x ${first!.height} pixels and samples[${i}] ${sample.width} x ${sample.height}`,
        { option: `samples[${i}]` },
      );
    }
  }
}
