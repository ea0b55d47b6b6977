import { join } from 'node:path';
import { checkKeys, checkObject, checkOneOf, checkString, refuse } from '../check.js';
import { Dataset } from '../data/dataset.js';
import type { DatasetItem } from '../data/types.js';
import { CellrouteError } from '../errors.js';
import { withFolderLock } from '../folder-lock.js';
import { decodeImage } from '../image/decode.js';
import type { ImageInput, ImageReadOptions } from '../image/types.js';
import { METRIC_NAMES } from '../metrics/index.js';
import { CALL_OPTION_KEYS, type CallOptions } from '../native/job.js';
import { checkGrid } from '../tune/threshold-grid.js';
import { type TunedThresholds, type TuneOptions, tuneSegmenter } from '../tune/tune.js';
import { writeAtomically } from '../weights/atomic.js';
import { CellClassifier } from './classifier.js';
import { checkDevice, type Device, resolveDevice } from './device.js';
import { ENSEMBLE_FILE, type EnsembleFile, readEnsembleFile, starterFolder } from './ensemble-file.js';
import type { ExplainOptions, Explanation } from './explanation.js';
import type { SaveOptions } from './model-file.js';
import { decodeToSegment } from './profile.js';
import type { RoutedSegmentation } from './result.js';
import {
  CellSegmenter,
  checkSegmentOptions,
  type LoadSegmenterOptions,
  type SegmentOptions,
} from './segmenter.js';
import { checkThresholds, type SegmentThresholds, THRESHOLD_KEYS } from './thresholds.js';

export interface RoutedEnsembleOptions {
  /** Names the cell type of an image. */
  classifier: CellClassifier;
  /**
   * The segmenter of each of the classifier's classes. null says that a type has none on purpose: its images are
   * refused with NO_SEGMENTER, unless there is a fallback.
   */
  segmenters: Record<string, CellSegmenter | null>;
  /** Thresholds of each type; what a call says goes before them. */
  thresholds?: Record<string, SegmentThresholds>;
  /** The type whose segmenter serves the types that have none. */
  fallback?: string;
}

export interface LoadEnsembleOptions
  extends CallOptions,
    Pick<LoadSegmenterOptions, 'precision' | 'device'> {}

export interface RoutedSegmentOptions extends SegmentOptions {
  /** Segments as this type and does not ask the router's opinion; it is still reported. */
  cellType?: string;
}

/** A router and one segmenter a cell type: the image's type picks the Mask R-CNN that finds its cells. */
export class RoutedEnsemble {
  readonly classifier: CellClassifier;
  readonly segmenters: Readonly<Record<string, CellSegmenter | null>>;
  readonly fallback: string | undefined;
  #thresholds: Readonly<Record<string, SegmentThresholds>>;

