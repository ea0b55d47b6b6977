import { readdir, readFile, rm, stat } from 'node:fs/promises';
import { basename, join, resolve } from 'node:path';
import { checkObject, checkString } from '../check.js';
import { CellrouteError } from '../errors.js';
import { unwritable } from '../file-errors.js';
import { FolderLock } from '../folder-lock.js';
import { RUN_FILES } from '../inference/model-path.js';
import { isTemporary, makeFolder, removeTemporaryFiles, writeAtomically } from '../weights/atomic.js';

/** The files of a run. */
export class RunFolder {
  readonly path: string;

  private constructor(path: string) {
    this.path = path;
  }

  static at(path: string, option = 'folder'): RunFolder {
    return new RunFolder(resolve(checkString(option, path)));
  }

  /**
   * Locks the folder for one writer; it is created if it does not exist.
   *
   * @throws {CellrouteError} RUN_LOCKED, FILE_UNWRITABLE
   */
  lock(): Promise<FolderLock> {
    return FolderLock.acquire(this.path);
  }

  /**
   * Checks that there is no run in the folder, for a new one, and nothing that the new one would overwrite.
   *
   * @throws {CellrouteError} RESUME_REFUSED, FILE_UNWRITABLE
   */
  async checkUnused(): Promise<void> {
    if (await exists(this.config)) {
      throw new CellrouteError(
        'RESUME_REFUSED',
        `${this.path} already contains a run: resume it, or choose another folder`,
        { file: this.path },
      );
    }
    const folders = [this.tensorboard, this.samples, this.checkpoints];
    const files = [
      ...[this.environment, this.log, this.results, this.plot('loss'), this.plot('validation')],
      ...[this.weights('segmenter'), this.weights('classifier')],
    ];
    // A run that was killed before it had a configuration leaves these.
    for (const path of [this.data, this.wandb]) if (!(await isOfRun(path))) files.push(path);
    for (const path of [...files, ...folders]) {
      const left = folders.includes(path) ? (await readdir(path).catch(() => [])).filter(isForeign) : [];
      if (folders.includes(path) ? left.length === 0 : !(await exists(path))) continue;
      throw new CellrouteError(
        'FILE_UNWRITABLE',
        `${this.path} contains no run, but ${basename(path)}, which a run would overwrite: choose another folder`,
        { file: path },
      );
    }
  }

  /** Creates what is missing, and deletes unfinished checkpoints of a run that was killed. Needs the lock. */
  async prepare(): Promise<void> {
    await makeFolder(this.checkpoints);
    await removeTemporaryFiles(this.checkpoints);
  }

  /** The configuration with all defaults. */
  get config(): string {
    return join(this.path, RUN_FILES.config);
  }
  /** Versions, processor and threads of every process that worked on the run. */
  get environment(): string {
    return join(this.path, 'environment.json');
  }
  /** Fingerprints and summaries of the data sets. */
  get data(): string {
    return join(this.path, 'data.json');
  }
  get log(): string {
    return join(this.path, 'log.jsonl');
  }
  get tensorboard(): string {
    return join(this.path, 'tensorboard');
  }
  get wandb(): string {
    return join(this.path, 'wandb.json');
  }
  get results(): string {
    return join(this.path, 'results.json');
  }
  get samples(): string {
    return join(this.path, 'samples');
  }
  get checkpoints(): string {
    return join(this.path, RUN_FILES.checkpoints);
  }
  /** The complete state, for resuming. */
  get last(): string {
    return join(this.checkpoints, 'last.safetensors');
  }

  /** A network without training state, for {@link CellSegmenter.load} and {@link CellClassifier.load}. */
  best(file: string): string {
    return join(this.checkpoints, file);
  }
  weights(network: 'segmenter' | 'classifier'): string {
    return join(this.path, RUN_FILES[network]);
  }
  plot(name: 'loss' | 'validation'): string {
    return join(this.path, `${name}.png`);
  }
  sample(name: string): string {
    return join(this.samples, `${name}.png`);
  }

  /** Removes earlier best networks. */
  async keepBest(file: string | undefined): Promise<void> {
    for (const name of await readdir(this.checkpoints).catch(unwritable(this.checkpoints))) {
      if (!name.startsWith('best-') || name === file) continue;
      const path = join(this.checkpoints, name);
      await rm(path, { force: true }).catch(unwritable(path));
    }
  }
}

export async function writeJson(path: string, value: unknown): Promise<void> {
  await writeAtomically(path, [Buffer.from(`${JSON.stringify(value, null, 2)}\n`)]);
}

/** Reads the object in a JSON file; undefined if the file is missing or damaged. Its values are not checked. */
export async function readJson(path: string): Promise<Record<string, unknown> | undefined> {
  try {
    return checkObject(path, JSON.parse(await readFile(path, 'utf8')));
  } catch {
    return undefined;
  }
}

const isForeign = (name: string): boolean => !isTemporary(name);

/** Whether a file is missing or describes a run. */
async function isOfRun(path: string): Promise<boolean> {
  if (!(await exists(path))) return true;
  const { fingerprint, project } = (await readJson(path)) ?? {};
  return fingerprint !== undefined || project !== undefined;
}

export async function exists(path: string): Promise<boolean> {
  return (await stat(path).catch(() => undefined)) !== undefined;
}
