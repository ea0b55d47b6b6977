import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import type { SignalOptions } from '../abort.js';
import { checkNumber, checkOptions, checkString } from '../check.js';
import type { Progress } from '../native/job.js';
import { JobChanges } from './changes.js';
import {
  busy,
  failureAsError,
  jobAbandoned,
  jobConflict,
  jobError,
  jobNotFound,
  storeClosed,
  unfinished,
} from './errors.js';
import { damaged, Journal } from './journal.js';
import { type CheckedJobLimits, checkJobLimits, JOB_LIMITS, type JobLimits } from './limits.js';
import {
  countStates,
  isFinal,
  JOB_STATES,
  type Job,
  type JobState,
  type JobStore,
  MAX_ATTEMPTS,
  PRIORITY_RANGE,
  type PrioritySubmitOptions,
  type Submission,
} from './types.js';

/** The work on jobs of a {@link JournalJobStore}. */
export interface JobWork<Input, Output> {
  /** Processes a job. It stops when the signal aborts. */
  run: (
    input: Input,
    options: { signal: AbortSignal; onProgress: (progress: Progress) => void },
  ) => Promise<Output>;
  /** Maximum number of jobs that run at the same time, from 1. */
  concurrency: number;
  /** Whether a job that failed with this error is retried. */
  retries: (error: unknown) => boolean;
}

/** Running work on the jobs of a store. */
export interface StartedWork {
  /** Starts no further jobs and waits for running ones. After this number of seconds they are stopped and wait again. */
  stop(seconds: number): Promise<void>;
}

interface Entry<Input, Output> {
  job: Job;
  readonly input: Input;
  readonly key: string | undefined;
  readonly digest: string | undefined;
  readonly priority: number;
  /** Number of failed attempts. */
  attempts: number;
  /** Number of times that the process ended while the job ran. */
  deaths: number;
  output?: Output | undefined;
  readonly changes: JobChanges;
  /** Resolves when a new job is on disk, until then. */
  saving?: Promise<void> | undefined;
  /** Stops the job while it runs. */
  stop?: AbortController | undefined;
  timer?: NodeJS.Timeout | undefined;
}

/** A record of the journal. Its fields replace those of earlier records of the job. */
type JobRecord<Input, Output> = { id: string } & (
  | { forgotten: true }
  | Partial<Omit<Entry<Input, Output>, 'changes' | 'saving' | 'stop' | 'timer'>>
);

/** Seconds between attempts to write the journal while its disk is full. */
const UNWRITABLE_SECONDS = 1;

/** Reason of an abort after which the job waits again. */
const RETURNED = Symbol('returned');

/** Number of records per known job above which the journal is rewritten. */
const RECORDS_PER_JOB = 8;
const MIN_RECORDS = 1000;

/**
 * Jobs in a folder. They survive the end of the process, also after `kill -9`. One process at a time can open the folder. A job
 * that ran when the process ended runs again; after three such ends it fails with JOB_ABANDONED. Inputs and outputs are
 * JSON.
 */
export class JournalJobStore<Input, Output> implements JobStore<Input, Output> {
  readonly #journal: Journal;
  readonly #limits: CheckedJobLimits;
  /** In the order of submission. */
  readonly #entries = new Map<string, Entry<Input, Output>>();
  readonly #byKey = new Map<string, Entry<Input, Output>>();
  /** In the order of their end. */
  readonly #ended = new Set<Entry<Input, Output>>();
  readonly #working = new Map<Entry<Input, Output>, Promise<void>>();
  #work: JobWork<Input, Output> | undefined;
  #closed = false;

  private constructor(journal: Journal, limits: CheckedJobLimits) {
    this.#journal = journal;
    this.#limits = limits;
  }

