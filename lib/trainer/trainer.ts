import { isDeepStrictEqual } from 'node:util';
import { checkBoolean, checkKeys, checkObject, checkOptions, refuse } from '../check.js';
import type { DeepPartial } from '../config/schema.js';
import { checkAnnotated } from '../data/annotated.js';
import { Dataset } from '../data/dataset.js';
import { CellrouteError } from '../errors.js';
import { cannotRead } from '../file-errors.js';
import type { FolderLock } from '../folder-lock.js';
import { readCheckpoint, type TrainingState } from './checkpoint.js';
import { checkSame, type Identity } from './compare.js';
import type { Training } from './config.js';
import { differences, type Environment, environment } from './environment.js';
import type { TrainEvent } from './events.js';
import { beginning, lengthOf, rebased } from './progress.js';
import { type Listener, Records } from './records.js';
import { TrainingRun } from './run.js';
import { exists, RunFolder, readJson, writeJson } from './run-folder.js';
import type { TrainingTask, TrainingTypes } from './task.js';
import { TensorBoard } from './tensorboard.js';
import { WandbLog } from './wandb.js';

/** Options of {@link SegmenterTrainer} and {@link ClassifierTrainer}. */
export interface TrainerOptions<Config extends Training> {
  /** Training images. */
  data: Dataset;
  /** Validation images. Without them the last weights are kept instead of the best ones. */
  validation?: Dataset | undefined;
  /** Folder of the run; created if missing. */
  folder: string;
  config?: DeepPartial<Config> | undefined;
  /** Stored in data.json of the run: how the data sets were opened, for resuming. */
  source?: Record<string, unknown> | undefined;
}

/** Options of {@link SegmenterTrainer.resume} and {@link ClassifierTrainer.resume}. */
export interface ResumeOptions<Config extends Training> {
  data: Dataset;
  validation?: Dataset | undefined;
  /** Default: the configuration of the run. */
  config?: DeepPartial<Config> | undefined;
  /** As for a new run; default: the value in data.json of the run. */
  source?: Record<string, unknown> | undefined;
  /** Continues even if data or configuration have changed. Default false. */
  force?: boolean | undefined;
}

/** Options of `run`. */
export interface RunOptions {
  /**
   * Stops the run with a checkpoint of its last step; the last event then has the reason `aborted`. An abort before the
   * run has started rejects with `signal.reason`.
   */
  signal?: AbortSignal | undefined;
}

/** State of a run that is resumed. */
export interface Resumption {
  /** State of the last checkpoint; undefined if the run was killed before the first one. */
  state: TrainingState | undefined;
  /** Whether the stored configuration is used, which contains the complete network. */
  ownConfig: boolean;
  force: boolean;
}

/** Refuses the second run of a trainer. */
export function checkFirstRun(hasRun: boolean): void {
  if (!hasRun) return;
  throw new CellrouteError(
    'INVALID_ARGUMENT',
    'A trainer runs only once. Call resume() with its folder to continue',
  );
}

/** Base class of {@link SegmenterTrainer} and {@link ClassifierTrainer}. */
export class Trainer<T extends TrainingTypes> {
  /** The configuration with all defaults; its network is as given. */
  readonly config: T['config'];
  /** Folder of the run. */
  readonly folder: string;
  readonly #task: TrainingTask<T>;
  readonly #options: TrainerOptions<T['config']>;
  readonly #resumed: Resumption | undefined;
  #used = false;

  protected constructor(task: TrainingTask<T>, options: TrainerOptions<T['config']>, resumed?: Resumption) {
    checkKeys('', checkObject('options', options), ['data', 'validation', 'folder', 'config', 'source']);
    const needsCells = task.name === 'segmenter';
    checkData('data', options.data, needsCells);
    if (options.validation !== undefined) checkData('validation', options.validation, needsCells);
    if (options.source !== undefined) checkObject('source', options.source);
    this.config = task.readConfig(options.config ?? ({} as DeepPartial<T['config']>), '');
    this.folder = RunFolder.at(options.folder).path;
    this.#task = task;
    this.#options = options;
    this.#resumed = resumed;
  }

