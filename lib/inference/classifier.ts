import { types } from 'node:util';
import { checkNumber, checkObject, checkOptions, refuse } from '../check.js';
import {
  type ClassifierConfig,
  classifierConfig,
  type PartialClassifierConfig,
} from '../config/classifier.js';
import { fastaiClassifierConfig } from '../config/fastai.js';
import { inferClassifierConfig } from '../config/infer.js';
import { mergeConfig, readStoredConfig } from '../config/stored.js';
import { checkReadOptions, READ_KEYS } from '../image/select.js';
import type { ImageInput, ImageReadOptions, ImageSource } from '../image/types.js';
import type { NativeClassification } from '../native/contract.js';
import { CALL_OPTION_KEYS, type Call, type CallOptions } from '../native/job.js';
import { native } from '../native/load.js';
import { type CallImage, noticesFor, withModelImage } from './call-image.js';
import { type Device, placeOn } from './device.js';
import { checkExplainOptions, type ExplainOptions, Explanation } from './explanation.js';
import { fingerprintOf } from './fingerprint.js';
import type { LoadedModel } from './model.js';
import { loadNetwork, networkTensors, type SaveOptions, saveNetwork } from './model-file.js';
import { findClassifier } from './model-path.js';
import { checkQueueOptions, QUEUE_OPTION_KEYS, type QueueOptions } from './queue.js';
import { fingerprintOfBody, type LastLayer, lastLayerOf, replacedLayer } from './router-body.js';

/** Classification of one image. */
export interface Classification {
  /** The class with the highest probability. */
  cellType: string;
  /** Its index in `config.classNames`. */
  index: number;
  /** Probability of each class by name, 0 to 1; their sum is 1. */
  probabilities: Record<string, number>;
  /** The network's outputs before softmax, in the order of `config.classNames`. */
  logits: Float32Array;
  /** What was read from the file and what else it contains. Absent for raw pixels and tensors. */
  source?: ImageSource;
  /** Remarks about the image, one sentence each. */
  notices?: readonly string[];
}

/** Options of {@link CellClassifier.classify}. */
export interface ClassifyOptions extends ImageReadOptions, CallOptions, QueueOptions {}

/** An input of the network that the caller has resized and normalised. */
export interface InputTensor {
  /** Channel by channel, row-major. */
  data: Float32Array;
  /** [3, height, width], or [1, 3, height, width]. */
  shape: readonly number[];
}

export interface LoadClassifierOptions extends CallOptions {
  /**
   * Values of the network's configuration that override those of the file. A checkpoint without class names needs
   * `classNames`.
   */
  config?: PartialClassifierConfig | undefined;
  /** Device of the network, which computes in float32. Default `cpu`. */
  device?: Device | undefined;
}

/**
 * A ResNet that classifies the cell type of an image: the router of an ensemble.
 *
 * ```ts
 * const classifier = await CellClassifier.load('classifier.safetensors');
 * const { cellType, probabilities } = await classifier.classify('image.png');
 * await classifier.dispose();
 * ```
 */
export class CellClassifier {
  readonly config: ClassifierConfig;
  readonly #model: LoadedModel;

  private constructor(config: ClassifierConfig, model: LoadedModel) {
    this.config = config;
    this.#model = model;
  }

  /**
   * Loads a classifier from safetensors, a torch checkpoint, or a fastai `learn.export()` `.pkl`, which is read as data: no
   * code in it is executed.
   *
   * @param path weights file, folder of a run, or folder of an ensemble, whose router is loaded; see {@link findModel}.
   * @throws {CellrouteError} FILE_UNREADABLE, WEIGHTS_FORMAT, WEIGHTS_DAMAGED, WEIGHTS_REFUSED; WEIGHTS_MISMATCH if the
   *   tensors do not fit the network; INVALID_CONFIG; DEVICE_UNAVAILABLE.
   */
  static async load(path: string, options: LoadClassifierOptions = {}): Promise<CellClassifier> {
    checkOptions(options, ['config', 'device', ...CALL_OPTION_KEYS]);
    const place = await placeOn(options.device, options);
    let config!: ClassifierConfig;
    const model = await loadNetwork(await findClassifier(path), 'classifier', options, place, (file) => {
      const own =
        readStoredConfig(file, 'classifier') ?? fastaiClassifierConfig(file) ?? inferClassifierConfig(file);
      config = classifierConfig(mergeConfig(own, options.config));
      return (addon, weights, call) => addon.loadClassifier(config, weights, call);
    });
    return new CellClassifier(config, model);
  }

