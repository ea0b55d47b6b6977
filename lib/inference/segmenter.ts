import { performance } from 'node:perf_hooks';
import { checkOptions } from '../check.js';
import { inferMaskRCNNConfig } from '../config/infer.js';
import { type MaskRCNNConfig, maskRCNNConfig, type PartialMaskRCNNConfig } from '../config/mask-rcnn.js';
import { mergeConfig, readStoredConfig } from '../config/stored.js';
import { isSlide, type Slide } from '../image/slide.js';
import type { ImageInput, RawImage } from '../image/types.js';
import type { ImageSize } from '../mask/masks.js';
import type {
  NativeCandidates,
  NativeSegmentation,
  NativeSegmentOptions,
  NativeTile,
  NativeTilePlan,
  NativeTiling,
} from '../native/contract.js';
import { CALL_OPTION_KEYS, type Call, type CallOptions } from '../native/job.js';
import { native } from '../native/load.js';
import { decideScale, evidenceOf, type ProbedWindow, probeProposals, probeSide } from './auto-scale.js';
import { type CallImage, noticesFor, withImage, withModelImage } from './call-image.js';
import { type Device, placeOn } from './device.js';
import { fingerprintOf } from './fingerprint.js';
import type { LoadedModel } from './model.js';
import { loadNetwork, type SaveOptions, saveNetwork } from './model-file.js';
import { findSegmenter } from './model-path.js';
import { checkPrecision, choosePrecision, type Precision } from './precision.js';
import { CONTRAST_BLOCKS, windowAt } from './probe-windows.js';
import { isProfiling, writeProfile } from './profile.js';
import { lossesOfCandidates, segmentWithinLimits, withoutLosses } from './raise-limits.js';
import type { Seams, Segmentation } from './result.js';
import {
  ownFactor,
  type ResolvedScale,
  resolveScale,
  type ScaleOptions,
  thresholdsAtScale,
  trainedDiameter,
} from './scale.js';
import {
  type ImageSequence,
  type SegmentAllOptions,
  type SegmentAllResult,
  segmentEach,
} from './segment-all.js';
import { checkSegmentOptions, type SegmentOptions } from './segment-options.js';
import { type SlideRequest, type SlideRowCells, segmentSlide, segmentSlideRows } from './segment-slide.js';
import { chooseLevel } from './slide-level.js';
import type { SlideRowsOptions, SlideSegmentOptions } from './slide-options.js';
import { makePlan, type SlideNetwork, type SlidePlan } from './slide-plan.js';
import { readScaleWindows } from './slide-sample.js';
import { nativeThresholds, type SegmentThresholds } from './thresholds.js';
import { cappedTiles, eachTile, planTiles, stitchTiles, sumProfiles, toCells } from './tiled.js';
import { tilingOf } from './tiles.js';

/** Options of {@link CellSegmenter.load}. */
export interface LoadSegmenterOptions extends CallOptions {
  /**
   * Values of the network's configuration that override those of the file. For a file without a configuration, values are
   * inferred from the tensors' shapes, with torchvision's defaults for the rest.
   */
  config?: PartialMaskRCNNConfig | undefined;
  /**
   * Number format of the network; default `float32`.
   *
   * - `bfloat16`: three digits. Two to six times as fast on CPUs that have it (Intel from Cooper Lake, AMD from Zen 4)
   *   or on a GPU. A few cells near the threshold may differ.
   * - `int8`: CPU with AVX2. 1x1 convolutions and linear layers in 8 bits, most 3x3 convolutions in 16 bits, the rest in
   *   float32. A few cells near the threshold may differ.
   * - `float16`, `tf32` (float32 with products of three digits): GPU.
   * - `auto`: float16 on a GPU, bfloat16 on a CPU that has it, else float32.
   */
  precision?: Precision | 'auto' | undefined;
  /** Device of the network. Default `cpu`. */
  device?: Device | undefined;
}

