import { join } from 'node:path';
import { checkBoolean, checkKeys, checkObject, checkOptions, refuse } from '../check.js';
import { mergeConfig } from '../config/stored.js';
import type { Dataset } from '../data/dataset.js';
import { dataStatistics } from '../ensembles/data-statistics.js';
import { cannotRead } from '../file-errors.js';
import { CellClassifier } from '../inference/classifier.js';
import { RoutedEnsemble } from '../inference/ensemble.js';
import { ENSEMBLE_FILE } from '../inference/ensemble-file.js';
import { RUN_FILES } from '../inference/model-path.js';
import type { RouterStatistics } from '../inference/router-statistics.js';
import { CellSegmenter } from '../inference/segmenter.js';
import type { SegmentThresholds } from '../inference/thresholds.js';
import { dataFingerprints } from './checkpoint.js';
import { ClassifierTrainer } from './classifier-trainer.js';
import { checkSame } from './compare.js';
import {
  classifierTraining,
  type PartialClassifierTraining,
  type PartialSegmenterTraining,
  segmenterTraining,
} from './config.js';
import type { ClassifierTrainEvent, SegmenterTrainEvent } from './events.js';
import { exists, RunFolder, readJson, writeJson } from './run-folder.js';
import { SegmenterTrainer } from './segmenter-trainer.js';
import { checkData, checkFirstRun, type RunOptions } from './trainer.js';

/** Training configurations of the networks of an ensemble. */
export interface EnsembleTraining {
  classifier?: PartialClassifierTraining;
  /** Configuration of every segmenter. */
  segmenter?: PartialSegmenterTraining;
  /** Per cell type: values that override `segmenter`. */
  segmenters?: Record<string, PartialSegmenterTraining>;
}

/** Options of {@link EnsembleTrainer}. */
export interface EnsembleTrainerOptions {
  /** Images with cell types. One segmenter is trained per type. */
  data: Dataset;
  validation?: Dataset | undefined;
  /** Folder of the runs and the ensemble; created if missing. */
  folder: string;
  config?: EnsembleTraining | undefined;
  /** Stored in data.json of the folder. */
  source?: Record<string, unknown> | undefined;
}

/** Options of {@link EnsembleTrainer.resume}. */
export interface ResumeEnsembleOptions {
  data: Dataset;
  validation?: Dataset | undefined;
  /** As for a new ensemble; default: the value in data.json of the folder. */
  source?: Record<string, unknown> | undefined;
  /** Continues even if the data have changed. Default false. */
  force?: boolean | undefined;
}

/** One network of the ensemble: the classifier, or the segmenter of a type. */
export interface Part {
  network: 'classifier' | 'segmenter';
  cellType?: string;
  /** 1 to `parts`. */
  index: number;
  parts: number;
}

/** Training of one network starts or resumes, or was finished before. */
export interface PartEvent {
  kind: 'part';
  part: Part;
  state: 'started' | 'resumed' | 'finished';
  folder: string;
}

/** The ensemble was written: the last event. */
export interface EnsembleEvent {
  kind: 'ensemble';
  folder: string;
}

/** Event of {@link EnsembleTrainer.run}: an event of one network, with its part. */
export type EnsembleTrainEvent =
  | PartEvent
  | EnsembleEvent
  | ((SegmenterTrainEvent | ClassifierTrainEvent) & { part: Part });

/**
 * Trains a classifier and one segmenter per cell type in the data, each in its own subfolder, and writes the ensemble to
 * `ensemble/`, for {@link RoutedEnsemble.load}. Finished networks are not trained again when the folder is resumed.
 *
 * @example
 * ```ts
 * const trainer = new EnsembleTrainer({ data: train, validation, folder: 'runs/all' });
 * for await (const event of trainer.run()) {
 *   if (event.kind === 'part') console.log(event.part.network, event.part.cellType, event.state);
 * }
 * const ensemble = await RoutedEnsemble.load('runs/all/ensemble');
 * ```
 */
export class EnsembleTrainer {
  readonly folder: string;
  readonly #options: EnsembleTrainerOptions;
  readonly #resume: { force: boolean } | undefined;
  #used = false;

