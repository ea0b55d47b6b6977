import { randomUUID } from 'node:crypto';
import type { SignalOptions } from '../abort.js';
import { checkNumber, checkOptions, checkString, refuse } from '../check.js';
import { CellrouteError } from '../errors.js';
import type { Progress } from '../native/job.js';
import { JobChanges } from './changes.js';
import { busy, jobConflict, jobError, jobNotFound, storeClosed, unfinished } from './errors.js';
import {
  countStates,
  isFinal,
  type Job,
  type JobState,
  type JobStore,
  type Submission,
  type SubmitOptions,
} from './types.js';

/** Options of {@link MemoryJobStore}. */
export interface MemoryJobStoreOptions<Input, Output> {
  /** Processes a job. It stops when the signal aborts. */
  run: (
    input: Input,
    options: { signal: AbortSignal; onProgress: (progress: Progress) => void },
  ) => Promise<Output>;
  /** Returns the memory of an input in bytes; default 0. */
  bytesOf?: ((input: Input) => number) | undefined;
  /** Maximum number of jobs that run at the same time, 1 to 1024; default 2. */
  concurrency?: number | undefined;
  /** Maximum number of waiting jobs, 0 to 1,000,000; default 256. More are refused with BUSY. */
  maxWaiting?: number | undefined;
  /**
   * Maximum bytes of the inputs of all known jobs; default 1 GiB. Ended jobs are deleted to make room, the oldest first.
   * Jobs for which there is no room are refused with BUSY.
   */
  maxBytes?: number | undefined;
  /** Maximum number of ended jobs that are kept, 1 to 1,000,000; default 256. */
  maxEnded?: number | undefined;
  /** Seconds for which an ended job is kept, 1 to 2,000,000; default 3600. */
  keepSeconds?: number | undefined;
  /** Called with errors that are not a {@link CellrouteError}. */
  onError?: ((error: unknown) => void) | undefined;
}

const KEYS = [
  'run',
  'bytesOf',
  'concurrency',
  'maxWaiting',
  'maxBytes',
  'maxEnded',
  'keepSeconds',
  'onError',
];

type Limit = 'concurrency' | 'maxWaiting' | 'maxBytes' | 'maxEnded' | 'keepSeconds';

interface Entry<Input, Output> {
  readonly job: Job;
  readonly bytes: number;
  readonly key: string | undefined;
  readonly digest: string | undefined;
  readonly stop: AbortController;
  /** Present until the work starts. */
  input: Input | undefined;
  output?: Output;
  error?: CellrouteError;
  readonly changes: JobChanges;
  /** Deletes the ended job. */
  timer?: NodeJS.Timeout;
}

/**
 * Jobs in the memory of one process, which are lost when it ends.
 *
 * ```ts
 * const store = new MemoryJobStore<string, number>({
 *   run: async (path, { signal }) => (await ensemble.segment(path, { signal })).cells.length,
 * });
 * const { job } = await store.submit('image.png');
 * for await (const { state } of store.events(job.id)) console.log(state);
 * console.log(await store.result(job.id), 'cells');
 * await store.close();
 * ```
 */
export class MemoryJobStore<Input, Output> implements JobStore<Input, Output> {
  readonly #run: MemoryJobStoreOptions<Input, Output>['run'];
  readonly #bytesOf: (input: Input) => number;
  readonly #onError: (error: unknown) => void;
  readonly #limits: Readonly<Record<Limit, number>>;
  /** In the order of submission. */
  readonly #entries = new Map<string, Entry<Input, Output>>();
  readonly #byKey = new Map<string, Entry<Input, Output>>();
  /** In the order of their end. */
  readonly #ended = new Set<Entry<Input, Output>>();
  readonly #waiting = new Set<Entry<Input, Output>>();
  /** The work of running jobs, and of cancelled jobs that have not stopped yet. */
  readonly #working = new Set<Promise<void>>();
  #bytes = 0;
  #closed = false;

