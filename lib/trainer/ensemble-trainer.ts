import { join } from 'node:path';
import { checkKeys, checkObject, refuse } from '../check.js';
import { mergeConfig } from '../config/stored.js';
import { Dataset } from '../data/dataset.js';
import { CellrouteError } from '../errors.js';
import { CellClassifier } from '../inference/classifier.js';
import { RoutedEnsemble } from '../inference/ensemble.js';
import { ENSEMBLE_FILE } from '../inference/ensemble-file.js';
import { CellSegmenter } from '../inference/segmenter.js';
import type { SegmentThresholds } from '../inference/thresholds.js';
import { ClassifierTrainer } from './classifier-trainer.js';
import { checkSame, type Identity } from './compare.js';
import {
  classifierTraining,
  type PartialClassifierTraining,
  type PartialSegmenterTraining,
  segmenterTraining,
} from './config.js';
import type { ClassifierTrainEvent, SegmenterTrainEvent } from './events.js';
import { exists, RunFolder, readJson, writeJson } from './run-folder.js';
import { SegmenterTrainer } from './segmenter-trainer.js';
import type { RunOptions } from './trainer.js';

/** How the networks of an ensemble are trained. */
export interface EnsembleTraining {
  classifier?: PartialClassifierTraining;
  /** Of every segmenter. */
  segmenter?: PartialSegmenterTraining;
  /** Of one type's segmenter, upon `segmenter`. */
  segmenters?: Record<string, PartialSegmenterTraining>;
}

export interface EnsembleTrainerOptions {
  /** Images with their types: there is a segmenter for each. */
  data: Dataset;
  validation?: Dataset;
  /** Where the runs and the ensemble are kept; made if need be. */
  folder: string;
  config?: EnsembleTraining;
  /** Kept in the folder's data.json. */
  source?: Record<string, unknown>;
}

export interface ResumeEnsembleOptions {
  data: Dataset;
  validation?: Dataset;
  /** As of a new ensemble; default: what the folder's data.json has. */
  source?: Record<string, unknown>;
  /** Goes on with other data all the same. Default false. */
  force?: boolean;
}

/** `classifier`, or `segmenter` with the type it is for. */
export interface Part {
  network: 'classifier' | 'segmenter';
  type?: string;
  /** From 1, of `parts`. */
  index: number;
  parts: number;
}

/** One network of the ensemble is about to be trained, or was already. */
export interface PartEvent {
  kind: 'part';
  part: Part;
  state: 'begins' | 'goes-on' | 'is-done';
  folder: string;
}

/** The ensemble lies in its folder: the last event. */
export interface EnsembleEvent {
  kind: 'ensemble';
  folder: string;
}

/** What happens to one of the networks, with the part it belongs to. */
export type EnsembleTrainEvent =
  | PartEvent
  | EnsembleEvent
  | ((SegmenterTrainEvent | ClassifierTrainEvent) & { part: Part });

/**
 * Trains a classifier and then one segmenter for each type found in the data, each in a folder of its own under the
 * ensemble's, and puts them together in `ensemble/`, which {@link RoutedEnsemble.load} reads. What is finished is not
 * done again when the folder is resumed.
 */
export class EnsembleTrainer {
  readonly folder: string;
  readonly #options: EnsembleTrainerOptions;
  readonly #resume: { force: boolean } | undefined;
  #used = false;

  /**
   * @param resume is what `resume` says.
   * @throws {CellrouteError} INVALID_ARGUMENT, INVALID_CONFIG
   */
  constructor(options: EnsembleTrainerOptions, resume?: { force: boolean }) {
    checkKeys('', checkObject('options', options), ['data', 'validation', 'folder', 'config', 'source']);
    const { data, config = {} } = options;
    if (!(data instanceof Dataset)) throw refuse('data', 'a Dataset', data);
    if (data.types.length === 0) throw refuse('data', 'images with cell types', 'none that has one');
    checkConfig(config, data.types);
    this.folder = RunFolder.at(options.folder).path;
    this.#options = options;
    this.#resume = resume;
  }

  /** Goes on with the ensemble in a folder: finished networks stay, the one that was interrupted goes on. */
  static async resume(
    folder: string,
    { force = false, ...data }: ResumeEnsembleOptions,
  ): Promise<EnsembleTrainer> {
    const config = await readJson(RunFolder.at(folder).config);
    if (config === undefined) {
      throw new CellrouteError('FILE_UNREADABLE', `${folder} has no ensemble in training`, { file: folder });
    }
    return new EnsembleTrainer({ ...data, folder, config: config as EnsembleTraining }, { force });
  }

