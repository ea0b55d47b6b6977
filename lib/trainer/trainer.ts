import { isDeepStrictEqual } from 'node:util';
import { checkBoolean, checkKeys, checkObject, refuse } from '../check.js';
import { Dataset } from '../data/dataset.js';
import { CellrouteError } from '../errors.js';
import type { FolderLock } from '../folder-lock.js';
import type { CallOptions } from '../native/job.js';
import { readCheckpoint, type TrainingState } from './checkpoint.js';
import { checkSame, type Identity } from './compare.js';
import type { Training } from './config.js';
import { differences, type Environment, environment } from './environment.js';
import type { TrainEvent } from './events.js';
import { lengthOf } from './length.js';
import type { StartReport } from './network.js';
import { beginning, rebased } from './position.js';
import { type Listener, Records } from './records.js';
import { type Batches, type Judgement, type Saved, type Trainable, TrainingRun } from './run.js';
import { exists, RunFolder, readJson, writeJson } from './run-folder.js';
import { TensorBoard } from './tensorboard.js';
import { WandbLog } from './wandb.js';

export interface TrainerOptions<Partial> {
  /** The images to train on. */
  data: Dataset;
  /** The images to validate on; without them the last weights are kept. */
  validation?: Dataset;
  /** Where the run is kept; made if need be. */
  folder: string;
  config?: Partial;
  /** Kept in the run's data.json: how the data sets were opened, for whoever resumes the run. */
  source?: Record<string, unknown>;
}

export interface ResumeOptions<Partial> {
  data: Dataset;
  validation?: Dataset;
  /** Default: the run's own. */
  config?: Partial;
  /** As of a new run; default: what the run's data.json has. */
  source?: Record<string, unknown>;
  /** Goes on with other data or another configuration all the same. Default false. */
  force?: boolean;
}

export interface RunOptions {
  /**
   * Stops the run after a checkpoint of its last step; the last event then says `aborted`. An abort before the run has
   * begun rejects with `signal.reason`.
   */
  signal?: AbortSignal;
}

/** A network in training that can be put back where it was. */
export interface Restorable<Sample, Snapshot> extends Trainable<Sample, Snapshot> {
  restore(path: string, options?: CallOptions): Promise<void>;
}

/** What the kinds of training differ in. */
export interface Recipe<
  Config extends Training,
  Partial,
  Network,
  Sample,
  Snapshot extends Saved,
  Evaluation,
> {
  name: 'segmenter' | 'classifier';
  read(given: Partial, path: string): Config;
  /** The network in full, from the configuration and what it starts from. */
  describe(config: Config, data: Dataset): Promise<Network>;
  /** The same of a configuration that has it in full already. */
  complete(config: Config): Network;
  /** The data set without the images that cannot be used, and what is to be known about it. */
  prepare(data: Dataset, network: Network): { data: Dataset; notices: string[] };
  /** The network with its own weights, and what gives it those of the file it starts from. */
  create(
    config: Config,
    network: Network,
    data: Dataset,
    options: CallOptions,
  ): Promise<{ network: Restorable<Sample, Snapshot>; begin(): Promise<StartReport | undefined> }>;
  loader(config: Config, network: Network, data: Dataset): Batches<Sample>;
  judge(
    config: Config,
    network: Network,
    data: Dataset,
  ): (snapshot: Snapshot, signal?: AbortSignal) => Promise<Judgement<Evaluation>>;
}

/** How a trainer comes to a folder with a run in it. */
export interface Resumption {
  /** What the last checkpoint says; undefined where the run was killed before it had one. */
  state: TrainingState | undefined;
  /** Whether the run's own configuration is gone on with, its network described in full. */
  ownConfig: boolean;
  force: boolean;
}

/** What {@link SegmenterTrainer} and {@link ClassifierTrainer} have in common. */
export class Trainer<
  Config extends Training,
  Partial extends object,
  Network extends object,
  Sample,
  Snapshot extends Saved,
  Loss extends string,
  Evaluation,
