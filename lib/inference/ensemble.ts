import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { types as utilTypes } from 'node:util';
import { canonicalJson } from '../canonical-json.js';
import { checkBoolean, checkKeys, checkObject, checkOptions, checkString, refuse } from '../check.js';
import { CellrouteError } from '../errors.js';
import { withFolderLock } from '../folder-lock.js';
import { isSlide, type Slide } from '../image/slide.js';
import type { ImageInput, ImageReadOptions } from '../image/types.js';
import { CALL_OPTION_KEYS, type Call, type CallOptions, withCall } from '../native/job.js';
import { Outputs } from '../outputs.js';
import { withImage } from './call-image.js';
import { CellClassifier, type Classification } from './classifier.js';
import { checkDevice, type Device, placeOn, resolveDevice } from './device.js';
import { type EnsembleFile, readEnsembleFile, starterFolder } from './ensemble-file.js';
import type { ExplainOptions, Explanation } from './explanation.js';
import type { SaveOptions } from './model-file.js';
import { type FoundModel, findModel, mismatch } from './model-path.js';
import type { Route, RoutedSegmentation } from './result.js';
import { type RouterStatistics, readStatistics } from './router-statistics.js';
import {
  type ImageSequence,
  type SegmentAllOptions,
  type SegmentAllResult,
  segmentEach,
} from './segment-all.js';
import { checkSegmentOptions, type SegmentOptions } from './segment-options.js';
import { type SlideRequest, type SlideRowCells, segmentSlide, segmentSlideRows } from './segment-slide.js';
import { CellSegmenter, type LoadSegmenterOptions } from './segmenter.js';
import { SINGLE_TYPE, singleTypeRouter } from './single-type.js';
import type { SlideRowsOptions, SlideSegmentOptions } from './slide-options.js';
import type { SlideNetwork, SlidePlan } from './slide-plan.js';
import { readRoutedWindows } from './slide-sample.js';
import { checkThresholds, type SegmentThresholds, THRESHOLD_KEYS } from './thresholds.js';
import { checkEnsembleFiles, type EnsembleParts, writeEnsemble } from './write-ensemble.js';

/** Members and thresholds of a {@link RoutedEnsemble}. */
export interface RoutedEnsembleOptions {
  /** Router: classifies the cell type of an image. */
  classifier: CellClassifier;
  /**
   * Segmenter of each class of the classifier. null means that the type has none: its images are refused with
   * NO_SEGMENTER, unless there is a fallback.
   */
  segmenters: Record<string, CellSegmenter | null>;
  /** Thresholds of each type. Options passed to `segment` override these. */
  thresholds?: Record<string, SegmentThresholds> | undefined;
  /** Type whose segmenter is used for types without one. */
  fallback?: string | undefined;
  /** Statistics of the images of the types, for adding other types; see `addToEnsemble`. They belong to the classifier. */
  statistics?: RouterStatistics | undefined;
}

/** Options of {@link RoutedEnsemble.load}. */
export interface LoadEnsembleOptions
  extends CallOptions,
    Pick<LoadSegmenterOptions, 'precision' | 'device'> {}

/** Options of {@link RoutedEnsemble.segment}. */
export interface RoutedSegmentOptions extends SegmentOptions {
  /** Uses the segmenter of this type. The router still runs, and its probabilities are in the result. */
  cellType?: string | undefined;
}

/** Options of {@link RoutedEnsemble.segment} for a slide. */
export interface RoutedSlideOptions extends SlideSegmentOptions {
  /** Uses the segmenter of this type. The router still runs, and its probabilities are in the result. */
  cellType?: string | undefined;
}

/** Options of {@link RoutedEnsemble.save}. */
export interface SaveEnsembleOptions extends SaveOptions {
  /** Overwrites files that cellroute did not write, or that were changed since. Default false. */
  force?: boolean | undefined;
}