  /** Trains one network after the other; as {@link SegmenterTrainer.run}, with the part each event belongs to. */
  async *run({ signal }: RunOptions = {}): AsyncGenerator<EnsembleTrainEvent, void, undefined> {
    if (this.#used)
      throw new CellrouteError('INVALID_ARGUMENT', 'A trainer runs once: resume its folder to go on');
    this.#used = true;
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
      ...data.types.map((type) => ({ network: 'segmenter' as const, type })),
    ].map((part, i) => ({ ...part, index: i + 1, parts: data.types.length + 1 }));
    for (const part of parts) {
      const path = join(this.folder, nameOf(part));
      if (await exists(RunFolder.at(path).results)) {
        yield { kind: 'part', part, state: 'is-done', folder: path };
        continue;
      }
      const state = (await exists(RunFolder.at(path).config)) ? 'goes-on' : 'begins';
      yield { kind: 'part', part, state, folder: path };
      for await (const event of (await this.#trainer(part, path, state)).run(signal ? { signal } : {})) {
        yield { ...event, part };
        if (event.kind === 'stop' && event.why === 'aborted') return;
      }
    }
    yield { kind: 'ensemble', folder: await this.#assemble(data.types) };
  }

  /** What is trained on what; refused where a folder that goes on was begun with other images. */
  async #describe(folder: RunFolder, signal: AbortSignal | undefined): Promise<void> {
    const { data, validation, config = {}, source } = this.#options;
    const before = (await readJson(folder.data)) as
      | { source?: unknown; fingerprint?: Identity['data'] }
      | undefined;
    const fingerprint = {
      train: await data.fingerprint(signal),
      validation: validation ? await validation.fingerprint(signal) : null,
    };
    // Finished networks would otherwise stand beside others of other images.
    if (before?.fingerprint && !this.#resume?.force) {
      checkSame(this.folder, { config, data: before.fingerprint }, { config, data: fingerprint });
    }
    await writeJson(folder.data, {
      source: source ?? before?.source ?? null,
      fingerprint,
      train: data.summary(),
      validation: validation?.summary() ?? null,
    });
    // Last: with it the folder has an ensemble in it.
    await writeJson(folder.config, config);
  }

  async #trainer(part: Part, folder: string, state: 'begins' | 'goes-on') {
    const { config = {} } = this.#options;
    const force = this.#resume?.force ?? false;
    if (part.network === 'classifier') {
      const data = this.#dataOf();
      return state === 'begins'
        ? new ClassifierTrainer({ ...data, folder, config: config.classifier ?? {} })
        : ClassifierTrainer.resume(folder, { ...data, force });
    }
    const data = this.#dataOf(part.type);
    return state === 'begins'
      ? new SegmenterTrainer({ ...data, folder, config: segmenterConfig(config, part.type!) })
      : SegmenterTrainer.resume(folder, { ...data, force });
  }

  /** The images of a type; validation images may lack one. */
  #dataOf(type?: string): { data: Dataset; validation?: Dataset } {
    const { data, validation } = this.#options;
    if (type === undefined) return { data, ...(validation ? { validation } : {}) };
    const types = [type];
    return {
      data: data.filter({ types }),
      ...(validation?.types.includes(type) ? { validation: validation.filter({ types }) } : {}),
    };
  }

  async #assemble(types: readonly string[]): Promise<string> {
    const path = join(this.folder, 'ensemble');
    if (await exists(join(path, ENSEMBLE_FILE))) return path;
    const { config = {} } = this.#options;
    const weights = (part: Pick<Part, 'network' | 'type'>) =>
      RunFolder.at(join(this.folder, nameOf(part))).weights(part.network);
    const loaded: (CellClassifier | CellSegmenter)[] = [];
    try {
      const classifier = await CellClassifier.load(weights({ network: 'classifier' }));
      loaded.push(classifier);
      // A class that the configuration added has no images, and so no segmenter.
      const segmenters: Record<string, CellSegmenter | null> = Object.fromEntries(
        classifier.config.classNames.map((name) => [name, null]),
      );
      const thresholds: Record<string, SegmentThresholds> = {};
      for (const type of types) {
        const segmenter = await CellSegmenter.load(weights({ network: 'segmenter', type }));
        loaded.push(segmenter);
        segmenters[type] = segmenter;
        thresholds[type] = segmenterTraining(segmenterConfig(config, type)).validation.thresholds;
      }
      await new RoutedEnsemble({ classifier, segmenters, thresholds }).save(path);
    } finally {
      await Promise.all(loaded.map((member) => member.dispose()));
    }
    return path;
  }
}

/** The folder of a part; a type may be called anything. */
const nameOf = ({ network, type }: Pick<Part, 'network' | 'type'>): string =>
  type === undefined ? network : `${network}-${encodeURIComponent(type)}`;

const segmenterConfig = ({ segmenter = {}, segmenters = {} }: EnsembleTraining, type: string) =>
  mergeConfig(segmenter, segmenters[type]) as PartialSegmenterTraining;

/** All of it, before the first network is trained for hours. */
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