  /** @throws {CellrouteError} INVALID_ARGUMENT */
  constructor(options: MemoryJobStoreOptions<Input, Output>) {
    checkOptions(options, KEYS);
    const { run, bytesOf = () => 0, onError = () => {} } = options;
    if (typeof run !== 'function') throw refuse('run', 'a function', run);
    const whole = (key: Limit, fallback: number, min: number, max: number) =>
      checkNumber(key, options[key] ?? fallback, { min, max, integer: true });
    this.#run = run;
    this.#bytesOf = bytesOf;
    this.#onError = onError;
    this.#limits = {
      concurrency: whole('concurrency', 2, 1, 1024),
      maxWaiting: whole('maxWaiting', 256, 0, 1_000_000),
      maxBytes: whole('maxBytes', 2 ** 30, 1, Number.MAX_SAFE_INTEGER),
      maxEnded: whole('maxEnded', 256, 1, 1_000_000),
      keepSeconds: whole('keepSeconds', 3600, 1, 2_000_000),
    };
  }

  /** Number of known jobs by state. */
  get counts(): Record<JobState, number> {
    return countStates(this.#entries.values());
  }

  async submit(input: Input, options: SubmitOptions = {}): Promise<Submission> {
    checkOptions(options, ['key', 'digest']);
    const { key, digest } = options;
    if (key !== undefined) {
      checkString('key', key);
      checkString('digest', digest);
    }
    const known = key === undefined ? undefined : this.#byKey.get(key);
    if (known) {
      if (known.digest === digest) return { job: { ...known.job }, created: false };
      throw jobConflict(key!, known.job.id);
    }
    if (this.#closed) throw storeClosed();
    const bytes = this.#bytesOf(input);
    this.#makeRoom(bytes);
    const entry: Entry<Input, Output> = {
      job: { id: randomUUID(), state: 'waiting', submitted: new Date().toISOString() },
      bytes,
      key,
      digest,
      stop: new AbortController(),
      input,
      changes: new JobChanges(),
    };
    this.#entries.set(entry.job.id, entry);
    if (key !== undefined) this.#byKey.set(key, entry);
    this.#bytes += bytes;
    this.#waiting.add(entry);
    this.#startMore();
    return { job: { ...entry.job }, created: true };
  }

  /** @throws {CellrouteError} JOB_NOT_FOUND */
  async get(id: string): Promise<Job> {
    return { ...this.#find(id).job };
  }

  async cancel(id: string): Promise<Job> {
    const entry = this.#find(id);
    if (!isFinal(entry.job.state)) {
      this.#waiting.delete(entry);
      this.#end(entry, 'cancelled');
      entry.stop.abort();
    }
    return { ...entry.job };
  }

  async *events(id: string, options: SignalOptions = {}): AsyncGenerator<Job, void, undefined> {
    checkOptions(options, ['signal']);
    const { signal } = options;
    const { job, changes } = this.#find(id);
    yield* changes.follow(() => ({ ...job }), signal);
  }

  async result(id: string): Promise<Output> {
    const { job, output, error } = this.#find(id);
    if (job.state === 'done') return output as Output;
    throw error ?? unfinished(job);
  }

  /** Resolves when no job waits or runs. */
  async idle(): Promise<void> {
    while (this.#working.size > 0) await Promise.allSettled(this.#working);
  }

  /** Refuses further jobs, cancels those that have not ended, waits for their work, and deletes all jobs. */
  async close(): Promise<void> {
    this.#closed = true;
    for (const id of [...this.#entries.keys()]) await this.cancel(id);
    await this.idle();
    for (const entry of [...this.#entries.values()]) this.#forget(entry);
  }

  #find(id: string): Entry<Input, Output> {
    const entry = this.#entries.get(id);
    if (entry) return entry;
    throw jobNotFound(id, this.#limits.keepSeconds);
  }

  #makeRoom(bytes: number): void {
    const { maxWaiting, maxBytes, concurrency } = this.#limits;
    const free = concurrency - this.#working.size;
    if (this.#waiting.size >= maxWaiting + Math.max(0, free)) {
      throw busy(`${this.#waiting.size} jobs wait; the limit is maxWaiting ${maxWaiting}`);
    }
    let kept = this.#bytes;
    for (const entry of this.#ended) kept -= entry.bytes;
    if (kept + bytes > maxBytes) {
      throw busy(
        `Waiting and running jobs hold ${kept} bytes of images, and this one has ${bytes}; the limit is maxBytes ${maxBytes}`,
      );
    }
    for (const entry of this.#ended) {
      if (this.#bytes + bytes <= maxBytes) break;
      this.#forget(entry);
    }
  }

  #startMore(): void {
    for (const entry of this.#waiting) {
      if (this.#working.size >= this.#limits.concurrency) return;
      this.#waiting.delete(entry);
      const work = this.#work(entry).finally(() => {
        this.#working.delete(work);
        this.#startMore();
      });
      this.#working.add(work);
    }
  }

  async #work(entry: Entry<Input, Output>): Promise<void> {
    const { job, stop } = entry;
    const input = entry.input as Input;
    entry.input = undefined;
    job.state = 'running';
    job.started = new Date().toISOString();
    entry.changes.announce();
    const onProgress = ({ stage, fraction }: Progress) => {
      if (job.state !== 'running') return;
      job.progress = { stage, fraction };
      entry.changes.announce();
    };
    try {
      const output = await this.#run(input, { signal: stop.signal, onProgress });
      if (isFinal(job.state)) return;
      entry.output = output;
      this.#end(entry, 'done');
    } catch (error) {
      if (isFinal(job.state)) return;
      if (!CellrouteError.is(error)) this.#onError(error);
      entry.error = jobError(error);
      job.error = { code: entry.error.code, message: entry.error.message };
      this.#end(entry, 'failed');
    }
  }

  #end(entry: Entry<Input, Output>, state: JobState): void {
    const { job } = entry;
    job.state = state;
    job.ended = new Date().toISOString();
    delete job.progress;
    entry.input = undefined;
    this.#ended.add(entry);
    entry.timer = setTimeout(() => this.#forget(entry), this.#limits.keepSeconds * 1000);
    entry.timer.unref();
    const [oldest] = this.#ended;
    if (this.#ended.size > this.#limits.maxEnded && oldest) this.#forget(oldest);
    entry.changes.announce();
  }

  #forget(entry: Entry<Input, Output>): void {
    clearTimeout(entry.timer);
    if (!this.#entries.delete(entry.job.id)) return;
    this.#ended.delete(entry);
    if (entry.key !== undefined) this.#byKey.delete(entry.key);
    this.#bytes -= entry.bytes;
  }
}