/**
 * A Mask R-CNN that finds the cells of an image and their masks.
 *
 * ```ts
 * const segmenter = await CellSegmenter.load('segmenter.safetensors');
 * const { cells } = await segmenter.segment('image.png', { minScore: 0.6 });
 * await segmenter.dispose();
 * ```
 */
export class CellSegmenter {
  /** Complete configuration of the network. */
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
   * @param path weights file, folder of a run, or folder of an ensemble with one segmenter; see {@link findModel}.
   * @throws {CellrouteError} FILE_UNREADABLE, WEIGHTS_FORMAT, WEIGHTS_DAMAGED, WEIGHTS_REFUSED; WEIGHTS_MISMATCH
   *   if the tensors do not fit the network; INVALID_CONFIG; PLATFORM_UNSUPPORTED for a precision that the device
   *   does not support; DEVICE_UNAVAILABLE.
   */
  static async load(path: string, options: LoadSegmenterOptions = {}): Promise<CellSegmenter> {
    checkOptions(options, ['config', 'precision', 'device', ...CALL_OPTION_KEYS]);
    const asked = checkPrecision(options.precision);
    const { device } = await placeOn(options.device, options);
    const precision = choosePrecision(asked, device);
    let config!: MaskRCNNConfig;
    const place = { device, tf32: precision === 'tf32' };
    const { file: weightsPath } = await findSegmenter(path);
    const model = await loadNetwork(weightsPath, 'segmenter', options, place, (file) => {
      const own = readStoredConfig(file, 'mask-rcnn') ?? inferMaskRCNNConfig(file);
      config = maskRCNNConfig(mergeConfig(own, options.config));
      const type = precision === 'tf32' ? 'float32' : precision;
      return (addon, weights, call) => addon.loadMaskRCNN(config, weights, type, call);
    });
    return new CellSegmenter(config, model, precision);
  }

  /** Creates a segmenter of a loaded network, and owns it. @internal */
  static of(config: MaskRCNNConfig, model: LoadedModel): CellSegmenter {
    return new CellSegmenter(config, model, 'float32');
  }

  /**
   * Finds the cells of one image. Calls are queued and finish in the order in which they were made; none blocks the
   * event loop. The image's memory must not change before the call has settled.
   *
   * ```ts
   * const { cells } = await segmenter.segment('image.png', { minScore: 0.6, removeOverlaps: true });
   * for (const { box, score, area } of cells) console.log(box, score, area); // pixels; 0 to 1; pixels
   * ```
   *
   * @param image a path, file: URL, Blob, stream, encoded bytes or raw pixels; see {@link ImageInput}.
   * @throws {CellrouteError} INVALID_ARGUMENT, FILE_UNREADABLE, IMAGE_UNREADABLE, IMAGE_UNSUPPORTED, IMAGE_TOO_LARGE,
   *   DISPOSED, OUT_OF_MEMORY; BUSY with `whenBusy: 'reject'`; an abort rejects with `signal.reason`.
   */
  async segment(image: ImageInput, options?: SegmentOptions): Promise<Segmentation>;
  /**
   * Finds the cells of a slide, tile by tile: memory depends on the tile and on the number of cells, not on the slide.
   * Width, height, boxes and masks of the result are in pixels of the level that was segmented (`result.slide`).
   *
   * @throws {CellrouteError} also RESUME_REFUSED, RUN_LOCKED, FILE_UNWRITABLE with `resume`.
   */
  async segment(slide: Slide, options?: SlideSegmentOptions): Promise<Segmentation>;
  async segment(
    image: ImageInput | Slide,
    options: SegmentOptions | SlideSegmentOptions = {},
  ): Promise<Segmentation> {
    if (isSlide(image)) {
      return segmentSlide(this, image, options as SlideSegmentOptions, []);
    }
    checkSegmentOptions(options, []);
    return withModelImage(this.#model, image, options, (own, loaded) =>
      this.segmentLoaded(own, loaded, options),
    );
  }