/** Options of {@link RoutedEnsemble.segmentAll}. */
export interface RoutedSegmentAllOptions extends SegmentAllOptions {
  /** Uses the segmenter of this type for all images. */
  cellType?: string | undefined;
}

/**
 * A router and one segmenter per cell type: the router classifies an image, and the Mask R-CNN of that type finds its
 * cells.
 *
 * ```ts
 * const ensemble = await RoutedEnsemble.load();
 * const { cellType, cells } = await ensemble.segment('image.png');
 * console.log(cellType, cells.length);
 * await ensemble.dispose();
 * ```
 */
export class RoutedEnsemble {
  readonly classifier: CellClassifier;
  readonly segmenters: Readonly<Record<string, CellSegmenter | null>>;
  readonly fallback: string | undefined;
  /** Statistics of the images of the types. */
  readonly statistics: RouterStatistics | undefined;
  #thresholds: Readonly<Record<string, SegmentThresholds>>;

  /**
   * Combines networks. The ensemble owns its members: disposing it disposes them.
   *
   * @param options the classifier, a segmenter or null per cell type, and optionally thresholds and a fallback.
   * @throws {CellrouteError} ENSEMBLE_INVALID where classes and segmenters do not agree, INVALID_ARGUMENT.
   */
  constructor(options: RoutedEnsembleOptions) {
    checkOptions(options, ['classifier', 'segmenters', 'thresholds', 'fallback', 'statistics']);
    const { classifier, segmenters, thresholds = {}, fallback, statistics } = options;
    if (!(classifier instanceof CellClassifier)) throw refuse('classifier', 'a CellClassifier', classifier);
    const types = classifier.config.classNames;
    checkObject('segmenters', segmenters);
    checkKeys('segmenters', segmenters, types, 'ENSEMBLE_INVALID');
    for (const type of types) {
      const segmenter = segmenters[type];
      if (segmenter !== null && !(segmenter instanceof CellSegmenter)) {
        throw refuse(
          `segmenters.${type}`,
          'a CellSegmenter, or null for a type without one',
          segmenter,
          'ENSEMBLE_INVALID',
        );
      }
    }
    // A name such as "toString" is a property of every object.
    const hasFallback = typeof fallback === 'string' && Object.hasOwn(segmenters, fallback);
    if (fallback !== undefined && !(hasFallback && segmenters[fallback])) {
      const expected = `one of ${types.filter((type) => segmenters[type]).join(', ')}`;
      throw refuse('fallback', expected, fallback, 'ENSEMBLE_INVALID');
    }
    if (statistics !== undefined) checkStatistics(statistics, types);
    this.classifier = classifier;
    this.statistics = statistics;
    this.segmenters = Object.freeze({ ...segmenters });
    this.#thresholds = checkedThresholds(thresholds, types);
    this.fallback = fallback;
  }