  /**
   * @param resume set by `resume`.
   * @throws {CellrouteError} INVALID_ARGUMENT, INVALID_CONFIG
   */
  constructor(options: EnsembleTrainerOptions, resume?: { force: boolean }) {
    checkKeys('', checkObject('options', options), ['data', 'validation', 'folder', 'config', 'source']);
    const { data, config = {} } = options;
    checkData('data', data, true);
    if (options.validation !== undefined) checkData('validation', options.validation, true);
    if (options.source !== undefined) checkObject('source', options.source);
    if (data.cellTypes.length === 0) throw refuse('data', 'images with cell types', 'no image with a type');
    checkConfig(config, data.cellTypes);
    this.folder = RunFolder.at(options.folder).path;
    this.#options = options;
    this.#resume = resume;
  }

  /**
   * Resumes an ensemble in a folder: finished networks are kept, the interrupted one is resumed.
   *
   * @param folder of the runs.
   * @param options the data sets of the runs.
   * @throws {CellrouteError} FILE_UNREADABLE if the folder contains no ensemble training; INVALID_ARGUMENT. `run` throws
   *   RESUME_REFUSED if the data have changed.
   */
  static async resume(folder: string, options: ResumeEnsembleOptions): Promise<EnsembleTrainer> {
    checkKeys('', checkObject('options', options), ['data', 'validation', 'source', 'force']);
    const { force = false, ...data } = options;
    checkBoolean('force', force);
    const config = await readJson(RunFolder.at(folder).config);
    if (config === undefined) {
      throw cannotRead(folder, 'the folder contains no ensemble training');
    }
    return new EnsembleTrainer({ ...data, folder, config: config as EnsembleTraining }, { force });
  }

  /**
   * Trains the networks one after the other. Events are those of {@link SegmenterTrainer.run}, with their part. The last
   * event is `ensemble`, with the folder for {@link RoutedEnsemble.load}.
   *
   * @throws {CellrouteError} the codes of {@link SegmenterTrainer.run}.
   */
  async *run(options: RunOptions = {}): AsyncGenerator<EnsembleTrainEvent, void, undefined> {
    checkOptions(options, ['signal']);
    checkFirstRun(this.#used);
    this.#used = true;
    const { signal } = options;
    signal?.throwIfAborted();
    const folder = RunFolder.at(this.folder);
    const lock = await folder.lock();
    try {
      if (!this.#resume) await folder.checkUnused();
      yield* this.#runIn(folder, signal);
    } finally {
      await lock.release();
    }
  }

  async *#runIn(
    folder: RunFolder,
    signal: AbortSignal | undefined,
  ): AsyncGenerator<EnsembleTrainEvent, void, undefined> {
    const { data } = this.#options;
    await this.#describe(folder, signal);
    const parts: Part[] = [
      { network: 'classifier' as const },
      ...data.cellTypes.map((type) => ({ network: 'segmenter' as const, cellType: type })),
    ].map((part, i) => ({ ...part, index: i + 1, parts: data.cellTypes.length + 1 }));
    for (const part of parts) {
      const path = join(this.folder, nameOf(part));
      if (await exists(RunFolder.at(path).results)) {
        yield { kind: 'part', part, state: 'finished', folder: path };
        continue;
      }
      const state = (await exists(RunFolder.at(path).config)) ? 'resumed' : 'started';
      yield { kind: 'part', part, state, folder: path };
      for await (const event of (await this.#trainer(part, path, state)).run({ signal })) {
        yield { ...event, part };
        if (event.kind === 'stop' && event.reason === 'aborted') return;
      }
    }
    yield { kind: 'ensemble', folder: await this.#assemble(data.cellTypes) };
  }

  /** Writes what is trained on which data; refuses a resumed folder whose images have changed. */
  async #describe(folder: RunFolder, signal: AbortSignal | undefined): Promise<void> {
    const { data, validation, config = {}, source } = this.#options;
    const before = await readJson(folder.data);
    const fingerprint = {
      train: await data.fingerprint({ signal }),
      validation: validation ? await validation.fingerprint({ signal }) : null,
    };
    // Otherwise networks of one ensemble would be trained on different images.
    if (before?.fingerprint && !this.#resume?.force) {
      const data = dataFingerprints(before.fingerprint, 'fingerprint');
      checkSame(this.folder, { config, data }, { config, data: fingerprint });
    }
    await writeJson(folder.data, {
      source: source ?? before?.source ?? null,
      fingerprint,
      train: data.summary(),
      validation: validation?.summary() ?? null,
    });
    // Written last: it marks the folder as an ensemble training.
    await writeJson(folder.config, config);
  }

  async #trainer(part: Part, folder: string, state: 'started' | 'resumed') {
    const { config = {} } = this.#options;
    const force = this.#resume?.force ?? false;
    if (part.network === 'classifier') {
      const data = this.#dataOf();
      return state === 'started'
        ? new ClassifierTrainer({ ...data, folder, config: config.classifier ?? {} })
        : ClassifierTrainer.resume(folder, { ...data, force });
    }
    const data = this.#dataOf(part.cellType);
    return state === 'started'
      ? new SegmenterTrainer({ ...data, folder, config: segmenterConfig(config, part.cellType!) })
      : SegmenterTrainer.resume(folder, { ...data, force });
  }

  /** Training and validation images of a type; validation images of a type may be missing. */
  #dataOf(type?: string): { data: Dataset; validation: Dataset | undefined } {
    const { data, validation } = this.#options;
    if (type === undefined) return { data, validation };
    const types = [type];
    return {
      data: data.filter({ cellTypes: types }),
      validation: validation?.cellTypes.includes(type) ? validation.filter({ cellTypes: types }) : undefined,
    };
  }