  /**
   * Finds the cells of many images. Images are taken from the iterable only while there is room for them, so memory is
   * bounded and the device is busy. An image that fails yields an error and does not stop the others.
   *
   * ```ts
   * for await (const { id, result, error } of segmenter.segmentAll(['a.png', 'b.png'])) {
   *   console.log(id, error ?? result.cells.length);
   * }
   * ```
   *
   * @param images images, or `{ id, image }`.
   * @throws {CellrouteError} INVALID_ARGUMENT for options. The iteration throws what the iterable throws, and
   *   `signal.reason` after an abort.
   */
  segmentAll(
    images: ImageSequence,
    options: SegmentAllOptions = {},
  ): AsyncGenerator<SegmentAllResult<Segmentation>, void, undefined> {
    return segmentEach(images, options, [], this.device, (image, own) => this.segment(image, own));
  }

  /**
   * {@link segment} for the image of a call and options that are checked.
   *
   * @param thresholds of the model, which options override. @internal
   */
  async segmentLoaded(
    own: Call,
    image: CallImage,
    given: SegmentOptions,
    thresholds: SegmentThresholds = {},
  ): Promise<Segmentation> {
    const name = given.name ?? image.name;
    const started = performance.now();
    const scaled = await this.#scaleFor(own, image, given);
    const options = { ...thresholdsAtScale(thresholds, scaled.scale), ...given };
    const request = nativeOptions(this.config, options, scaled);
    const tiling = tilingOf(this.config, image, options.tiles, options.detectionsPerImage, scaled.factor);
    const notices = noticesFor(this.config.intensity, image);
    const raises = raisesLimits(options);
    const whole = (asked: NativeSegmentOptions): Promise<NativeSegmentation> =>
      this.#model.runIn(own, (model, call) => native().segment(model, image.handle, asked, call));
    const found = tiling
      ? await this.#segmentTiles(own, image, request, tiling, raises)
      : await segmentWithinLimits(request, whole, { raises });
    if (found.profile) writeProfile(image, this.precision, found.scores.length, started, found.profile);
    const named = name !== undefined && { name };
    return { ...named, ...segmentation(this.config, image, found, scaled, notices) };
  }