  /**
   * Opens the store of a folder, which is created if missing.
   *
   * @throws {CellrouteError} RUN_LOCKED if another process has opened it; INVALID_ARGUMENT, FILE_UNREADABLE,
   *   FILE_UNWRITABLE, DATA_INVALID.
   */
  static async open<Input, Output>(
    folder: string,
    options: JobLimits = {},
  ): Promise<JournalJobStore<Input, Output>> {
    checkString('folder', folder);
    checkOptions(options, JOB_LIMITS);
    const limits = checkJobLimits(options);
    const { journal, records } = await Journal.open(folder);
    const store = new JournalJobStore<Input, Output>(journal, limits);
    try {
      await store.#restore(records as JobRecord<Input, Output>[]);
    } catch (error) {
      await journal.close();
      throw error;
    }
    return store;
  }

  /** Number of known jobs by state. */
  get counts(): Record<JobState, number> {
    return countStates(this.#entries.values());
  }

  /**
   * Resolves when the job is on disk.
   *
   * @throws {CellrouteError} BUSY, JOB_CONFLICT, FILE_UNWRITABLE, DISPOSED.
   */
  async submit(input: Input, options: PrioritySubmitOptions = {}): Promise<Submission> {
    const { key, digest, priority } = checkSubmitOptions(options);
    const known = key === undefined ? undefined : this.#byKey.get(key);
    if (known) {
      if (known.digest !== digest) throw jobConflict(key!, known.job.id);
      await known.saving;
      return { job: { ...known.job }, created: false };
    }
    if (this.#closed) throw storeClosed();
    const { waiting } = this.counts;
    const { maxWaiting } = this.#limits;
    if (waiting >= maxWaiting) throw busy(`${waiting} jobs wait; the limit is maxWaiting ${maxWaiting}`);
    const entry: Entry<Input, Output> = {
      job: { id: randomUUID(), state: 'waiting', submitted: new Date().toISOString() },
      input,
      key,
      digest,
      priority,
      attempts: 0,
      deaths: 0,
      changes: new JobChanges(),
    };
    // The key is registered immediately: two submissions with the same key are one job.
    this.#add(entry);
    entry.saving = this.#journal.append(recordOf(entry));
    try {
      await entry.saving;
    } catch (error) {
      this.#drop(entry);
      throw error;
    }
    entry.saving = undefined;
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
      this.#end(entry, { state: 'cancelled' });
      entry.stop?.abort();
      await this.#changed(entry);
    }
    return { ...entry.job };
  }

  /**
   * Submits a failed or cancelled job again; other jobs do not change. Returns the job afterwards.
   *
   * @throws {CellrouteError} JOB_NOT_FOUND
   */
  async retry(id: string): Promise<Job> {
    const entry = this.#find(id);
    // Its last attempt may not have stopped yet, or its record may not have been written yet.
    if (isFinal(entry.job.state)) await this.#working.get(entry);
    const { state, submitted } = entry.job;
    if (state === 'failed' || state === 'cancelled') {
      this.#ended.delete(entry);
      clearTimeout(entry.timer);
      entry.timer = undefined;
      entry.attempts = 0;
      entry.deaths = 0;
      entry.job = { id, state: 'waiting', submitted };
      await this.#changed(entry);
      this.#startMore();
    }
    return { ...entry.job };
  }

  async *events(id: string, options: SignalOptions = {}): AsyncGenerator<Job, void, undefined> {
    checkOptions(options, ['signal']);
    const { signal } = options;
    const entry = this.#find(id);
    yield* entry.changes.follow(() => ({ ...entry.job }), signal);
  }

  async result(id: string): Promise<Output> {
    const { job, output } = this.#find(id);
    if (job.state === 'done') return output as Output;
    throw job.error ? failureAsError(job.error) : unfinished(job);
  }

  /** Starts to process jobs, waiting ones first. */
  start(work: JobWork<Input, Output>): StartedWork {
    this.#work = work;
    this.#startMore();
    return { stop: (seconds) => this.#stop(seconds) };
  }

  /** Stops the work and closes the journal. Jobs that have not ended wait until the folder is opened again. */
  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    await this.#stop(0);
    for (const { timer } of this.#entries.values()) clearTimeout(timer);
    await this.#journal.close();
  }

  #find(id: string): Entry<Input, Output> {
    const entry = this.#entries.get(id);
    if (entry) return entry;
    throw jobNotFound(id, this.#limits.keepSeconds);
  }

  #add(entry: Entry<Input, Output>): void {
    this.#entries.set(entry.job.id, entry);
    if (entry.key !== undefined) this.#byKey.set(entry.key, entry);
  }

  #drop(entry: Entry<Input, Output>): void {
    clearTimeout(entry.timer);
    this.#entries.delete(entry.job.id);
    this.#ended.delete(entry);
    if (entry.key !== undefined) this.#byKey.delete(entry.key);
  }

