import { mkdir } from 'node:fs/promises';
import { renderPlot } from '../render/plot.js';
import { writeAtomically } from '../weights/atomic.js';
import { History } from './history.js';
import { type LogLine, RunLog, readLog } from './log.js';
import type { RunFolder } from './run-folder.js';

/** Receives every line of the log, starting with the first. A resumed run sends the earlier lines again. */
export interface Listener {
  readonly name: string;
  record(line: LogLine): void | Promise<void>;
  /** Called when the run is finished or interrupted. */
  close(): Promise<void>;
}

/**
 * Writes everything of a run except its weights. A run that cannot write its log fails. A failure of a listener, a plot
 * or a sample sheet is only a notice, reported once.
 */
export class Records {
  readonly #folder: RunFolder;
  readonly #log: RunLog;
  readonly #history = new History();
  #listeners: Listener[];
  #notices: string[] = [];
  readonly #reported = new Set<string>();

  private constructor(folder: RunFolder, log: RunLog, listeners: Listener[]) {
    this.#folder = folder;
    this.#log = log;
    this.#listeners = listeners;
  }

  /** Continues the log of the folder after its first `bytes`. */
  static async open(folder: RunFolder, bytes: number, listeners: Listener[]): Promise<Records> {
    const records = new Records(folder, await RunLog.open(folder.log, bytes), listeners);
    try {
      for await (const line of readLog(folder.log)) await records.#notify(line);
    } catch (error) {
      await records.close();
      throw error;
    }
    return records;
  }

  get bytes(): number {
    return this.#log.bytes;
  }

  async write(line: LogLine): Promise<void> {
    await this.#log.append(line);
    await this.#notify(line);
  }

  sync(): Promise<void> {
    return this.#log.sync();
  }

  /** Draws the plots. Returns the failures since the last call. */
  async draw(): Promise<string[]> {
    await this.#attempt('The plots', async () => {
      const labels = { xLabel: 'step' };
      const loss = await renderPlot({
        ...labels,
        title: 'Training loss',
        yLabel: 'loss',
        series: this.#history.losses(),
      });
      await writeAtomically(this.#folder.plot('loss'), [loss]);
      const validations = this.#history.validations();
      if (!validations) return;
      const { metric, series } = validations;
      const png = await renderPlot({
        ...labels,
        title: `Validation: ${metric}`,
        yLabel: 'score',
        series,
        yRange: [0, 1],
      });
      await writeAtomically(this.#folder.plot('validation'), [png]);
    });
    return this.#takeNotices();
  }

  /** Writes a sheet of samples. Returns the failures since the last call. */
  async sample(name: string, sheet: () => Promise<Buffer>): Promise<string[]> {
    await this.#attempt('Samples', async () => {
      await mkdir(this.#folder.samples, { recursive: true });
      await writeAtomically(this.#folder.sample(name), [await sheet()]);
    });
    return this.#takeNotices();
  }

  results() {
    return this.#history.results();
  }

  /** Closes the listeners. Returns the failures since the last call. */
  async conclude(): Promise<string[]> {
    for (const listener of this.#listeners) await this.#attempt(listener.name, () => listener.close());
    this.#listeners = [];
    return this.#takeNotices();
  }

  async close(): Promise<void> {
    await this.conclude();
    await this.#log.close();
  }

  async #notify(line: LogLine): Promise<void> {
    this.#history.add(line);
    for (const listener of this.#listeners) {
      const fine = await this.#attempt(listener.name, async () => listener.record(line));
      if (!fine) this.#listeners = this.#listeners.filter((one) => one !== listener);
    }
  }

  async #attempt(what: string, action: () => Promise<void>): Promise<boolean> {
    try {
      await action();
      return true;
    } catch (error) {
      if (!this.#reported.has(what)) this.#notices.push(`${what}: ${(error as Error).message}`);
      this.#reported.add(what);
      return false;
    }
  }

  #takeNotices(): string[] {
    const notices = this.#notices;
    this.#notices = [];
    return notices;
  }
}