  /**
   * Loads the starter ensemble of the package.
   *
   * @throws {CellrouteError} as for a folder.
   */
  static load(options?: LoadEnsembleOptions): Promise<RoutedEnsemble>;
  /**
   * Loads an ensemble, the ensemble or segmenter of a training run, or a segmenter: see {@link findModel}. A segmenter becomes
   * an ensemble of the one type `cells`.
   *
   * @param path of a folder with `ensemble.json`, of the folder of a run, or of the weights of a segmenter. Default: the
   *   starter ensemble.
   * @throws {CellrouteError} INVALID_ARGUMENT, ENSEMBLE_INVALID, FILE_UNREADABLE, and the codes of
   *   {@link CellClassifier.load} and {@link CellSegmenter.load}.
   */
  static load(path: string | undefined, options?: LoadEnsembleOptions): Promise<RoutedEnsemble>;
  static async load(
    first?: string | LoadEnsembleOptions,
    second: LoadEnsembleOptions = {},
  ): Promise<RoutedEnsemble> {
    const [path, options] =
      typeof first === 'object' && first !== null ? [starterFolder, first] : [first ?? starterFolder, second];
    checkOptions(options, ['precision', 'device', ...CALL_OPTION_KEYS]);
    const { precision = 'float32', device: asked = 'cpu', ...call } = options;
    checkDevice('device', asked);
    const found = await findModel(path);
    const parts =
      found.kind === 'ensemble' ? await partsOfFolder(found.folder) : singleSegmenter(path, found);
    // Resolved once, so that with `auto` all members use the same device.
    const device = (await resolveDevice(asked, call)) as Device;
    const loaded: (CellClassifier | CellSegmenter)[] = [];
    const keep = <T extends CellClassifier | CellSegmenter>(member: T): T => {
      loaded.push(member);
      return member;
    };
    try {
      const classifier = keep(
        parts.classifier === null
          ? await singleTypeRouter(SINGLE_TYPE, call, await placeOn(device, call))
          : await CellClassifier.load(parts.classifier, { ...call, device }),
      );
      const segmenters: Record<string, CellSegmenter | null> = {};
      const thresholds: Record<string, SegmentThresholds> = {};
      for (const [type, entry] of Object.entries(parts.segmenters)) {
        segmenters[type] =
          entry && keep(await CellSegmenter.load(entry.weights, { ...call, precision, device }));
        if (entry?.thresholds) thresholds[type] = entry.thresholds;
      }
      const { fallback } = parts;
      const statistics = parts.statistics === undefined ? undefined : await readStatistics(parts.statistics);
      return new RoutedEnsemble({ classifier, segmenters, thresholds, fallback, statistics });
    } catch (error) {
      await Promise.all(loaded.map((member) => member.dispose()));
      throw error;
    }
  }

  /** Thresholds of the types that have their own. */
  get thresholds(): Readonly<Record<string, SegmentThresholds>> {
    return this.#thresholds;
  }

  /**
   * Replaces the thresholds of the given types; other types keep theirs. Calls in progress are not affected.
   *
   * @param thresholds per cell type; see {@link THRESHOLDS} for ranges and defaults.
   * @throws {CellrouteError} INVALID_ARGUMENT, ENSEMBLE_INVALID for a type that the classifier does not have.
   */
  setThresholds(thresholds: Record<string, SegmentThresholds>): void {
    const checked = checkedThresholds(thresholds, this.cellTypes);
    this.#thresholds = Object.freeze({ ...this.#thresholds, ...checked });
  }

  /** The cell types, in the order of the classifier's outputs. */
  get cellTypes(): readonly string[] {
    return this.classifier.config.classNames;
  }

  /**
   * Predicts the cell type of an image and finds its cells with that type's segmenter.
   *
   * ```ts
   * const { cellType, probabilities, cells } = await ensemble.segment('image.png');
   * console.log(cellType, probabilities[cellType], cells.length);
   * ```
   *
   * @param image a path, file: URL, Blob, stream, encoded bytes or raw pixels; see {@link ImageInput}.
   * @throws {CellrouteError} NO_SEGMENTER if the type has none; INVALID_ARGUMENT, FILE_UNREADABLE, IMAGE_UNREADABLE,
   *   IMAGE_UNSUPPORTED, IMAGE_TOO_LARGE, DISPOSED, OUT_OF_MEMORY; an abort rejects with `signal.reason`.
   */
  async segment(image: ImageInput, options?: RoutedSegmentOptions): Promise<RoutedSegmentation>;
  /**
   * Names the cell type of a slide and finds its cells, tile by tile: {@link CellSegmenter.segment}. The router sees a slide
   * of at most 2048 × 2048 pixels whole, and of a larger one 3 × 3 windows of 512 × 512 pixels at equal distances, whose
   * probabilities are averaged; windows of low contrast are excluded.
   *
   * @throws {CellrouteError} NO_SEGMENTER if the type has none, and the codes of {@link CellSegmenter.segment} for a slide.
   */
  async segment(slide: Slide, options?: RoutedSlideOptions): Promise<RoutedSegmentation>;
  async segment(
    image: ImageInput | Slide,
    options: RoutedSegmentOptions | RoutedSlideOptions = {},
  ): Promise<RoutedSegmentation> {
    if (isSlide(image)) {
      const own = options as RoutedSlideOptions;
      return (await segmentSlide(this, image, own, ['cellType'])) as RoutedSegmentation;
    }
    this.checkOptions(options);
    const { cellType: chosen, ...rest } = options;
    return withCall(options, (own) => {
      this.classifier.join(own);
      return withImage(own, image, options, async (loaded) => {
        const route = await this.classifier.classifyLoaded(own, loaded, { progress: false });
        const { probabilities } = route;
        const cellType = chosen ?? route.cellType;
        const serving = this.servingType(cellType);
        if (serving === undefined) throw this.#noSegmenter(cellType, probabilities[cellType]!);
        const thresholds = this.thresholds[serving] ?? {};
        const found = await this.segmenters[serving]!.segmentLoaded(own, loaded, rest, thresholds);
        const notices = [...new Set([...(route.notices ?? []), ...(found.notices ?? [])])];
        return {
          ...found,
          cellType,
          probabilities,
          segmenter: serving,
          ...(notices.length > 0 && { notices }),
        };
      });
    });
  }

