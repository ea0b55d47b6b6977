import { performance } from 'node:perf_hooks';
import { checkKeys, checkObject, checkOneOf } from '../check.js';
import { inferMaskRCNNConfig } from '../config/infer.js';
import { type MaskRCNNConfig, maskRCNNConfig, type PartialMaskRCNNConfig } from '../config/mask-rcnn.js';
import { mergeConfig, readStoredConfig } from '../config/stored.js';
import { CellrouteError } from '../errors.js';
import { lowBitsNotice } from '../image/low-bits.js';
import { checkReadOptions, READ_KEYS } from '../image/select.js';
import type { ImageInput, ImageReadOptions, RawImage } from '../image/types.js';
import { boxArray } from '../mask/boxes.js';
import { Masks } from '../mask/masks.js';
import type {
  NativeSegmentation,
  NativeSegmentOptions,
  NativeTiledSegmentation,
} from '../native/contract.js';
import { CALL_OPTION_KEYS, type CallOptions } from '../native/job.js';
import { call, native } from '../native/load.js';
import { Candidates } from '../tune/candidates.js';
import { Cells } from './cells.js';
import { type Device, placeOn } from './device.js';
import type { LoadedModel } from './model.js';
import { loadNetwork, type SaveOptions, saveNetwork } from './model-file.js';
import { decodeToSegment, isProfiling, writeProfile } from './profile.js';
import type { Seams, Segmentation } from './result.js';
import { checkThresholds, nativeThresholds, type SegmentThresholds, THRESHOLD_KEYS } from './thresholds.js';
import { checkTiles, type Tiles, tilingOf } from './tiles.js';

export interface SegmentOptions extends SegmentThresholds, ImageReadOptions, CallOptions {
  /**
   * Cuts the image into overlapping tiles, so that memory goes by the tile, and joins what was found: default `auto`,
   * which cuts images of more than 2048 × 2048 pixels. Intensities are scaled over the whole image, and the signal is
   * asked within each tile. A `detectionsPerImage` that is given counts for the whole image, the model's own a tile.
   */
  tiles?: Tiles;
}

export interface LoadSegmenterOptions extends CallOptions {
  /**
   * The network, or the part of it that differs from what the file says (its stored configuration; where it has
   * none, what its tensors' shapes tell, and torchvision's defaults).
   */
  config?: PartialMaskRCNNConfig;
  /**
   * What the network computes in; default `float32`. `bfloat16` has three digits: two to six times as fast on processors
   * that multiply it (Intel from Cooper Lake, AMD from Zen 4), and a few cells at the threshold may come or go; refused elsewhere.
   * `int8` multiplies 1x1 convolutions and linear layers in 8 bits, most 3x3 ones in 16 and the rest in float32, with x64
   * processors that have AVX2; here too cells at the threshold may come or go; refused elsewhere. `float16` and `tf32`
   * (float32 whose products keep three digits) are a GPU's. `auto` is float16 on a GPU, and bfloat16 where the processor
   * has it.
   */
  precision?: Precision | 'auto';
  /** Where the network computes; default `cpu`. */
  device?: Device;
}

/** What a network computes in. */
export type Precision = 'float32' | 'bfloat16' | 'int8' | 'float16' | 'tf32';

/** Refuses options that `segment` does not take; `more` are further keys of the caller's options. */
export function checkSegmentOptions(options: SegmentOptions, more: readonly string[]): void {
  checkKeys('', checkObject('options', options), [
    ...more,
    ...THRESHOLD_KEYS,
    'tiles',
    ...READ_KEYS,
    ...CALL_OPTION_KEYS,
  ]);
  checkReadOptions(options);
  checkThresholds(options, '');
  checkTiles(options.tiles);
}

/** A Mask R-CNN that finds and outlines the cells of an image. */
export class CellSegmenter {
  readonly config: MaskRCNNConfig;
  readonly precision: Precision;
  readonly #model: LoadedModel;

  private constructor(config: MaskRCNNConfig, model: LoadedModel, precision: Precision) {
    this.config = config;
    this.precision = precision;
    this.#model = model;
  }

  /**
   * Loads a Mask R-CNN from safetensors or a torch checkpoint (`.pth`, `.pt`, `.bin`, zip or legacy).
   *
   * @throws {CellrouteError} FILE_UNREADABLE, WEIGHTS_FORMAT, WEIGHTS_DAMAGED, WEIGHTS_REFUSED; WEIGHTS_MISMATCH
   *   where the tensors are not this network's; INVALID_CONFIG;
   *   PLATFORM_UNSUPPORTED for a precision that the device has not; DEVICE_UNAVAILABLE.
   */
  static async load(path: string, options: LoadSegmenterOptions = {}): Promise<CellSegmenter> {
    checkKeys('', options, ['config', 'precision', 'device', ...CALL_OPTION_KEYS]);
    const asked = checkPrecision(options.precision);
    const { device } = await placeOn(options.device, options);
    const precision = choosePrecision(asked, device);
    let config!: MaskRCNNConfig;
    const place = { device, tf32: precision === 'tf32' };
    const model = await loadNetwork(path, 'segmenter', options, place, (file) => {
      const own = readStoredConfig(file, 'mask-rcnn') ?? inferMaskRCNNConfig(file);
      config = maskRCNNConfig(mergeConfig(own, options.config));
      const type = precision === 'tf32' ? 'float32' : precision;
      return (addon, weights, call) => addon.loadMaskRCNN(config, weights, type, call);
    });
    return new CellSegmenter(config, model, precision);
  }