  async #restore(records: readonly JobRecord<Input, Output>[]): Promise<void> {
    const known = new Map<string, Entry<Input, Output>>();
    for (const { id, ...record } of records) {
      if ('forgotten' in record) known.delete(id);
      else known.set(id, { ...known.get(id), ...record, changes: new JobChanges() } as Entry<Input, Output>);
    }
    const all = [...known.values()];
    for (const [id, { job }] of known) {
      const isJob = typeof id === 'string' && job?.id === id && JOB_STATES.includes(job.state);
      if (isJob && (!isFinal(job.state) || !Number.isNaN(Date.parse(job.ended ?? '')))) continue;
      throw damaged(this.#journal.path, `Job ${JSON.stringify(id)}`, 'it has no id, state or time');
    }
    for (const entry of all) this.#add(entry);
    const ended = all.filter(({ job }) => isFinal(job.state));
    for (const entry of ended.sort((a, b) => (a.job.ended! < b.job.ended! ? -1 : 1))) this.#keep(entry);
    for (const entry of all.filter(({ job }) => job.state === 'running')) {
      entry.deaths++;
      if (entry.deaths >= MAX_ATTEMPTS) {
        this.#end(entry, { state: 'failed', error: jobAbandoned(entry.deaths) });
      } else this.#wait(entry);
    }
    await this.#journal.rewrite(() => this.#records());
  }

  *#records(): Generator<object, void, undefined> {
    for (const entry of this.#entries.values()) yield recordOf(entry);
  }

  /** The next job: the first submitted one of the highest priority. */
  #next(): Entry<Input, Output> | undefined {
    let next: Entry<Input, Output> | undefined;
    for (const entry of this.#entries.values()) {
      if (entry.job.state !== 'waiting' || entry.saving || entry.timer || this.#working.has(entry)) continue;
      if (!next || entry.priority > next.priority) next = entry;
    }
    return next;
  }

  /** A job during which the process ended runs alone, so that no other job is counted as the cause of the next end. */
  #startMore(): void {
    const work = this.#work;
    if (!work || this.#closed) return;
    while (this.#working.size < work.concurrency) {
      if ([...this.#working.keys()].some(({ deaths }) => deaths > 0)) return;
      const entry = this.#next();
      if (!entry || (entry.deaths > 0 && this.#working.size > 0)) return;
      const running = this.#run(entry, work).finally(() => {
        this.#working.delete(entry);
        this.#startMore();
      });
      this.#working.set(entry, running);
    }
  }

  async #run(entry: Entry<Input, Output>, { run, retries }: JobWork<Input, Output>): Promise<void> {
    const stop = new AbortController();
    entry.stop = stop;
    const { id, submitted } = entry.job;
    entry.job = { id, state: 'running', submitted, started: new Date().toISOString() };
    const onProgress = ({ stage, fraction }: Progress) => {
      if (entry.job.state !== 'running') return;
      entry.job.progress = { stage, fraction };
      entry.changes.announce();
    };
    try {
      // The start is written to disk before the work, because otherwise a crash would not be counted.
      await this.#recorded(entry);
      if (isFinal(entry.job.state)) return;
      stop.signal.throwIfAborted();
      const output = await run(entry.input, { signal: stop.signal, onProgress });
      if (isFinal(entry.job.state)) return;
      this.#end(entry, { state: 'done', output });
    } catch (error) {
      if (isFinal(entry.job.state)) return;
      if (stop.signal.reason === RETURNED) this.#wait(entry);
      else if (++entry.attempts < MAX_ATTEMPTS && retries(error)) {
        this.#wait(entry, this.#limits.retrySeconds * 2 ** (entry.attempts - 1));
      } else this.#end(entry, { state: 'failed', error });
    } finally {
      entry.stop = undefined;
    }
    await this.#recorded(entry);
  }

  #wait(entry: Entry<Input, Output>, seconds = 0): void {
    const { id, submitted } = entry.job;
    entry.job = { id, state: 'waiting', submitted };
    if (seconds > 0) {
      entry.timer = setTimeout(() => {
        entry.timer = undefined;
        this.#startMore();
      }, seconds * 1000);
    }
  }