  /** Refuses options that {@link segment} does not take, or not for this ensemble. @internal */
  checkOptions(options: RoutedSegmentOptions): void {
    checkSegmentOptions(options, ['cellType']);
    this.#checkType(options.cellType);
  }

  /**
   * Segments many images. Images are taken from the iterable only while there is room for them, so memory is bounded and
   * the device is busy. An image that fails yields an error and does not stop the others.
   *
   * ```ts
   * for await (const { id, result, error } of ensemble.segmentAll(['a.png', 'b.png'])) {
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
    options: RoutedSegmentAllOptions = {},
  ): AsyncGenerator<SegmentAllResult<RoutedSegmentation>, void, undefined> {
    const { device } = this.classifier;
    return segmentEach(images, options, ['cellType'], device, (image, own) => this.segment(image, own));
  }

  /**
   * Finds the cells of a slide and yields those of each finished row of tiles: {@link CellSegmenter.segmentRows}. Each row
   * has the route that the router found for the slide.
   *
   * @throws {CellrouteError} NO_SEGMENTER if the type has none, and the codes of {@link CellSegmenter.segmentRows}.
   */
  segmentRows(
    slide: Slide,
    options: SlideRowsOptions & { cellType?: string } = {},
  ): AsyncGenerator<SlideRowCells, void, undefined> {
    return segmentSlideRows(this, slide, options, ['cellType']);
  }

  /** Decides how a slide is segmented, and by which segmenter. @internal */
  async planSlide(own: Call, slide: Slide, request: SlideRequest): Promise<SlidePlan> {
    this.classifier.join(own);
    const { cellType: chosen, ...options } = request;
    this.#checkType(chosen);
    const { probabilities, notices = [], ...route } = await this.#routeSlide(own, slide);
    const cellType = chosen ?? route.cellType;
    const serving = this.servingType(cellType);
    if (serving === undefined) throw this.#noSegmenter(cellType, probabilities[cellType]!);
    return this.segmenters[serving]!.planSlide(own, slide, {
      ...options,
      thresholds: this.thresholds[serving] ?? {},
      route: { cellType, probabilities, segmenter: serving },
      notices,
    });
  }

  /** The network that segments a slide. @internal */
  slideNetwork({ route }: SlidePlan): SlideNetwork {
    const segmenter = route && this.segmenters[route.segmenter];
    if (!segmenter) throw refuse('plan', 'a plan of this ensemble', route?.segmenter ?? 'one of a segmenter');
    return segmenter.slideNetwork();
  }