  /** Around a network that is there already, and is disposed with the segmenter. @internal */
  static of(config: MaskRCNNConfig, model: LoadedModel): CellSegmenter {
    return new CellSegmenter(config, model, 'float32');
  }

  /**
   * Finds the cells of one image. Calls queue; none blocks the event loop.
   *
   * @throws {CellrouteError} INVALID_ARGUMENT, IMAGE_UNREADABLE, IMAGE_UNSUPPORTED, IMAGE_TOO_LARGE, DISPOSED,
   *   OUT_OF_MEMORY; an abort rejects with `signal.reason`.
   */
  async segment(image: ImageInput, options: SegmentOptions = {}): Promise<Segmentation> {
    checkSegmentOptions(options, []);
    // A disposed model says so before an image is decoded for nothing.
    void this.#model.handle;
    const decoded = await decodeToSegment(image, options);
    return this.segmentDecoded(decoded, options);
  }

  /** The same for pixels that were decoded and checked already. @internal */
  async segmentDecoded(decoded: RawImage, options: SegmentOptions): Promise<Segmentation> {
    const began = performance.now();
    const request = nativeOptions(this.config, options);
    const tiling = tilingOf(this.config, decoded, options.tiles, options.detectionsPerImage);
    const found: NativeSegmentation | NativeTiledSegmentation = await this.#model.run(
      options,
      (model, call) =>
        tiling
          ? native().segmentTiles(model, decoded, request, tiling, call)
          : native().segment(model, decoded, request, call),
    );
    if (found.profile) writeProfile(decoded, this.precision, found.scores.length, began, found.profile);
    const notice = await lowBitsNotice(this.config.intensity, decoded);
    return segmentation(this.config, decoded, found, notice);
  }

  /**
   * What one pass of the network sees in an image, from which cells can be cut at any thresholds: those above
   * `lowestScore`, with each of the NMS thresholds. @internal
   */
  async candidates(
    decoded: RawImage,
    lowestScore: number,
    nmsThresholds: readonly number[],
    options: SegmentOptions,
  ): Promise<Candidates> {
    const request = nativeOptions(this.config, { ...options, minScore: lowestScore });
    const found = await this.#model.run(options, (model, call) =>
      native().findCandidates(model, decoded, { ...request, nmsThresholds }, call),
    );
    return new Candidates(found, nmsThresholds, decoded);
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
}

function checkPrecision(precision: unknown = 'float32'): Precision | 'auto' {
  return checkOneOf('precision', precision, ['float32', 'bfloat16', 'int8', 'float16', 'tf32', 'auto']);
}

/** @internal */
export function choosePrecision(asked: Precision | 'auto', device: string): Precision {
  if (device !== 'cpu') {
    if (asked !== 'int8') return asked === 'auto' ? 'float16' : asked;
    throw unsupported(
      asked,
      "is the CPU's: load with device 'cpu'",
      'float32, tf32, float16, bfloat16 or auto',
    );
  }
  if (asked === 'float32') return asked;
  if (asked === 'float16' || asked === 'tf32') {
    throw unsupported(asked, "is a GPU's: load with device 'cuda'", 'float32, bfloat16, int8 or auto');
  }
  const has = call(() => native().info());
  if (asked === 'auto') return has.bfloat16 ? 'bfloat16' : 'float32';
  if (has[asked]) return asked;
  const others = has.int8 ? 'float32, int8 or auto' : 'float32 or auto';
  throw unsupported(asked, 'has no products on this machine: load on another', others);
}

function unsupported(asked: Precision, why: string, expected: string): CellrouteError {
  return new CellrouteError(
    'PLATFORM_UNSUPPORTED',
    `Precision '${asked}' ${why}, or with precision ${expected}.`,
    {
      option: 'precision',
      expected,
      got: asked,
    },
  );
}

function nativeOptions(config: MaskRCNNConfig, options: SegmentThresholds): NativeSegmentOptions {
  return {
    intensity: config.intensity,
    ...nativeThresholds(config, options),
    profile: isProfiling(),
  };
}

const seamsOf = ({ seamsX, seamsY, onSeam }: NativeTiledSegmentation): Seams => ({
  x: Array.from(seamsX),
  y: Array.from(seamsY),
  cells: Array.from(onSeam),
});

function segmentation(
  { classNames }: MaskRCNNConfig,
  { width, height, source }: RawImage,
  found: NativeSegmentation | NativeTiledSegmentation,
  notice: string | undefined,
): Segmentation {
  const { boxes, scores, labels, areas, masks } = found;
  const notices = [...(source?.notices ?? []), ...(notice === undefined ? [] : [notice])];
  return {
    width,
    height,
    cells: new Cells({
      boxes: boxArray(boxes),
      scores,
      labels,
      areas,
      masks: Masks.fromBatch(masks),
      classNames,
    }),
    limitsReached: { detections: found.detectionsCapped, proposals: found.proposalsCapped },
    ...('onSeam' in found && { seams: seamsOf(found) }),
    ...(source && { source }),
    ...(notices.length > 0 && { notices }),
  };
}
