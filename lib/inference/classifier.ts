import { types } from 'node:util';
import { checkKeys, checkNumber, refuse } from '../check.js';
import {
  type ClassifierConfig,
  classifierConfig,
  type PartialClassifierConfig,
} from '../config/classifier.js';
import { fastaiClassifierConfig } from '../config/fastai.js';
import { inferClassifierConfig } from '../config/infer.js';
import { mergeConfig, readStoredConfig } from '../config/stored.js';
import { decodeImage } from '../image/decode.js';
import { lowBitsNotice } from '../image/low-bits.js';
import { checkReadOptions, READ_KEYS, readOptionsIn } from '../image/select.js';
import type { ImageInput, ImageReadOptions, ImageSource, RawImage } from '../image/types.js';
import type { NativeClassification } from '../native/contract.js';
import { CALL_OPTION_KEYS, type CallOptions } from '../native/job.js';
import { native } from '../native/load.js';
import { type Device, placeOn } from './device.js';
import { checkExplainOptions, type ExplainOptions, Explanation } from './explanation.js';
import type { LoadedModel } from './model.js';
import { loadNetwork, type SaveOptions, saveNetwork } from './model-file.js';

/** What a classifier says of one image. */
export interface Classification {
  /** The class with the highest probability. */
  label: string;
  /** Its place in `config.classNames`. */
  index: number;
  /** Of each class, 0 to 1, summing to 1. */
  probabilities: Record<string, number>;
  /** The network's outputs before softmax, in the order of `config.classNames`. */
  logits: Float32Array;
  /** What was read of the file, and what else it holds; not for raw pixels and tensors. */
  source?: ImageSource;
  /** What the caller should know of the image, a sentence each. */
  notices?: readonly string[];
}

/** How an image is read and classified. */
export interface ClassifyOptions extends ImageReadOptions, CallOptions {}

/** A network input as it is: resized and normalised by the caller. */
export interface InputTensor {
  /** Channel by channel, row-major. */
  data: Float32Array;
  /** [3, height, width], or [1, 3, height, width]. */
  shape: readonly number[];
}

export interface LoadClassifierOptions extends CallOptions {
  /** The network, or the part of it that differs from what the file says. A checkpoint without names needs `classNames`. */
  config?: PartialClassifierConfig;
  /** Where the network computes, in float32; default `cpu`. */
  device?: Device;
}

/** A ResNet that names the type of an image's cells: the router of an ensemble. */
export class CellClassifier {
  readonly config: ClassifierConfig;
  readonly #model: LoadedModel;

  private constructor(config: ClassifierConfig, model: LoadedModel) {
    this.config = config;
    this.#model = model;
  }

  /**
   * Loads a classifier from safetensors, a torch checkpoint, or a fastai `learn.export()` `.pkl`, which is read as
   * data: nothing in it is run.
   *
   * @throws {CellrouteError} FILE_UNREADABLE, WEIGHTS_FORMAT, WEIGHTS_DAMAGED, WEIGHTS_REFUSED; WEIGHTS_MISMATCH
   *   where the tensors are not this network's; INVALID_CONFIG; DEVICE_UNAVAILABLE.
   */
  static async load(path: string, options: LoadClassifierOptions = {}): Promise<CellClassifier> {
    checkKeys('', options, ['config', 'device', ...CALL_OPTION_KEYS]);
    const place = await placeOn(options.device, options);
    let config!: ClassifierConfig;
    const model = await loadNetwork(path, 'classifier', options, place, (file) => {
      const own =
        readStoredConfig(file, 'classifier') ?? fastaiClassifierConfig(file) ?? inferClassifierConfig(file);
      config = classifierConfig(mergeConfig(own, options.config));
      return (addon, weights, call) => addon.loadClassifier(config, weights, call);
    });
    return new CellClassifier(config, model);
  }

  /** Around a network that is there already, and is disposed with the classifier. @internal */
  static of(config: ClassifierConfig, model: LoadedModel): CellClassifier {
    return new CellClassifier(config, model);
  }