  /** Creates a classifier of a loaded network, and owns it. @internal */
  static of(config: ClassifierConfig, model: LoadedModel): CellClassifier {
    return new CellClassifier(config, model);
  }

  /**
   * Predicts the cell type of one image.
   *
   * ```ts
   * const { cellType, probabilities } = await classifier.classify('image.png');
   * console.log(cellType, probabilities[cellType]); // 0 to 1
   * ```
   *
   * @param image a path, file: URL, Blob, stream, encoded bytes or raw pixels; see {@link ImageInput}.
   * @throws {CellrouteError} INVALID_ARGUMENT, FILE_UNREADABLE, IMAGE_UNREADABLE, IMAGE_UNSUPPORTED, IMAGE_TOO_LARGE,
   *   DISPOSED; an abort rejects with `signal.reason`.
   */
  async classify(image: ImageInput, options: ClassifyOptions = {}): Promise<Classification> {
    checkOptions(options, [...READ_KEYS, ...CALL_OPTION_KEYS, ...QUEUE_OPTION_KEYS]);
    checkReadOptions(options);
    checkQueueOptions(options);
    return withModelImage(this.#model, image, options, (own, loaded) => this.classifyLoaded(own, loaded));
  }

  /** {@link classify} for a loaded image. @internal */
  async classifyLoaded(
    own: Call,
    image: CallImage,
    options: { progress?: boolean } = {},
  ): Promise<Classification> {
    const { intensity } = this.config;
    const notices = noticesFor(intensity, image);
    const named = this.#named(
      await this.#model.runIn(
        own,
        (model, call) => native().classify(model, image.handle, intensity, call),
        options,
      ),
    );
    const { source } = image;
    return { ...named, ...(source && { source }), ...(notices.length > 0 && { notices }) };
  }

  /** Identifies this classifier by its weights and its configuration. @internal */
  fingerprint(own: Call): Promise<string> {
    return fingerprintOf(own, this.#model, JSON.stringify(this.config));
  }

  /** Cancels the call when this classifier is disposed; throws DISPOSED if it already was. @internal */
  join(own: Call): void {
    this.#model.join(own);
  }

  /**
   * Runs the network alone, on an input that the caller has prepared.
   *
   * @param input float32 values of shape [3, height, width], normalized with the mean and deviation of the configuration.
   * @throws {CellrouteError} INVALID_ARGUMENT, DISPOSED; an abort rejects with `signal.reason`.
   */
  async classifyTensor(input: InputTensor, options: CallOptions = {}): Promise<Classification> {
    checkOptions(options, CALL_OPTION_KEYS);
    const { data, width, height } = checkInput(input);
    return this.#named(
      await this.#model.run(options, (model, call) =>
        native().classifyTensor(model, data, height, width, call),
      ),
    );
  }

  /**
   * Computes how much each pixel of an image contributes to a class.
   *
   * ```ts
   * const explanation = await classifier.explain('image.png', { method: 'occlusion' });
   * await writeFile('heat-map.png', await renderHeatMap('image.png', explanation));
   * ```
   *
   * @param image a path, file: URL, Blob, stream, encoded bytes or raw pixels; see {@link ImageInput}.
   * @throws {CellrouteError} INVALID_ARGUMENT, FILE_UNREADABLE, IMAGE_UNREADABLE, IMAGE_UNSUPPORTED, IMAGE_TOO_LARGE,
   *   DISPOSED; an abort rejects with `signal.reason`.
   */
  async explain(image: ImageInput, options: ExplainOptions & ImageReadOptions = {}): Promise<Explanation> {
    const { classNames, resize, intensity } = this.config;
    checkExplainOptions(options, classNames, resize ?? LARGEST, READ_KEYS);
    checkReadOptions(options);
    return withModelImage(this.#model, image, options, async (own, loaded) => {
      const { width, height } = loaded;
      noticesFor(intensity, loaded);
      const checked = checkExplainOptions(options, classNames, resize ?? { width, height }, READ_KEYS);
      const explained = await this.#model.runIn(own, (model, call) =>
        native().explain(model, loaded.handle, intensity, checked, call),
      );
      return new Explanation(checked.method, explained, this.config, { width, height });
    });
  }

  /**
   * As {@link explain}, for an input that the caller has resized and normalised. The image of the explanation is that input.
   *
   * @param input float32 values of shape [3, height, width], as for {@link classifyTensor}.
   * @throws {CellrouteError} INVALID_ARGUMENT, DISPOSED; an abort rejects with `signal.reason`.
   */
  async explainTensor(input: InputTensor, options: ExplainOptions = {}): Promise<Explanation> {
    const { data, width, height } = checkInput(input);
    const checked = checkExplainOptions(options, this.config.classNames, { width, height });
    const explained = await this.#model.run(options, (model, call) =>
      native().explainTensor(model, data, height, width, checked, call),
    );
    return new Explanation(checked.method, explained, { ...this.config, resize: null }, { width, height });
  }

  /** Device of the network, such as `cpu` or `cuda:0`. */
  get device(): string {
    return this.#model.place.device;
  }

  /**
   * Writes the network and its configuration as safetensors, or as a torch checkpoint without the configuration where
   * `path` ends in .pth, .pt or .bin. A file is complete or not written at all.
   *
   * @param path of the file, which is replaced.
   * @throws {CellrouteError} FILE_UNWRITABLE, INVALID_ARGUMENT, DISPOSED; an abort rejects with `signal.reason`, and the file
   *   stays as it was.
   */
  async save(path: string, options: SaveOptions = {}): Promise<void> {
    await saveNetwork(path, this.#model, this.config, options);
  }

  /** The layer that maps the embedding of an image to one value per class. @internal */
  lastLayer(): Promise<LastLayer> {
    return lastLayerOf(this.config, networkTensors(this.#model));
  }

  /**
   * {@link save} with other names of the classes, and with another last layer, which is stored in float32.
   *
   * @param layer default: the network's. @internal
   */
  async saveAs(path: string, classNames: readonly string[], layer?: LastLayer): Promise<void> {
    const config = { ...this.config, classNames: [...classNames] };
    await saveNetwork(path, this.#model, config, {}, layer && replacedLayer(config, layer));
  }

  /** SHA-256 of all that the embedding of an image depends on. @internal */
  bodyFingerprint(): Promise<string> {
    return fingerprintOfBody(this.config, networkTensors(this.#model));
  }

  /** Cancels calls in progress (they reject with DISPOSED), waits for them and frees the network. */
  async dispose(): Promise<void> {
    await this.#model.dispose();
  }

  /** Calls {@link dispose}; for `await using`. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.dispose();
  }

  #named({ logits, probabilities }: NativeClassification): Classification {
    const { classNames } = this.config;
    const index = probabilities.reduce((best, value, i) => (value > probabilities[best]! ? i : best), 0);
    return {
      cellType: classNames[index]!,
      index,
      probabilities: Object.fromEntries(classNames.map((name, i) => [name, probabilities[i]!])),
      logits,
    };
  }
}

/** Used while the size of the image is unknown. With this size, every default is valid. */
const LARGEST = { width: 1 << 16, height: 1 << 16 };

/** Checks that shape and number of values of an input agree. */
function checkInput(input: InputTensor): { data: Float32Array; width: number; height: number } {
  checkObject('input', input);
  const { data, shape } = input;
  if (!types.isFloat32Array(data)) throw refuse('input.data', 'a Float32Array', data);
  const sides = Array.isArray(shape) && shape.length === 4 && shape[0] === 1 ? shape.slice(1) : shape;
  if (!Array.isArray(sides) || sides.length !== 3 || sides[0] !== 3) {
    throw refuse('input.shape', '[3, height, width] or [1, 3, height, width]', shape);
  }
  const [height, width] = sides
    .slice(1)
    .map((side, i) =>
      checkNumber(`input.shape[${i + 1}]`, side, { min: 1, max: 1 << 16, integer: true }),
    ) as [number, number];
  if (data.length !== 3 * height * width) throw refuse('input.data', `3 x ${height} x ${width} values`, data);
  return { data, width, height };
}