  /**
   * Trains and yields an event per step. The run advances only while its events are consumed. It ends with a `stop`
   * event; leaving the loop earlier writes a checkpoint.
   *
   * @throws {CellrouteError} TRAINING_DIVERGED, with the step and its images in the details; RUN_LOCKED if another
   *   process writes to the folder; RESUME_REFUSED if the folder contains another run, or data or configuration have
   *   changed; INVALID_CONFIG, FILE_UNWRITABLE, OUT_OF_MEMORY, PACKAGE_MISSING, and the errors of loading images and
   *   weights.
   */
  async *run(
    options: RunOptions = {},
  ): AsyncGenerator<TrainEvent<T['loss'], T['evaluation']>, void, undefined> {
    checkOptions(options, ['signal']);
    checkFirstRun(this.#used);
    this.#used = true;
    const { signal } = options;
    signal?.throwIfAborted();
    const folder = RunFolder.at(this.folder);
    // Before anything that takes time: two runs that start together must not both get past this line.
    const lock = await folder.lock();
    try {
      if (this.#resumed) await checkUnmoved(folder, this.#resumed.state);
      else await folder.checkUnused();
      yield* this.#runIn(folder, lock, signal);
    } finally {
      await lock.release();
    }
  }

  async *#runIn(
    folder: RunFolder,
    lock: FolderLock,
    signal: AbortSignal | undefined,
  ): AsyncGenerator<TrainEvent<T['loss'], T['evaluation']>, void, undefined> {
    const call = { signal };
    const task = this.#task;
    const config = this.config;
    const state = this.#resumed?.state;
    const network = this.#resumed?.ownConfig
      ? task.readNetwork(config)
      : await task.resolveNetwork(config, this.#options.data);
    const { data, notices } = task.prepare(this.#options.data, network, config);
    const { validation } = this.#options;
    const identity: Identity = {
      config: { ...config, network },
      data: {
        train: await data.fingerprint({ signal }),
        validation: validation ? await validation.fingerprint({ signal }) : null,
      },
    };
    const here = environment();
    if (state) notices.push(...this.#agreement(state, identity, here));
    if (!validation) {
      notices.push('no validation images: the last weights are saved, and no samples are drawn');
    }

    const loader = task.loader(config, network, data);
    const length = lengthOf(config, loader.stepsPerEpoch);
    const position = state ? rebased(state.position, length.stepsPerEpoch) : beginning;
    const listeners = await listenersOf(folder, config, identity.config);
    const { network: trained, begin } = await task.create(config, network, data, call);
    let records: Records | undefined;
    try {
      const report = state ? undefined : await begin();
      if (state) await trained.restore(folder.last, call);
      await folder.prepare();
      await this.#describe(folder, identity, data);
      await noteSession(folder, here, position.step);
      records = await Records.open(folder, position.logBytes, listeners);
      yield* new TrainingRun<T>({
        folder,
        lock,
        config,
        length,
        network: trained,
        loader,
        validate: validation ? task.validate(config, network, validation) : null,
        weights: folder.weights(task.name),
        state: { kind: 'training-state', version: '1', ...identity, environment: here },
        position,
        resumed: state !== undefined,
        report,
        notices,
        records,
      }).run(signal);
    } finally {
      await records?.close();
      await trained.dispose();
    }
  }

  /** Refuses to resume with different settings; returns notices about differences that may change results. */
  #agreement(state: TrainingState, identity: Identity, here: Environment): string[] {
    if (!this.#resumed!.force) {
      // Read again, so that options added by a later version get their defaults.
      const before = this.#task.readConfig(state.config as DeepPartial<T['config']>, '');
      const config = { ...before, network: this.#task.readNetwork(before) };
      checkSame(this.folder, { config, data: state.data }, identity);
    }
    return differences(state.environment, here).map((what) => `${what}: results may differ`);
  }

  async #describe(folder: RunFolder, identity: Identity, data: Dataset): Promise<void> {
    const { validation, source } = this.#options;
    const before = await readJson(folder.data);
    await writeJson(folder.data, {
      source: source ?? before?.source ?? null,
      fingerprint: identity.data,
      train: data.summary(),
      validation: validation?.summary() ?? null,
    });
    // Written last: it marks the folder as a run.
    await writeJson(folder.config, identity.config);
  }
}

async function listenersOf(folder: RunFolder, { logs }: Training, config: object): Promise<Listener[]> {
  return [
    ...(logs.tensorboard ? [new TensorBoard(folder.tensorboard)] : []),
    ...(logs.wandb ? [await WandbLog.open(folder.wandb, logs.wandb, config)] : []),
  ];
}

/**
 * Reads the run in a folder.
 *
 * @throws {CellrouteError} FILE_UNREADABLE if there is none, and the errors of reading its checkpoint.
 */
export async function resumption<Config extends Training>(
  path: string,
  options: ResumeOptions<Config>,
): Promise<[TrainerOptions<Config>, Resumption]> {
  checkKeys('', checkObject('options', options), ['data', 'validation', 'config', 'source', 'force']);
  const { force = false, config, ...data } = options;
  checkBoolean('force', force);
  const folder = RunFolder.at(path);
  const state = (await exists(folder.last)) ? await readCheckpoint(folder.last) : undefined;
  const own = (state?.config ?? (await readJson(folder.config))) as DeepPartial<Config> | undefined;
  if (own === undefined) {
    throw cannotRead(folder.path, 'the folder contains no run');
  }
  return [
    { ...data, folder: folder.path, config: config ?? own },
    { state, ownConfig: config === undefined, force },
  ];
}

/** Refuses a run that another process continued after its checkpoint was read for this one. */
async function checkUnmoved(folder: RunFolder, state: TrainingState | undefined): Promise<void> {
  const now = (await exists(folder.last)) ? await readCheckpoint(folder.last) : undefined;
  if (!isDeepStrictEqual(now?.position, state?.position)) {
    throw new CellrouteError(
      'RESUME_REFUSED',
      `${folder.path}: another process has continued this run in the meantime: resume it again`,
      { file: folder.path },
    );
  }
}

/** Refuses anything but a data set with images. @param needsCells whether their cells have to be annotated. */
export function checkData(option: string, data: unknown, needsCells: boolean): void {
  if (!(data instanceof Dataset)) throw refuse(option, 'a Dataset', data);
  if (data.items.length === 0) throw refuse(option, 'a data set with images', 'an empty data set');
  if (needsCells) checkAnnotated(data, option);
}

/** Adds an entry to environment.json, so that a run resumed on another machine can be recognized. */
async function noteSession(folder: RunFolder, here: Environment, fromStep: number): Promise<void> {
  const { sessions } = (await readJson(folder.environment)) ?? {};
  const session = { started: new Date().toISOString(), fromStep, ...here };
  await writeJson(folder.environment, { sessions: [...(Array.isArray(sessions) ? sessions : []), session] });
}
