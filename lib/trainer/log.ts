import { createReadStream } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { createInterface } from 'node:readline';
import { unwritable } from '../weights/errors.js';
import type { TrainEvent } from './events.js';

/** Seconds since 1970. */
interface Timed {
  time: number;
  epoch: number;
  step: number;
}

/** A line of log.jsonl: what happened to the network, and nothing of when the process was started or interrupted. */
export type LogLine = Timed &
  (
    | {
        kind: 'step';
        total: number;
        losses: Record<string, number>;
        lr: number;
        momentum: number;
        gradNorm: number;
        imagesPerSecond: number;
      }
    | { kind: 'epoch'; total: number; losses: Record<string, number>; seconds: number }
    | {
        kind: 'validation';
        metric: string;
        score: number;
        best: boolean;
        figures: Record<string, number>;
        /** Of a classifier: images of each class (a row), by the class they were taken for. */
        confusion?: readonly (readonly number[])[];
        seconds: number;
      }
    | { kind: 'stop'; why: string }
  );

/** An event's line; starts, checkpoints and aborts have none, so that an interrupted run's log is like any other. */
export function lineOf(event: TrainEvent<string, unknown>): LogLine | undefined {
  const { epoch, step } = event;
  const timed = { time: Date.now() / 1000, epoch, step };
  switch (event.kind) {
    case 'step': {
      const { kind, total, losses, lr, momentum, gradNorm, imagesPerSecond } = event;
      return { kind, ...timed, total, losses, lr, momentum, gradNorm, imagesPerSecond };
    }
    case 'epoch': {
      const { kind, total, losses, seconds } = event;
      return { kind, ...timed, total, losses, seconds };
    }
    case 'validation': {
      const { kind, metric, score, best, figures, confusion, seconds } = event;
      return { kind, ...timed, metric, score, best, figures, ...(confusion ? { confusion } : {}), seconds };
    }
    case 'stop':
      return event.why === 'aborted' ? undefined : { kind: 'stop', ...timed, why: event.why };
    default:
      return undefined;
  }
}

/** log.jsonl, written line by line. */
export class RunLog {
  readonly #path: string;
  readonly #handle: FileHandle;
  #bytes: number;

  private constructor(path: string, handle: FileHandle, bytes: number) {
    this.#path = path;
    this.#handle = handle;
    this.#bytes = bytes;
  }

  /** Opens it for what follows its first `bytes`; what was written after them, by a run that was killed, goes. */
  static async open(path: string, bytes: number): Promise<RunLog> {
    try {
      const handle = await open(path, 'a');
      const { size } = await handle.stat();
      const kept = Math.min(size, bytes);
      await handle.truncate(kept);
      return new RunLog(path, handle, kept);
    } catch (error) {
      throw unwritable(path, (error as Error).message, error);
    }
  }

  /** Its length. */
  get bytes(): number {
    return this.#bytes;
  }

  async append(line: LogLine): Promise<void> {
    const text = Buffer.from(`${JSON.stringify(line)}\n`);
    try {
      await this.#handle.appendFile(text);
    } catch (error) {
      throw unwritable(this.#path, (error as Error).message, error);
    }
    this.#bytes += text.length;
  }

  /** Onto the disk: a checkpoint may not know of lines that a power cut takes. */
  async sync(): Promise<void> {
    await this.#handle.sync();
  }

  async close(): Promise<void> {
    await this.#handle.close();
  }
}

/** The lines of a log, without one that a kill cut short; none where there is no log yet. */
export async function* readLog(path: string): AsyncGenerator<LogLine> {
  const file = createReadStream(path, 'utf8');
  try {
    for await (const text of createInterface({ input: file, crlfDelay: Number.POSITIVE_INFINITY })) {
      yield JSON.parse(text) as LogLine;
    }
  } catch (error) {
    const { code } = error as { code?: string };
    if (!(error instanceof SyntaxError) && code !== 'ENOENT') throw error;
  } finally {
    file.destroy();
  }
}
