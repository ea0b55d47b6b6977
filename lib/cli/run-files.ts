import { join } from 'node:path';
import { type ResultFormatName, type RunResult, resultFormat, runFileName } from '../export/formats.js';
import type { Outputs } from '../outputs.js';

/**
 * The files with the results of all images of a run, which are written while results arrive. No result is kept: `add`
 * returns when all files have it.
 */
export class RunFiles {
  readonly #files: RunFile[];

  /**
   * Writes the files while `work` adds results. If it fails, none is written.
   *
   * @param formats of which those whose scope is `run` are written.
   * @returns what `work` returns.
   * @throws {CellrouteError} FILE_UNWRITABLE, and what `work` throws.
   */
  static async write<T>(
    formats: readonly ResultFormatName[],
    folder: string,
    outputs: Outputs,
    work: (files: RunFiles) => Promise<T>,
  ): Promise<T> {
    const files = new RunFiles(formats, folder, outputs);
    try {
      const done = await work(files);
      await files.#finish();
      return done;
    } catch (error) {
      await files.#abandon(error);
      throw error;
    }
  }

  private constructor(formats: readonly ResultFormatName[], folder: string, outputs: Outputs) {
    this.#files = formats.flatMap((name) => {
      const format = resultFormat(name);
      if (format.scope !== 'run') return [];
      const results = new Handoff<RunResult>();
      const file: RunFile = {
        results,
        written: outputs.write(join(folder, runFileName(name)), format.write(results.values(), {})),
        failure: undefined,
      };
      file.written.catch((error: unknown) => {
        file.failure = { error };
        results.end();
      });
      return [file];
    });
  }

  /** @throws {CellrouteError} FILE_UNWRITABLE */
  async add(result: RunResult): Promise<void> {
    for (const { results } of this.#files) await results.put(result);
    for (const { failure } of this.#files) if (failure) throw failure.error;
  }

  async #finish(): Promise<void> {
    for (const { results } of this.#files) results.end();
    await Promise.all(this.#files.map(({ written }) => written));
  }

  async #abandon(error: unknown): Promise<void> {
    for (const { results } of this.#files) results.fail(error);
    await Promise.allSettled(this.#files.map(({ written }) => written));
  }
}

interface RunFile {
  results: Handoff<RunResult>;
  written: Promise<void>;
  failure: { error: unknown } | undefined;
}

/** A sequence with one consumer: `put` returns when the consumer asks for the next value, or has stopped. */
export class Handoff<T> {
  #next: { value: T } | undefined;
  #end: { error?: unknown } | undefined;
  #wakeConsumer = () => {};
  #wakeProducer = () => {};

  async put(value: T): Promise<void> {
    if (this.#end) return;
    this.#next = { value };
    const consumed = new Promise<void>((resolve) => {
      this.#wakeProducer = resolve;
    });
    this.#wakeConsumer();
    await consumed;
  }

  /** No further value follows. */
  end(): void {
    this.#stop({});
  }

  /** The consumer gets this error in place of a further value. */
  fail(error: unknown): void {
    this.#stop({ error });
  }

  async *values(): AsyncGenerator<T, void, undefined> {
    try {
      for (;;) {
        while (!this.#next && !this.#end) {
          await new Promise<void>((resolve) => {
            this.#wakeConsumer = resolve;
          });
        }
        if (this.#end) {
          if ('error' in this.#end) throw this.#end.error;
          return;
        }
        yield this.#next!.value;
        this.#next = undefined;
        this.#wakeProducer();
      }
    } finally {
      this.#stop({});
    }
  }

  #stop(end: { error?: unknown }): void {
    this.#end ??= end;
    this.#wakeConsumer();
    this.#wakeProducer();
  }
}