  async #assemble(types: readonly string[]): Promise<string> {
    const path = join(this.folder, RUN_FILES.ensemble);
    if (await exists(join(path, ENSEMBLE_FILE))) return path;
    const { config = {} } = this.#options;
    const weights = (part: Pick<Part, 'network' | 'cellType'>) =>
      RunFolder.at(join(this.folder, nameOf(part))).weights(part.network);
    const loaded: (CellClassifier | CellSegmenter)[] = [];
    try {
      const classifier = await CellClassifier.load(weights({ network: 'classifier' }));
      loaded.push(classifier);
      // A class added by the configuration has no images, hence no segmenter.
      const segmenters: Record<string, CellSegmenter | null> = Object.fromEntries(
        classifier.config.classNames.map((name) => [name, null]),
      );
      const thresholds: Record<string, SegmentThresholds> = {};
      for (const type of types) {
        const segmenter = await CellSegmenter.load(weights({ network: 'segmenter', cellType: type }));
        loaded.push(segmenter);
        segmenters[type] = segmenter;
        thresholds[type] = segmenterTraining(segmenterConfig(config, type)).validation.thresholds;
      }
      const statistics = await this.#statisticsOf(classifier);
      await new RoutedEnsemble({ classifier, segmenters, thresholds, statistics }).save(path);
    } finally {
      await Promise.all(loaded.map((member) => member.dispose()));
    }
    return path;
  }

  /** What adding a type needs of the training images; undefined for a router with a class of which there are none. */
  async #statisticsOf(classifier: CellClassifier): Promise<RouterStatistics | undefined> {
    const { items } = this.#options.data;
    const types = new Map(
      classifier.config.classNames.map((name) => [name, items.filter(({ cellType }) => cellType === name)]),
    );
    if ([...types.values()].some(({ length }) => length === 0)) return undefined;
    return dataStatistics(classifier, types, {});
  }
}

/** Folder name of a part; escaped, because a type may have any name. */
const nameOf = ({ network, cellType: type }: Pick<Part, 'network' | 'cellType'>): string =>
  type === undefined ? network : `${network}-${encodeURIComponent(type)}`;

const segmenterConfig = ({ segmenter = {}, segmenters = {} }: EnsembleTraining, type: string) =>
  mergeConfig(segmenter, segmenters[type]) as PartialSegmenterTraining;

/** Checks the configuration of every network before the first one is trained. */
function checkConfig(config: EnsembleTraining, types: readonly string[]): void {
  const code = 'INVALID_CONFIG';
  checkKeys('', checkObject('config', config, code), ['classifier', 'segmenter', 'segmenters'], code);
  classifierTraining(config.classifier, 'classifier');
  segmenterTraining(config.segmenter, 'segmenter');
  checkKeys('segmenters', checkObject('segmenters', config.segmenters ?? {}, code), types, code);
  for (const [type, own] of Object.entries(config.segmenters ?? {})) {
    segmenterTraining(own, `segmenters.${type}`);
    segmenterTraining(segmenterConfig(config, type), `segmenters.${type}`);
  }
}
