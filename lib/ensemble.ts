import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { checkKeys, checkObject, checkString, refuse } from './check.js';
import { CellClassifier } from './classifier.js';
import { ENSEMBLE_FILE, type EnsembleFile, readEnsembleFile, starterFolder } from './ensemble-file.js';
import { CellrouteError } from './errors.js';
import type { ExplainOptions, Explanation } from './explanation.js';
import { decodeImage } from './image/decode.js';
import type { ImageInput } from './image/types.js';
import { CALL_OPTION_KEYS, type CallOptions } from './model.js';
import type { SaveOptions } from './model-file.js';
import type { RoutedSegmentation } from './result.js';
import {
  CellSegmenter,
  checkThresholds,
  type LoadSegmenterOptions,
  type SegmentOptions,
  type SegmentThresholds,
  THRESHOLD_KEYS,
} from './segmenter.js';
import { writeAtomically } from './weights/atomic.js';

export interface RoutedEnsembleOptions {
  /** Names the cell type of a picture. */
  classifier: CellClassifier;
  /**
   * The segmenter of each of the classifier's classes. null says that a type has none on purpose: its pictures are
   * refused with NO_SEGMENTER, unless there is a fallback.
   */
  segmenters: Record<string, CellSegmenter | null>;
  /** Thresholds of each type; what a call says goes before them. */
  thresholds?: Record<string, SegmentThresholds>;
  /** The type whose segmenter serves the types that have none. */
  fallback?: string;
}

export interface LoadEnsembleOptions extends CallOptions, Pick<LoadSegmenterOptions, 'precision'> {}

export interface RoutedSegmentOptions extends SegmentOptions {
  /** Segments as this type and does not ask the router's opinion; it is still reported. */
  cellType?: string;
}

/** A router and one segmenter a cell type: the picture's type picks the Mask R-CNN that finds its cells. */
export class RoutedEnsemble {
  readonly classifier: CellClassifier;
  readonly segmenters: Readonly<Record<string, CellSegmenter | null>>;
  readonly thresholds: Readonly<Record<string, SegmentThresholds>>;
  readonly fallback: string | undefined;

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
    this.thresholds = Object.freeze(structuredClone(thresholds));
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
    checkKeys('', options, ['precision', ...CALL_OPTION_KEYS]);
    const { precision = 'float32', ...call } = options;
    const description = await readEnsembleFile(checkString('folder', folder));
    const loaded: (CellClassifier | CellSegmenter)[] = [];
    const keep = <T extends CellClassifier | CellSegmenter>(member: T): T => {
      loaded.push(member);
      return member;
    };
    try {
      const classifier = keep(await CellClassifier.load(join(folder, description.classifier), call));
      const segmenters: Record<string, CellSegmenter | null> = {};
      const thresholds: Record<string, SegmentThresholds> = {};
      for (const [type, entry] of Object.entries(description.segmenters)) {
        segmenters[type] =
          entry && keep(await CellSegmenter.load(join(folder, entry.weights), { ...call, precision }));
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

  /** The cell types, in the order of the classifier's outputs. */
  get cellTypes(): readonly string[] {
    return this.classifier.config.classNames;
  }

  /**
   * Names the picture's cell type and finds its cells with that type's segmenter.
   *
   * @throws {CellrouteError} NO_SEGMENTER where the type has none; INVALID_ARGUMENT, IMAGE_UNREADABLE,
   *   IMAGE_UNSUPPORTED, DISPOSED, OUT_OF_MEMORY; an abort rejects with `signal.reason`.
   */
  async segment(image: ImageInput, options: RoutedSegmentOptions = {}): Promise<RoutedSegmentation> {
    checkKeys('', options, ['cellType', ...THRESHOLD_KEYS, ...CALL_OPTION_KEYS]);
    checkThresholds(options, '');
    const { cellType: chosen, signal, onProgress, ...thresholds } = options;
    if (chosen !== undefined && !this.cellTypes.includes(chosen)) {
      throw refuse('cellType', `one of ${this.cellTypes.join(', ')}`, chosen);
    }
    const picture = await decodeImage(image, signal ? { signal } : {});
    const call: CallOptions = { ...(signal ? { signal } : {}), ...(onProgress ? { onProgress } : {}) };
    const { label, probabilities } = await this.classifier.classifyDecoded(picture, signal ? { signal } : {});
    const cellType = chosen ?? label;
    const serving = this.segmenters[cellType] ? cellType : this.fallback;
    const segmenter = serving === undefined ? null : this.segmenters[serving];
    if (serving === undefined || !segmenter) throw this.#noSegmenter(cellType, probabilities[cellType]!);
    const own = this.thresholds[serving] ?? {};
    const found = await segmenter.segmentDecoded(picture, { ...own, ...thresholds, ...call });
    return { ...found, cellType, probabilities, segmenter: serving };
  }

  /** Tells which pixels of a picture made the router name a cell type: {@link CellClassifier.explain}. */
  explain(image: ImageInput, options: ExplainOptions = {}): Promise<Explanation> {
    return this.classifier.explain(image, options);
  }

  /** Writes the ensemble into a folder: one safetensors file a network, and the thresholds. */
  async save(folder: string, options: SaveOptions = {}): Promise<void> {
    await mkdir(checkString('folder', folder), { recursive: true });
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

  #noSegmenter(cellType: string, probability: number): CellrouteError {
    const available = this.cellTypes.filter((type) => this.segmenters[type]);
    return new CellrouteError(
      'NO_SEGMENTER',
      `The picture was taken for ${cellType} (probability ${probability.toFixed(3)}), which this ensemble has no segmenter for. ` +
        `It has one for ${available.join(', ')}: pass cellType to use it all the same, or set a fallback.`,
      { expected: available.join(', '), got: cellType },
    );
  }
}