  /**
   * Names the type of one image.
   *
   * @throws {CellrouteError} INVALID_ARGUMENT, IMAGE_UNREADABLE, IMAGE_UNSUPPORTED, IMAGE_TOO_LARGE, DISPOSED; an
   *   abort rejects with `signal.reason`.
   */
  async classify(image: ImageInput, options: ClassifyOptions = {}): Promise<Classification> {
    checkKeys('', options, [...READ_KEYS, ...CALL_OPTION_KEYS]);
    checkReadOptions(options);
    void this.#model.handle;
    const decoded = await decodeImage(image, {
      ...readOptionsIn(options),
      ...(options.signal && { signal: options.signal }),
    });
    return this.classifyDecoded(decoded, options);
  }

  /** The same for pixels that were decoded and checked already. @internal */
  async classifyDecoded(decoded: RawImage, options: CallOptions): Promise<Classification> {
    const { intensity } = this.config;
    const named = this.#named(
      await this.#model.run(options, (model, call) => native().classify(model, decoded, intensity, call)),
    );
    const notice = await lowBitsNotice(intensity, decoded);
    const { source } = decoded;
    const notices = [...(source?.notices ?? []), ...(notice === undefined ? [] : [notice])];
    return { ...named, ...(source && { source }), ...(notices.length > 0 && { notices }) };
  }

  /** The network alone, on an input the caller has prepared. */
  async classifyTensor(input: InputTensor, options: CallOptions = {}): Promise<Classification> {
    checkKeys('', options, CALL_OPTION_KEYS);
    const { data, width, height } = checkInput(input);
    return this.#named(
      await this.#model.run(options, (model, call) =>
        native().classifyTensor(model, data, height, width, call),
      ),
    );
  }

  /**
   * Tells which pixels of an image speak for a class. Gradients are of the network as it classifies; its weights
   * keep none.
   *
   * @throws {CellrouteError} INVALID_ARGUMENT, IMAGE_UNREADABLE, IMAGE_UNSUPPORTED, IMAGE_TOO_LARGE, DISPOSED; an
   *   abort rejects with `signal.reason`.
   */
  async explain(image: ImageInput, options: ExplainOptions & ImageReadOptions = {}): Promise<Explanation> {
    const { classNames, resize, intensity } = this.config;
    checkExplainOptions(options, classNames, resize ?? LARGEST, READ_KEYS);
    checkReadOptions(options);
    void this.#model.handle;
    const decoded = await decodeImage(image, {
      ...readOptionsIn(options),
      ...(options.signal && { signal: options.signal }),
    });
    const checked = checkExplainOptions(options, classNames, resize ?? decoded, READ_KEYS);
    const explained = await this.#model.run(options, (model, call) =>
      native().explain(model, decoded, intensity, checked, call),
    );
    return new Explanation(checked.method, explained, this.config, decoded);
  }

  /** {@link explain} for an input the caller has prepared, which also stands for the image. */
  async explainTensor(input: InputTensor, options: ExplainOptions = {}): Promise<Explanation> {
    const { data, width, height } = checkInput(input);
    const checked = checkExplainOptions(options, this.config.classNames, { width, height });
    const explained = await this.#model.run(options, (model, call) =>
      native().explainTensor(model, data, height, width, checked, call),
    );
    return new Explanation(checked.method, explained, { ...this.config, resize: null }, { width, height });
  }

  /** Where the network computes: `cpu`, `cuda:0`. */
  get device(): string {
    return this.#model.place.device;
  }

  /** Writes the network, with its configuration, as safetensors (or a torch checkpoint where `path` ends in .pth, .pt or .bin). */
  async save(path: string, options: SaveOptions = {}): Promise<void> {
    await saveNetwork(path, this.#model, this.config, options);
  }

  /** Stops what is in flight (it rejects with DISPOSED), waits for it, and frees the network. */
  async dispose(): Promise<void> {
    await this.#model.dispose();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.dispose();
  }

  #named({ logits, probabilities }: NativeClassification): Classification {
    const { classNames } = this.config;
    const index = probabilities.reduce((best, value, i) => (value > probabilities[best]! ? i : best), 0);
    return {
      label: classNames[index]!,
      index,
      probabilities: Object.fromEntries(classNames.map((name, i) => [name, probabilities[i]!])),
      logits,
    };
  }
}

/** Stands for a size that is not known yet: no default of that size refuses an option. */
const LARGEST = { width: 1 << 16, height: 1 << 16 };

/** A prepared input's numbers and sides, which agree with each other. */
function checkInput({ data, shape }: InputTensor): { data: Float32Array; width: number; height: number } {
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