> {
  /** The configuration with every default; its network as far as it was given. */
  readonly config: Config;
  /** Where the run is kept. */
  readonly folder: string;
  readonly #recipe: Recipe<Config, Partial, Network, Sample, Snapshot, Evaluation>;
  readonly #options: TrainerOptions<Partial>;
  readonly #resumed: Resumption | undefined;
  #used = false;

  protected constructor(
    recipe: Recipe<Config, Partial, Network, Sample, Snapshot, Evaluation>,
    options: TrainerOptions<Partial>,
    resumed?: Resumption,
  ) {
    checkKeys('', checkObject('options', options), ['data', 'validation', 'folder', 'config', 'source']);
    checkData('data', options.data);
    if (options.validation !== undefined) checkData('validation', options.validation);
    if (options.source !== undefined) checkObject('source', options.source);
    this.config = recipe.read(options.config ?? ({} as Partial), '');
    this.folder = RunFolder.at(options.folder).path;
    this.#recipe = recipe;
    this.#options = options;
    this.#resumed = resumed;
  }

  /**
   * Trains, and tells every step: the run goes on while its events are taken. Ends with an event `stop`; a loop that
   * is left before leaves a checkpoint.
   *
   * @throws {CellrouteError} TRAINING_DIVERGED, with the step and its images in the details; RUN_LOCKED if
   *   another process writes into the folder; RESUME_REFUSED where the
   *   folder has another run in it, or data or configuration are not those of the run; INVALID_CONFIG, FILE_UNWRITABLE,
   *   OUT_OF_MEMORY, PACKAGE_MISSING, and what loading images and weights throws.
   */
  async *run(options: RunOptions = {}): AsyncGenerator<TrainEvent<Loss, Evaluation>, void, undefined> {
    checkKeys('', checkObject('options', options), ['signal']);
    if (this.#used)
      throw new CellrouteError('INVALID_ARGUMENT', 'A trainer runs once: resume its folder to go on');
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
  ): AsyncGenerator<TrainEvent<Loss, Evaluation>, void, undefined> {
    const call = signal ? { signal } : {};
    const recipe = this.#recipe;
    const config = this.config;
    const state = this.#resumed?.state;
    const network = this.#resumed?.ownConfig
      ? recipe.complete(config)
      : await recipe.describe(config, this.#options.data);
    const { data, notices } = recipe.prepare(this.#options.data, network);
    const { validation } = this.#options;
    const identity: Identity = {
      config: { ...config, network },
      data: {
        train: await data.fingerprint(signal),
        validation: validation ? await validation.fingerprint(signal) : null,
      },
    };
    const here = environment();
    if (state) notices.push(...this.#agreement(state, identity, here));
    if (!validation) {
      notices.push('no validation images: the last weights are kept, and no samples are drawn');
    }

    const loader = recipe.loader(config, network, data);
    const length = lengthOf(config, loader.stepsPerEpoch);
    const position = state ? rebased(state.position, length.stepsPerEpoch) : beginning;
    const listeners = await listenersOf(folder, config, identity.config);
    const { network: trained, begin } = await recipe.create(config, network, data, call);
    let records: Records | undefined;
    try {
      const report = state ? undefined : await begin();
      if (state) await trained.restore(folder.last, call);
      await folder.prepare();
      await this.#describe(folder, identity, data);
      await noteSession(folder, here, position.step);
      records = await Records.open(folder, position.logBytes, listeners);
      yield* new TrainingRun<Sample, Snapshot, Loss, Evaluation>({
        folder,
        lock,
        config,
        length,
        network: trained,
        loader,
        judge: validation ? recipe.judge(config, network, validation) : null,
        weights: folder.weights(recipe.name),
        state: { kind: 'training-state', version: '1', ...identity, environment: here },
        position,
        resumed: state !== undefined,
        ...(report ? { report } : {}),
        notices,
        records,
      }).run(signal);
    } finally {
      await records?.close();
      await trained.dispose();
    }
  }

  /** Refuses to go on with something else than the run was begun with; what may matter all the same, in sentences. */
  #agreement(state: TrainingState, identity: Identity, here: Environment): string[] {
    if (!this.#resumed!.force) {
      // Read anew, so that an option that came with a later version has its default there too.
      const before = this.#recipe.read(state.config as Partial, '');
      const config = { ...before, network: this.#recipe.complete(before) };
      checkSame(this.folder, { config, data: state.data }, identity);
    }
    return differences(state.environment, here).map((what) => `${what}: numbers may differ`);
  }

  async #describe(folder: RunFolder, identity: Identity, data: Dataset): Promise<void> {
    const { validation, source } = this.#options;
    const before = (await readJson(folder.data)) as { source?: unknown } | undefined;
    await writeJson(folder.data, {
      source: source ?? before?.source ?? null,
      fingerprint: identity.data,
      train: data.summary(),
      validation: validation?.summary() ?? null,
    });
    // Last: with it the folder has a run in it.
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
 * Finds the run in a folder.
 *
 * @throws {CellrouteError} FILE_UNREADABLE where there is none, and what reading its checkpoint throws
 */
export async function resumption<Partial extends object>(
  path: string,
  options: ResumeOptions<Partial>,
): Promise<[TrainerOptions<Partial>, Resumption]> {
  checkKeys('', checkObject('options', options), ['data', 'validation', 'config', 'source', 'force']);
  const { force = false, config, ...data } = options;
  checkBoolean('force', force);
  const folder = RunFolder.at(path);
  const state = (await exists(folder.last)) ? await readCheckpoint(folder.last) : undefined;
  const own = (state?.config ?? (await readJson(folder.config))) as Partial | undefined;
  if (own === undefined) {
    throw new CellrouteError('FILE_UNREADABLE', `${folder.path} has no run in it`, { file: folder.path });
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

function checkData(option: string, data: unknown): void {
  if (!(data instanceof Dataset)) throw refuse(option, 'a Dataset', data);
  if (data.items.length === 0) throw refuse(option, 'a data set with images', 'one without');
}

/** Adds a session to environment.json: a run that was resumed elsewhere says so. */
async function noteSession(folder: RunFolder, here: Environment, fromStep: number): Promise<void> {
  const before = (await readJson(folder.environment)) as { sessions?: unknown[] } | undefined;
  const session = { started: new Date().toISOString(), fromStep, ...here };
  await writeJson(folder.environment, { sessions: [...(before?.sessions ?? []), session] });
}