  /**
   * The ensemble owns what it is given: disposing it disposes its members.
   *
   * @throws {CellrouteError} ENSEMBLE_INVALID where classes and segmenters do not meet, INVALID_ARGUMENT.
   */
  constructor(options: RoutedEnsembleOptions) {
    checkKeys('', checkObject('options', options), ['classifier', 'segmenters', 'thresholds', 'fallback']);
    const { classifier, segmenters, thresholds = {}, fallback } = options;
    if (!(classifier instanceof CellClassifier)) throw refuse('classifier', 'a CellClassifier', classifier);
    const types = classifier.config.classNames;
    checkObject('segmenters', segmenters);
    checkKeys('segmenters', segmenters, types, 'ENSEMBLE_INVALID');
    checkKeys('thresholds', checkObject('thresholds', thresholds), types, 'ENSEMBLE_INVALID');
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
      const own = thresholds[type];
      if (own === undefined) continue;
      checkKeys(`thresholds.${type}`, checkObject(`thresholds.${type}`, own), THRESHOLD_KEYS);
      checkThresholds(own, `thresholds.${type}`);
    }
    if (fallback !== undefined && !segmenters[fallback]) {
      const expected = `one of ${types.filter((type) => segmenters[type]).join(', ')}`;
      throw refuse('fallback', expected, fallback, 'ENSEMBLE_INVALID');
    }
    this.classifier = classifier;
    this.segmenters = Object.freeze({ ...segmenters });
    this.#thresholds = Object.freeze(structuredClone(thresholds));
    this.fallback = fallback;
  }

  /**
   * Loads what `save` wrote; without a folder, the starter ensemble of the package.
   *
   * @throws {CellrouteError} ENSEMBLE_INVALID, FILE_UNREADABLE, and what loading a network throws.
   */
  static async load(
    folder: string = starterFolder,
    options: LoadEnsembleOptions = {},
  ): Promise<RoutedEnsemble> {
    checkKeys('', options, ['precision', 'device', ...CALL_OPTION_KEYS]);
    const { precision = 'float32', device: asked = 'cpu', ...call } = options;
    const description = await readEnsembleFile(checkString('folder', folder));
    // Asked once, so that all members of `auto` come to lie on one device.
    const device = (await resolveDevice(checkDevice('device', asked), call)) as Device;
    const loaded: (CellClassifier | CellSegmenter)[] = [];
    const keep = <T extends CellClassifier | CellSegmenter>(member: T): T => {
      loaded.push(member);
      return member;
    };
    try {
      const classifier = keep(
        await CellClassifier.load(join(folder, description.classifier), { ...call, device }),
      );
      const segmenters: Record<string, CellSegmenter | null> = {};
      const thresholds: Record<string, SegmentThresholds> = {};
      for (const [type, entry] of Object.entries(description.segmenters)) {
        segmenters[type] =
          entry &&
          keep(await CellSegmenter.load(join(folder, entry.weights), { ...call, precision, device }));
        if (entry?.thresholds) thresholds[type] = entry.thresholds;
      }
      return new RoutedEnsemble({
        classifier,
        segmenters,
        thresholds,
        ...(description.fallback === undefined ? {} : { fallback: description.fallback }),
      });
    } catch (error) {
      await Promise.all(loaded.map((member) => member.dispose()));
      throw error;
    }
  }

  /** Of each type that has its own: those given, or found by {@link tune}. */
  get thresholds(): Readonly<Record<string, SegmentThresholds>> {
    return this.#thresholds;
  }

  /** The cell types, in the order of the classifier's outputs. */
  get cellTypes(): readonly string[] {
    return this.classifier.config.classNames;
  }

  /**
   * Names the image's cell type and finds its cells with that type's segmenter.
   *
   * @throws {CellrouteError} NO_SEGMENTER where the type has none; INVALID_ARGUMENT, IMAGE_UNREADABLE,
   *   IMAGE_UNSUPPORTED, IMAGE_TOO_LARGE, DISPOSED, OUT_OF_MEMORY; an abort rejects with `signal.reason`.
   */
  async segment(image: ImageInput, options: RoutedSegmentOptions = {}): Promise<RoutedSegmentation> {
    checkSegmentOptions(options, ['cellType']);
    const { cellType: chosen, signal, onProgress, ...thresholds } = options;
    if (chosen !== undefined && !this.cellTypes.includes(chosen)) {
      throw refuse('cellType', `one of ${this.cellTypes.join(', ')}`, chosen);
    }
    const decoded = await decodeToSegment(image, options);
    const call: CallOptions = { ...(signal ? { signal } : {}), ...(onProgress ? { onProgress } : {}) };
    const route = await this.classifier.classifyDecoded(decoded, signal ? { signal } : {});
    const { label, probabilities } = route;
    const cellType = chosen ?? label;
    const serving = this.segmenters[cellType] ? cellType : this.fallback;
    const segmenter = serving === undefined ? null : this.segmenters[serving];
    if (serving === undefined || !segmenter) throw this.#noSegmenter(cellType, probabilities[cellType]!);
    const own = this.thresholds[serving] ?? {};
    const found = await segmenter.segmentDecoded(decoded, { ...own, ...thresholds, ...call });
    const notices = [...new Set([...(route.notices ?? []), ...(found.notices ?? [])])];
    return {
      ...found,
      cellType,
      probabilities,
      segmenter: serving,
      ...(notices.length > 0 && { notices }),
    };
  }

  /**
   * Searches, for each cell type by itself, the thresholds (score, mask, NMS, least area, overlaps) at which its
   * segmenter does best on images with truth, and uses them from then on; `save` writes them. The network runs once a
   * image. Images count for the type that the data set says, or else for the one that the router names; those of
   * types without a segmenter, and without a fallback, are left out. Judge the outcome on other images.
   *
   * @returns by the type whose segmenter was tuned. An abort leaves all thresholds as they were.
   * @throws {CellrouteError} INVALID_ARGUMENT for options, and where no image is of a type with a segmenter; what
   *   loading an image throws.
   */
  async tune(data: Dataset, options: TuneOptions = {}): Promise<Record<string, TunedThresholds>> {
    checkKeys('', options, ['metric', 'grid', ...CALL_OPTION_KEYS]);
    const { metric, grid, signal, onProgress } = options;
    if (metric !== undefined) checkOneOf('metric', metric, METRIC_NAMES);
    if (grid !== undefined) checkGrid(grid);
    if (!(data instanceof Dataset)) throw refuse('data', 'a Dataset', data);
    const groups = new Map<string, DatasetItem[]>();
    for (const item of data.items) {
      const type = item.type ?? (await this.#typeOf(item, signal));
      const serving = this.segmenters[type] ? type : this.fallback;
      if (serving === undefined) continue;
      groups.set(serving, [...(groups.get(serving) ?? []), item]);
    }
    if (groups.size === 0) {
      const expected = `images of ${this.cellTypes.filter((type) => this.segmenters[type]).join(', ')}`;
      throw refuse('data', expected, data.types.join(', ') || 'none');
    }
    const tuned: Record<string, TunedThresholds> = {};
    for (const [i, [type, items]] of [...groups].entries()) {
      tuned[type] = await tuneSegmenter(this.segmenters[type]!, items, this.#thresholds[type] ?? {}, {
        ...(metric && { metric }),
        ...(grid && { grid }),
        ...(signal && { signal }),
        ...(onProgress && {
          onProgress: ({ stage, fraction }) =>
            onProgress({ stage: `${type}: ${stage}`, fraction: (i + fraction) / groups.size }),
        }),
      });
    }
    const found = Object.fromEntries(
      Object.entries(tuned).map(([type, { thresholds }]) => [type, thresholds]),
    );
    this.#thresholds = Object.freeze({ ...this.#thresholds, ...structuredClone(found) });
    return tuned;
  }

  /** Tells which pixels of an image made the router name a cell type: {@link CellClassifier.explain}. */
  explain(image: ImageInput, options: ExplainOptions & ImageReadOptions = {}): Promise<Explanation> {
    return this.classifier.explain(image, options);
  }

  /**
   * Writes the ensemble into a folder: one safetensors file per network, and the thresholds.
   *
   * @throws {CellrouteError} RUN_LOCKED if another process writes into the folder, FILE_UNWRITABLE
   */
  async save(folder: string, options: SaveOptions = {}): Promise<void> {
    checkString('folder', folder);
    await withFolderLock(folder, () => this.#write(folder, options));
  }

  async #write(folder: string, options: SaveOptions): Promise<void> {
    const description: EnsembleFile = {
      classifier: 'classifier.safetensors',
      segmenters: {},
      ...(this.fallback === undefined ? {} : { fallback: this.fallback }),
    };
    await this.classifier.save(join(folder, description.classifier), options);
    for (const [type, segmenter] of Object.entries(this.segmenters)) {
      if (!segmenter) {
        description.segmenters[type] = null;
        continue;
      }
      const weights = `segmenter-${encodeURIComponent(type)}.safetensors`;
      await segmenter.save(join(folder, weights), options);
      const own = this.thresholds[type];
      description.segmenters[type] = own ? { weights, thresholds: own } : { weights };
    }
    // Last: a folder with this file in it is whole.
    const text = JSON.stringify({ format: 'cellroute-ensemble', version: 1, ...description }, null, 2);
    await writeAtomically(join(folder, ENSEMBLE_FILE), [Buffer.from(`${text}\n`)]);
  }

  /** Disposes the router and every segmenter; what is in flight rejects with DISPOSED. */
  async dispose(): Promise<void> {
    await Promise.all(
      [this.classifier, ...Object.values(this.segmenters)].map((member) => member?.dispose()),
    );
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.dispose();
  }

  async #typeOf(item: DatasetItem, signal: AbortSignal | undefined): Promise<string> {
    const call = signal ? { signal } : {};
    const decoded = await decodeImage((await item.load(signal)).image, call);
    return (await this.classifier.classifyDecoded(decoded, call)).label;
  }

  #noSegmenter(cellType: string, probability: number): CellrouteError {
    const available = this.cellTypes.filter((type) => this.segmenters[type]);
    return new CellrouteError(
      'NO_SEGMENTER',
      `The image was taken for ${cellType} (probability ${probability.toFixed(3)}), which this ensemble has no segmenter for. ` +
        `It has one for ${available.join(', ')}: pass cellType to use it all the same, or set a fallback.`,
      { expected: available.join(', '), got: cellType },
    );
  }
}