  async #segmentTiles(
    own: Call,
    image: CallImage,
    request: NativeSegmentOptions,
    tiling: NativeTiling,
    raises: boolean,
  ): Promise<TiledSegmentation> {
    const model = this.#model;
    const grid = { width: image.width, height: image.height, tiling };
    const plan = planTiles(model, grid);
    const range = await model.runIn(own, (_, job) =>
      native().measureRange(image.handle, request.intensity, job),
    );
    const run = { model, grid, request, raisesLimits: raises, range };
    const count = (plan.columns.length / 2) * (plan.rows.length / 2);
    const tiles: NativeTile[] = [];
    const whole = async () => ({ image: image.handle, x: 0, y: 0 });
    for await (const { tile } of eachTile(own, run, Array(count).keys(), count, whole)) tiles.push(tile!);
    const stitched = await stitchTiles(own, run, tiles, null);
    const profile = sumProfiles([...tiles, stitched].map((part) => part.profile));
    const capped = cappedTiles(tiles);
    return {
      ...stitched,
      detectionsCapped: stitched.detectionsCapped || capped.detectionsCapped,
      proposalsCapped: capped.proposalsCapped,
      seams: seamsOf(plan, stitched.onSeam),
      ...(profile && { profile }),
    };
  }

  /**
   * Finds the cells of a slide and yields those of each finished row of tiles, so that memory depends on the tile alone.
   * Together the rows have the cells of `segment`.
   *
   * @throws {CellrouteError} what `segment` throws. The iteration stops the call when it is left.
   */
  segmentRows(slide: Slide, options: SlideRowsOptions = {}): AsyncGenerator<SlideRowCells, void, undefined> {
    return segmentSlideRows(this, slide, options, []);
  }

  /** Decides how a slide is segmented. @internal */
  async planSlide(
    call: Call,
    slide: Slide,
    { route = null, notices = [], thresholds = {}, identified, ...given }: SlideRequest,
  ): Promise<SlidePlan> {
    const scale = given.scale === 'auto' ? await this.#slideScale(call, slide, given) : given.scale;
    const choice = chooseLevel(this.config, slide, { ...given, scale });
    // A cell has fewer pixels in a smaller level, as it has at a larger scale.
    const own = thresholdsAtScale(thresholds, choice.scale * choice.reduction);
    const options = { ...own, ...given };
    const request = nativeOptions(this.config, options, { scale: choice.scale, factor: null });
    return makePlan(call, this.slideNetwork(), slide, choice, {
      request,
      raisesLimits: raisesLimits(options),
      options,
      route,
      notices,
      identified,
    });
  }

  /** Identifies this segmenter by its weights, precision and configuration. @internal */
  fingerprint(own: Call): Promise<string> {
    return fingerprintOf(own, this.#model, this.precision, JSON.stringify(this.config));
  }

  /** The network, for the tiles of a slide. @internal */
  slideNetwork(): SlideNetwork {
    return { model: this.#model, config: this.config, precision: this.precision };
  }

  /**
   * The output of one forward pass over a whole image, for cells at any thresholds: the candidates that score at least
   * `thresholds.minScore` and that one of the NMS thresholds keeps, and the scale that was used. Images are checked and
   * limits raised as by `segment`. @internal
   */
  async findCandidates(
    pixels: RawImage,
    thresholds: SegmentThresholds & ScaleOptions,
    nmsThresholds: readonly number[],
    options: CallOptions,
  ): Promise<{ found: NativeCandidates; scale: number; notices: string[] }> {
    return withModelImage(this.#model, pixels, options, async (own, image) => {
      const scaled = await this.#scaleFor(own, image, { ...thresholds, tiles: false });
      const request = nativeOptions(this.config, thresholds, scaled);
      const notices = noticesFor(this.config.intensity, image);
      if (tilingOf(this.config, image, 'auto', undefined, scaled.factor)) {
        notices.push('it is so large that segment cuts it into tiles; here it was read whole');
      }
      const find = (asked: NativeSegmentOptions) =>
        this.#model.runIn(own, (model, call) =>
          native().findCandidates(model, image.handle, { ...asked, nmsThresholds }, call),
        );
      const { found } = await withoutLosses(request, find, lossesOfCandidates);
      return { found, scale: scaled.scale, notices };
    });
  }

  async #scaleFor(own: Call, image: CallImage, options: SegmentOptions): Promise<ResolvedScale> {
    const { scale, ...others } = options;
    if (scale !== 'auto') return resolveScale(this.config, image, { ...others, scale });
    const factor = ownFactor(this.config, image, options.tiles);
    const contrast = await this.#contrastOf(own, image);
    const decided = await this.#decideBy(image, factor, async (scaled, side) => [
      await this.#probe(own, image, contrast, scaled, side),
    ]);
    return resolveScale(this.config, image, { ...others, scale: decided });
  }

  /** The scale that `auto` decides for a level of a slide, by some windows of it. */
  async #slideScale(own: Call, slide: Slide, { level = 0, tiles }: SlideSegmentOptions): Promise<number> {
    const factor = ownFactor(this.config, slide.levels[level]!, tiles);
    const parts = await readScaleWindows(slide, level, own.signal);
    return this.#decideBy(parts[0]!, factor, async (scaled, side) => {
      const windows: ProbedWindow[] = [];
      for (const part of parts) {
        windows.push(
          await withImage(own, part, {}, async (loaded) =>
            this.#probe(own, loaded, await this.#contrastOf(own, loaded), scaled, side),
          ),
        );
      }
      return windows;
    });
  }

  /**
   * Decides a scale.
   *
   * @param size of the image, or of each part of it that has a window.
   * @param factor pixels of the network's input per pixel of the image, at scale 1.
   * @param look finds boxes in windows of a given side, at a given number of the network's input pixels per image pixel.
   */
  #decideBy(
    size: ImageSize,
    factor: number,
    look: (factor: number, side: number) => Promise<ProbedWindow[]>,
  ): Promise<number> {
    const diameter = trainedDiameter(this.config, 'scale');
    return decideScale(async (scale) => {
      const side = probeSide(size, factor, scale, this.config.sizeDivisible);
      return evidenceOf(await look(scale * factor, side), diameter);
    });
  }

  /** The boxes in the window with most contrast, with `factor` pixels of the network's input per pixel of the image. */
  async #probe(
    own: Call,
    image: CallImage,
    contrast: Float32Array,
    factor: number,
    side: number,
  ): Promise<ProbedWindow> {
    const proposals = probeProposals(side);
    const request = {
      ...nativeOptions(this.config, {}, { scale: 1, factor: null }),
      scoreThreshold: this.config.box.scoreThreshold,
      rpnPreNmsTopN: proposals,
      rpnPostNmsTopN: proposals,
    };
    const window = windowAt(contrast, image, factor, side);
    const [found] = await this.#model.runIn(
      own,
      (model, call) => native().probeScales(model, image.handle, request, [window], call),
      { progress: false },
    );
    return { window, ...found! };
  }

  #contrastOf(own: Call, image: CallImage): Promise<Float32Array> {
    return this.#model.runIn(
      own,
      (_, call) =>
        native().blockContrast(image.handle, this.config.intensity, CONTRAST_BLOCKS, CONTRAST_BLOCKS, call),
      { progress: false },
    );
  }

  /** The scale that `scale: 'auto'` decides, for measurements. @internal */
  decideScale(image: ImageInput): Promise<number> {
    return withModelImage(this.#model, image, {}, async (own, loaded) => {
      const { scale } = await this.#scaleFor(own, loaded, { scale: 'auto' });
      return scale;
    });
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

  /** Cancels calls in progress (they reject with DISPOSED), waits for them and frees the network. */
  async dispose(): Promise<void> {
    await this.#model.dispose();
  }

  /** Calls {@link dispose}; for `await using`. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.dispose();
  }
}

/** Limits are raised unless the caller sets them, or wants the image whole and as the model is configured. */
const raisesLimits = ({ tiles, detectionsPerImage, rpn }: SegmentOptions): boolean =>
  tiles !== false &&
  detectionsPerImage === undefined &&
  rpn?.preNmsTopN === undefined &&
  rpn?.postNmsTopN === undefined;

function nativeOptions(
  config: MaskRCNNConfig,
  options: SegmentThresholds,
  { factor }: ResolvedScale,
): NativeSegmentOptions {
  return {
    intensity: config.intensity,
    scale: factor,
    ...nativeThresholds(config, options),
    profile: isProfiling(),
  };
}

interface TiledSegmentation extends NativeSegmentation {
  seams: Seams;
}

const seamsOf = ({ seamsX, seamsY }: NativeTilePlan, cells: ArrayLike<number>): Seams => ({
  x: Array.from(seamsX),
  y: Array.from(seamsY),
  cells: Array.from(cells),
});

function segmentation(
  { classNames }: MaskRCNNConfig,
  image: CallImage,
  found: NativeSegmentation | TiledSegmentation,
  { scale }: ResolvedScale,
  notices: readonly string[],
): Segmentation {
  const { width, height, source } = image;
  return {
    width,
    height,
    cells: toCells(classNames, found),
    limitsReached: { detections: found.detectionsCapped, proposals: found.proposalsCapped },
    scale,
    ...('seams' in found && { seams: found.seams }),
    ...(source && { source }),
    ...(notices.length > 0 && { notices }),
  };
}
