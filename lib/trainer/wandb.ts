import { randomBytes } from 'node:crypto';
import { dirname, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { Worker } from 'node:worker_threads';
import { type SignalOptions, untilAborted } from '../abort.js';
import { checkOptions, checkString } from '../check.js';
import { CellrouteError } from '../errors.js';
import { cannotRead } from '../file-errors.js';
import { packageRoot } from '../native/find.js';
import { packageMissing } from '../package-missing.js';
import { type LogLine, readLog } from './log.js';
import type { Listener } from './records.js';
import { RunFolder, readJson, writeJson } from './run-folder.js';
import { scalarsOf } from './tensorboard.js';

const PACKAGE = '@wandb/sdk';
/** Seconds to wait for the server at the end of a run. */
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
  entity: string | undefined;
  name: string | undefined;
  config: object;
}
export type ToWandb = { kind: 'row'; step: number; data: Record<string, number> } | { kind: 'finish' };
export type FromWandb =
  | { kind: 'ready'; url: string }
  | { kind: 'failed'; message: string }
  | { kind: 'finished' };

/** Content of wandb.json: the id of the Weights & Biases run, and whether it is complete. */
interface WandbFile extends WandbOptions {
  id: string;
  synced: boolean;
  url?: string;
}

/**
 * Uploads the log of a run to Weights & Biases. Every upload starts with the first line, so the uploaded run is complete
 * after interruptions or offline periods. If the server is unreachable nothing is lost: log.jsonl has every line.
 */
export class WandbLog implements Listener {
  readonly name = 'Weights & Biases';
  readonly #path: string;
  readonly #file: WandbFile;
  readonly #config: object;
  readonly #module: string | undefined;
  #link: Link | undefined;
  /** Lines of the same step are one row, which is sent when the next step starts. */
  #row: { step: number; data: Record<string, number> } | undefined;

  private constructor(path: string, file: WandbFile, config: object, module: string | undefined) {
    this.#path = path;
    this.#file = file;
    this.#config = config;
    this.#module = module;
  }

  /**
   * @param path of wandb.json.
   * @throws {CellrouteError} PACKAGE_MISSING, with the install command.
   */
  static async open(path: string, options: WandbOptions, config: object): Promise<WandbLog> {
    const offline = options.offline || /^(offline|disabled|dryrun)$/.test(process.env.WANDB_MODE ?? '');
    const module = offline ? undefined : findPackage();
    const { id: before } = (await readJson(path)) ?? {};
    const id = typeof before === 'string' ? before : randomBytes(4).toString('hex');
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

  /** Ends an upload that is not waited for. */
  async stop(): Promise<void> {
    await this.#link?.stop();
  }

  #flush(): void {
    if (!this.#row) return;
    const { project, entity, name, id } = this.#file;
    this.#link ??= new Link(dirname(this.#path), {
      module: this.#module!,
      id,
      project,
      entity: entity ?? undefined,
      name: name ?? undefined,
      config: this.#config,
    });
    this.#link.send({ kind: 'row', ...this.#row });
    this.#row = undefined;
  }
}

/** The worker thread that communicates with the server. */
class Link {
  readonly #worker: Worker;
  readonly #folder: string;
  readonly #ended: Promise<void>;
  #output = '';
  #url = '';
  #trouble: string | undefined;

  /** @param folder of the run, for errors. */
  constructor(folder: string, start: WandbStart) {
    this.#folder = folder;
    this.#worker = new Worker(join(packageRoot, 'dist', 'trainer', 'wandb-worker.js'), {
      workerData: start,
      env: { ...process.env },
      stdout: true,
      stderr: true,
    });
    // The package reports failed requests only on the console.
    this.#worker.stderr.setEncoding('utf8').on('data', (text: string) => {
      this.#output = (this.#output + text).slice(0, 300);
    });
    this.#worker.stdout.resume();
    this.#ended = new Promise((end) => {
      const fail = (trouble: string) => {
        this.#trouble ??= trouble;
        end();
      };
      const onExit = () => fail('the thread that uploads it ended');
      this.#worker.on('message', (message: FromWandb) => {
        if (message.kind === 'ready') this.#url = message.url;
        else if (message.kind === 'failed') fail(message.message);
        else {
          this.#worker.off('exit', onExit);
          end();
        }
      });
      this.#worker.on('error', (error) => fail(error.message));
      this.#worker.on('exit', onExit);
    });
    this.#worker.unref();
  }

  send(message: ToWandb): void {
    this.#worker.postMessage(message);
  }

  /**
   * Waits until everything was uploaded.
   *
   * @returns the URL of the run.
   * @throws {CellrouteError} UPLOAD_FAILED.
   */
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
    await this.stop();
    const trouble = this.#trouble ?? (/error/i.test(this.#output) ? this.#output.split('\n')[0] : undefined);
    if (trouble === undefined) return this.#url;
    throw new CellrouteError(
      'UPLOAD_FAILED',
      `${trouble}. No data are lost: log.jsonl contains the whole run, and \`cellroute train sync-wandb\` uploads it later`,
      { file: this.#folder },
    );
  }

  async stop(): Promise<void> {
    await this.#worker.terminate();
  }
}

/**
 * Uploads the complete log of a run to Weights & Biases, for a run that was trained offline or failed to upload.
 *
 * @param path folder of the run.
 * @returns the URL of the run.
 * @throws {CellrouteError} FILE_UNREADABLE if the folder contains no run that logs to Weights & Biases; PACKAGE_MISSING;
 *   UPLOAD_FAILED; an abort rejects with `signal.reason`. The call can be repeated after both.
 */
export async function syncWandb(path: string, options: SignalOptions = {}): Promise<string> {
  checkOptions(options, ['signal']);
  const { signal } = options;
  signal?.throwIfAborted();
  const folder = RunFolder.at(path);
  const file = await readJson(folder.wandb);
  const config = await readJson(folder.config);
  if (!file || !config) {
    throw cannotRead(folder.path, 'the folder contains no run that logs to Weights & Biases (logs.wandb)');
  }
  const { project, entity = null, name = null } = file;
  const run = {
    project: checkString('project', project),
    entity: entity === null ? null : checkString('entity', entity),
    name: name === null ? null : checkString('name', name),
    offline: false,
  };
  const log = await WandbLog.open(folder.wandb, run, config);
  try {
    for await (const line of readLog(folder.log)) {
      signal?.throwIfAborted();
      log.record(line);
    }
    await untilAborted(log.close(), signal);
  } finally {
    await log.stop();
  }
  const { url } = (await readJson(folder.wandb)) ?? {};
  return typeof url === 'string' ? url : '';
}

function findPackage(): string {
  try {
    return pathToFileURL(require.resolve(PACKAGE)).href;
  } catch (cause) {
    throw packageMissing('logs.wandb', [PACKAGE], {
      more: '. With logs.wandb.offline the package is needed only for a later upload.',
      cause,
    });
  }
}