  /** The mean over windows of the slide, at the level that a network without a scale sees. */
  async #routeSlide(own: Call, slide: Slide): Promise<Route & { notices?: readonly string[] }> {
    const images = await readRoutedWindows(slide, own.signal);
    const routes: Classification[] = [];
    for (const image of images) {
      routes.push(
        await withImage(own, image, {}, (loaded) =>
          this.classifier.classifyLoaded(own, loaded, { progress: false }),
        ),
      );
    }
    const mean = (type: string) =>
      routes.reduce((sum, { probabilities }) => sum + probabilities[type]!, 0) / routes.length;
    const probabilities = Object.fromEntries(this.cellTypes.map((type) => [type, mean(type)]));
    const [cellType] = [...this.cellTypes].sort((a, b) => probabilities[b]! - probabilities[a]!);
    const notices = [...new Set(routes.flatMap((route) => route.notices ?? []))];
    return { cellType: cellType!, probabilities, ...(notices.length > 0 && { notices }) };
  }

  #checkType(chosen: string | undefined): void {
    if (chosen !== undefined && !this.cellTypes.includes(chosen)) {
      throw refuse('cellType', `one of ${this.cellTypes.join(', ')}`, chosen);
    }
  }

  /**
   * The cell type whose segmenter is used for images of a type.
   *
   * @param cellType one of {@link cellTypes}.
   * @returns the type itself, or the fallback; undefined where there is neither.
   */
  servingType(cellType: string): string | undefined {
    return this.segmenters[cellType] ? cellType : this.fallback;
  }

  /**
   * Identifies this ensemble: two with the same fingerprint find the same cells in an image, up to rounding that
   * differs with the processor and the number of threads. It covers weights, configurations, precision, thresholds and fallback.
   *
   * @returns SHA-256 as 64 hexadecimal digits. Weights are read once.
   * @throws {CellrouteError} DISPOSED; an abort rejects with `signal.reason`.
   */
  async fingerprint(options: CallOptions = {}): Promise<string> {
    checkOptions(options, CALL_OPTION_KEYS);
    return withCall(options, async (own) => {
      this.classifier.join(own);
      const networks: string[] = [await this.classifier.fingerprint(own)];
      for (const type of this.cellTypes)
        networks.push((await this.segmenters[type]?.fingerprint(own)) ?? 'none');
      return createHash('sha256')
        .update(canonicalJson([networks, this.thresholds, this.fallback ?? null]))
        .digest('hex');
    });
  }

  /**
   * Computes how much each pixel of an image contributes to the router's cell type, as {@link CellClassifier.explain}.
   *
   * @throws {CellrouteError} as {@link CellClassifier.explain}.
   */
  explain(image: ImageInput, options: ExplainOptions & ImageReadOptions = {}): Promise<Explanation> {
    return this.classifier.explain(image, options);
  }

  /**
   * Writes the ensemble into a folder: one safetensors file per network, the router's statistics where it has any, and
   * `ensemble.json` with their names and the thresholds. An ensemble in the folder is replaced as a whole or not at all. Files
   * that cellroute did not write there, or that were changed since, are overwritten only with `force`.
   *
   * @param folder is created if missing; an ensemble that it contains is replaced.
   * @throws {CellrouteError} RUN_LOCKED where another process writes into the folder; FILE_UNWRITABLE,
   *   INVALID_ARGUMENT, DISPOSED; an abort rejects with `signal.reason`, and the folder keeps the ensemble that it had.
   */
  async save(folder: string, options: SaveEnsembleOptions = {}): Promise<void> {
    checkString('folder', folder);
    checkOptions(options, ['dtype', 'force', 'signal']);
    const { force, ...own } = options;
    if (force !== undefined) checkBoolean('force', force);
    await withFolderLock(folder, () =>
      writeEnsemble(folder, this.#parts(own), new Outputs({ force }), own.signal),
    );
  }

  /**
   * Checks that `save` would overwrite no foreign file of the folder, before work on the ensemble begins. @internal
   *
   * @throws {CellrouteError} FILE_UNWRITABLE
   */
  async checkSave(folder: string, options: Pick<SaveEnsembleOptions, 'force'>): Promise<void> {
    await checkEnsembleFiles(folder, this.#parts({}), new Outputs(options));
  }

  #parts(options: SaveOptions): EnsembleParts {
    const { classifier, fallback, statistics, thresholds } = this;
    const segmenters = Object.entries(this.segmenters).map(([type, segmenter]) => {
      const weights = (path: string) => segmenter!.save(path, options);
      return [type, segmenter && { weights, thresholds: thresholds[type] }] as const;
    });
    return {
      classifier: (path) => classifier.save(path, options),
      segmenters: Object.fromEntries(segmenters),
      fallback,
      statistics,
    };
  }

  /** Disposes the router and all segmenters. Calls in progress reject with DISPOSED. */
  async dispose(): Promise<void> {
    await Promise.all(
      [this.classifier, ...Object.values(this.segmenters)].map((member) => member?.dispose()),
    );
  }

  /** Calls {@link dispose}; for `await using`. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.dispose();
  }

  #noSegmenter(cellType: string, probability: number): CellrouteError {
    const available = this.cellTypes.filter((type) => this.segmenters[type]);
    return new CellrouteError(
      'NO_SEGMENTER',
      `The image was classified as ${cellType} (probability ${probability.toFixed(3)}), but this ensemble has no segmenter for that type. ` +
        `It has segmenters for ${available.join(', ')}: pass cellType to use one of them, or set a fallback.`,
      { expected: available.join(', '), got: cellType },
    );
  }
}

/** Files that an ensemble is loaded from. */
interface Parts extends Omit<EnsembleFile, 'classifier'> {
  /** null for a segmenter alone, which needs no router. */
  classifier: string | null;
}

/** The description of an ensemble with paths instead of file names. */
async function partsOfFolder(folder: string): Promise<Parts> {
  const { classifier, segmenters, fallback, statistics } = await readEnsembleFile(folder);
  const entries = Object.entries(segmenters).map(
    ([type, entry]) => [type, entry && { ...entry, weights: join(folder, entry.weights) }] as const,
  );
  return {
    classifier: join(folder, classifier),
    segmenters: Object.fromEntries(entries),
    fallback,
    ...(statistics !== undefined && { statistics: join(folder, statistics) }),
  };
}

function singleSegmenter(path: string, found: Exclude<FoundModel, { kind: 'ensemble' }>): Parts {
  if (found.kind === 'run' && found.network === 'classifier') {
    throw mismatch(path, 'an ensemble or a segmenter', 'the run of a classifier');
  }
  const thresholds = found.kind === 'run' && { thresholds: found.thresholds };
  return { classifier: null, segmenters: { [SINGLE_TYPE]: { weights: found.file, ...thresholds } } };
}

/** Refuses statistics of other types than the router's. */
function checkStatistics(statistics: RouterStatistics, types: readonly string[]): void {
  const { types: known } = checkObject('statistics', statistics);
  if (!utilTypes.isMap(known)) throw refuse('statistics.types', 'a Map', known);
  const own = [...known.keys()].sort().join(', ');
  if (own === [...types].sort().join(', ')) return;
  throw refuse('statistics.types', `statistics of ${types.join(', ')}`, own, 'ENSEMBLE_INVALID');
}

/** Checks thresholds per type and returns a frozen copy. */
function checkedThresholds(
  thresholds: Record<string, SegmentThresholds>,
  types: readonly string[],
): Readonly<Record<string, SegmentThresholds>> {
  checkKeys('thresholds', checkObject('thresholds', thresholds), types, 'ENSEMBLE_INVALID');
  for (const [type, own] of Object.entries(thresholds)) {
    const path = `thresholds.${type}`;
    checkKeys(path, checkObject(path, own), THRESHOLD_KEYS);
    checkThresholds(own, path);
  }
  return Object.freeze(structuredClone(thresholds));
}
