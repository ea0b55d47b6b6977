import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { Worker } from 'node:worker_threads';
import { CellrouteError } from '../errors.js';
import { packageRoot } from '../native/find.js';
import { type LogLine, readLog } from './log.js';
import type { Listener } from './records.js';
import { RunFolder, readJson, writeJson } from './run-folder.js';
import { scalarsOf } from './tensorboard.js';

const PACKAGE = '@wandb/sdk';
/** Seconds that the end of a run waits for the server. */
const PATIENCE = 30;

export interface WandbOptions {
  project: string;
  entity: string | null;
  name: string | null;
  offline: boolean;
}

export interface WandbStart {
  /** URL of the package. */
  module: string;
  id: string;
  project: string;
  entity?: string;
  name?: string;
  config: object;
}
export type ToWandb = { kind: 'row'; step: number; data: Record<string, number> } | { kind: 'finish' };
export type FromWandb =
  | { kind: 'ready'; url: string }
  | { kind: 'failed'; message: string }
  | { kind: 'finished' };

/** What wandb.json says: which run of theirs is ours, and whether it has all of it. */
interface WandbFile extends WandbOptions {
  id: string;
  synced: boolean;
  url?: string;
}

/**
 * A run's log at Weights & Biases. The run there is always told from its first line, so it is whole whatever was
 * interrupted or offline before; while the server cannot be reached, nothing is lost, as log.jsonl has it all.
 */
export class WandbLog implements Listener {
  readonly name = 'Weights & Biases';
  readonly #path: string;
  readonly #file: WandbFile;
  readonly #config: object;
  readonly #module: string | undefined;
  #link: Link | undefined;
  /** Lines of one step are one row there; it is sent when the next step begins. */
  #row: { step: number; data: Record<string, number> } | undefined;

  private constructor(path: string, file: WandbFile, config: object, module: string | undefined) {
    this.#path = path;
    this.#file = file;
    this.#config = config;
    this.#module = module;
  }

  /**
   * @param path of wandb.json.
   * @throws {CellrouteError} PACKAGE_MISSING, with the command that installs it
   */
  static async open(path: string, options: WandbOptions, config: object): Promise<WandbLog> {
    const offline = options.offline || /^(offline|disabled|dryrun)$/.test(process.env.WANDB_MODE ?? '');
    const module = offline ? undefined : findPackage();
    const before = (await readJson(path)) as Partial<WandbFile> | undefined;
    const id = before?.id ?? randomBytes(4).toString('hex');
    const file = { ...options, id, synced: false };
    await writeJson(path, file);
    return new WandbLog(path, file, config, module);
  }

  record(line: LogLine): void {
    if (!this.#module) return;
    const data = Object.fromEntries(scalarsOf(line));
    if (Object.keys(data).length === 0) return;
    if (this.#row && this.#row.step !== line.step) this.#flush();
    this.#row = { step: line.step, data: { ...this.#row?.data, ...data } };
  }

  async close(): Promise<void> {
    if (!this.#module) return;
    this.#flush();
    const link = this.#link;
    if (!link) return;
    const url = await link.finish();
    await writeJson(this.#path, { ...this.#file, synced: true, url });
  }

  #flush(): void {
    if (!this.#row) return;
    const { project, entity, name, id } = this.#file;
    this.#link ??= new Link({
      module: this.#module!,
      id,
      project,
      ...(entity === null ? {} : { entity }),
      ...(name === null ? {} : { name }),
      config: this.#config,
    });
    this.#link.send({ kind: 'row', ...this.#row });
    this.#row = undefined;
  }
}

/** The thread that talks to the server. */
class Link {
  readonly #worker: Worker;
  readonly #ended: Promise<void>;
  #said = '';
  #url = '';
  #trouble: string | undefined;

  constructor(start: WandbStart) {
    this.#worker = new Worker(join(packageRoot, 'dist', 'trainer', 'wandb-worker.js'), {
      workerData: start,
      env: { ...process.env },
      stdout: true,
      stderr: true,
    });
    // The package tells failed requests on the console alone.
    this.#worker.stderr.setEncoding('utf8').on('data', (text: string) => {
      this.#said = (this.#said + text).slice(0, 300);
    });
    this.#worker.stdout.resume();
    this.#ended = new Promise((end) => {
      this.#worker.on('message', (message: FromWandb) => {
        if (message.kind === 'ready') this.#url = message.url;
        else {
          if (message.kind === 'failed') this.#trouble = message.message;
          end();
        }
      });
      this.#worker.on('error', (error) => {
        this.#trouble = error.message;
        end();
      });
      this.#worker.on('exit', () => end());
    });
    this.#worker.unref();
  }

  send(message: ToWandb): void {
    this.#worker.postMessage(message);
  }

  /** Waits until everything was sent; the run's address there. */
  async finish(): Promise<string> {
    this.send({ kind: 'finish' });
    let timer: NodeJS.Timeout | undefined;
    const patience = new Promise<void>((end) => {
      timer = setTimeout(() => {
        this.#trouble ??= `no answer in ${PATIENCE} seconds`;
        end();
      }, PATIENCE * 1000);
    });
    await Promise.race([this.#ended, patience]);
    clearTimeout(timer);
    await this.#worker.terminate();
    const trouble = this.#trouble ?? (/error/i.test(this.#said) ? this.#said.split('\n')[0] : undefined);
    if (trouble === undefined) return this.#url;
    throw new Error(
      `${trouble}. Nothing is lost: log.jsonl has the whole run, and \`cellroute train sync-wandb\` sends it later`,
    );
  }
}

/**
 * Sends a run's log to Weights & Biases, all of it: one that was trained offline, or while the server was away.
 *
 * @returns the run's address there
 * @throws {CellrouteError} FILE_UNREADABLE where the folder has no run that was to be sent; PACKAGE_MISSING
 */
export async function syncWandb(path: string): Promise<string> {
  const folder = RunFolder.at(path);
  const file = (await readJson(folder.wandb)) as WandbFile | undefined;
  const config = (await readJson(folder.config)) as object | undefined;
  if (!file || !config) {
    throw new CellrouteError(
      'FILE_UNREADABLE',
      `${folder.path} has no run that logs to Weights & Biases (logs.wandb)`,
      { file: folder.wandb },
    );
  }
  const { project, entity, name } = file;
  const log = await WandbLog.open(folder.wandb, { project, entity, name, offline: false }, config);
  for await (const line of readLog(folder.log)) log.record(line);
  await log.close();
  return ((await readJson(folder.wandb)) as WandbFile).url ?? '';
}

function findPackage(): string {
  try {
    return pathToFileURL(require.resolve(PACKAGE)).href;
  } catch (cause) {
    throw new CellrouteError(
      'PACKAGE_MISSING',
      `logs.wandb needs the package ${PACKAGE}, which is not installed: npm install ${PACKAGE}. ` +
        'With logs.wandb.offline, a run is kept for later and needs no package.',
      { option: 'logs.wandb', expected: PACKAGE },
      { cause },
    );
  }
}