  #end(
    entry: Entry<Input, Output>,
    { state, output, error }: { state: JobState; output?: Output; error?: unknown },
  ): void {
    const { progress: _, ...job } = entry.job;
    const { code, message } = error === undefined ? { code: '', message: '' } : jobError(error);
    clearTimeout(entry.timer);
    entry.timer = undefined;
    entry.job = {
      ...job,
      state,
      ended: new Date().toISOString(),
      ...(error !== undefined && { error: { code, message } }),
    };
    entry.output = output;
    this.#keep(entry);
  }

  /** Keeps an ended job for the configured time, and deletes the oldest ones if there are too many. */
  #keep(entry: Entry<Input, Output>): void {
    this.#ended.add(entry);
    const seconds = this.#limits.keepSeconds - (Date.now() - Date.parse(entry.job.ended!)) / 1000;
    entry.timer = setTimeout(() => this.#forget(entry), Math.max(0, seconds) * 1000);
    entry.timer.unref();
    const [oldest] = this.#ended;
    if (this.#ended.size > this.#limits.maxEnded && oldest) this.#forget(oldest);
  }

  #forget(entry: Entry<Input, Output>): void {
    this.#drop(entry);
    // If it cannot be written, the job is known again when the folder is opened, and forgotten then.
    this.#journal.append({ id: entry.job.id, forgotten: true }).catch(() => {});
  }

  /** As {@link #changed}, but waits until the journal can be written, because no caller receives an error. */
  async #recorded(entry: Entry<Input, Output>): Promise<void> {
    for (;;) {
      try {
        await this.#changed(entry);
        return;
      } catch {
        // Jobs whose end is not on disk when the store is closed run again.
        if (this.#closed) return;
        await delay(UNWRITABLE_SECONDS * 1000);
      }
    }
  }

  /** @throws {CellrouteError} FILE_UNWRITABLE */
  async #changed(entry: Entry<Input, Output>): Promise<void> {
    const { job, attempts, deaths, output } = entry;
    entry.changes.announce();
    await this.#journal.append({ id: job.id, job, attempts, deaths, output });
    if (this.#journal.lines > MIN_RECORDS + RECORDS_PER_JOB * this.#entries.size) {
      // The record is on disk: if the journal cannot be rewritten, it only stays long until the next change.
      await this.#journal.rewrite(() => this.#records()).catch(() => {});
    }
  }

  async #stop(seconds: number): Promise<void> {
    this.#work = undefined;
    const ended = new AbortController();
    const all = Promise.allSettled(this.#working.values()).then(() => ended.abort());
    await delay(seconds * 1000, undefined, { signal: ended.signal }).catch(() => {});
    for (const { stop } of this.#working.keys()) stop?.abort(RETURNED);
    await all;
  }
}

function checkSubmitOptions(options: PrioritySubmitOptions) {
  checkOptions(options, ['key', 'digest', 'priority']);
  const { key, digest, priority = 0 } = options;
  if (key !== undefined) {
    checkString('key', key);
    checkString('digest', digest);
  }
  return { key, digest, priority: checkNumber('priority', priority, PRIORITY_RANGE) };
}

function recordOf<Input, Output>(entry: Entry<Input, Output>): JobRecord<Input, Output> {
  const { job, input, key, digest, priority, attempts, deaths, output } = entry;
  return { id: job.id, job, input, key, digest, priority, attempts, deaths, output };
}
