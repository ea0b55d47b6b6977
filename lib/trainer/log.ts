import { createReadStream } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { createInterface } from 'node:readline';
import { defined } from '../defined.js';
import { unreadable, unwritable } from '../file-errors.js';
import type { TrainEvent } from './events.js';

/** Time in seconds since 1970. */
interface Timed {
  time: number;
  epoch: number;
  step: number;
}

/** A line of log.jsonl. It does not depend on when the process was started or interrupted. */
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
        /** Confusion matrix of a classifier: true class by row, predicted class by column. */
        confusion?: readonly (readonly number[])[];
        seconds: number;
      }
    | { kind: 'stop'; reason: string }
  );

/** The line of an event. Starts, checkpoints and aborts have none, so the log of an interrupted run has no traces of it. */
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
      return { kind, ...timed, metric, score, best, figures, ...defined({ confusion }), seconds };
    }
    case 'stop':
      return event.reason === 'aborted' ? undefined : { kind: 'stop', ...timed, reason: event.reason };
    default:
      return undefined;
  }
}

/** Writer of log.jsonl. */
export class RunLog {
  readonly #path: string;
  readonly #handle: FileHandle;
  #bytes: number;

  private constructor(path: string, handle: FileHandle, bytes: number) {
    this.#path = path;
    this.#handle = handle;
    this.#bytes = bytes;
  }

  /** Opens the log, keeps its first `bytes` and discards later lines, written by a run that was killed. */
  static async open(path: string, bytes: number): Promise<RunLog> {
    const handle = await open(path, 'a').catch(unwritable(path));
    try {
      const { size } = await handle.stat();
      const kept = Math.min(size, bytes);
      await handle.truncate(kept);
      return new RunLog(path, handle, kept);
    } catch (error) {
      await handle.close();
      return unwritable(path)(error);
    }
  }

  /** Length of the file in bytes. */
  get bytes(): number {
    return this.#bytes;
  }

  async append(line: LogLine): Promise<void> {
    const text = Buffer.from(`${JSON.stringify(line)}\n`);
    await this.#handle.appendFile(text).catch(unwritable(this.#path));
    this.#bytes += text.length;
  }

  /** Flushes to disk: a checkpoint must not refer to lines that a power failure could lose. */
  async sync(): Promise<void> {
    await this.#handle.sync().catch(unwritable(this.#path));
  }

  async close(): Promise<void> {
    await this.#handle.close().catch(unwritable(this.#path));
  }
}

/** Reads the lines of a log, up to one that is truncated or no line of a log. Yields nothing if there is no log. */
export async function* readLog(path: string): AsyncGenerator<LogLine> {
  const file = createReadStream(path, 'utf8');
  try {
    for await (const text of createInterface({ input: file, crlfDelay: Number.POSITIVE_INFINITY })) {
      const line: unknown = parseLine(text);
      if (!isLogLine(line)) return;
      yield line;
    }
  } catch (error) {
    if ((error as { code?: string }).code !== 'ENOENT') unreadable(path)(error);
  } finally {
    file.destroy();
  }
}

function parseLine(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** Checks what the readers of a log rely on. */
function isLogLine(value: unknown): value is LogLine {
  const { kind, step, losses, figures } = (value ?? {}) as Record<string, unknown>;
  const isObject = (part: unknown) => typeof part === 'object' && part !== null;
  if (typeof step !== 'number') return false;
  return (
    ((kind === 'step' || kind === 'epoch') && isObject(losses)) ||
    (kind === 'validation' && isObject(figures)) ||
    kind === 'stop'
  );
}
