// A queue in one process, with a journal on disk.
import { checkOptions } from '../check.js';
import { JournalJobStore } from '../jobs/journal-store.js';
import type { JobLimits } from '../jobs/limits.js';
import type { Job, Submission } from '../jobs/types.js';
import { isRetried } from './failure.js';
import { runTask } from './runner.js';
import { SUBMIT_KEYS, whenThereIsRoom } from './submit.js';
import { checkTask, taskDigest } from './task.js';
import type {
  JobCounts,
  JobQueue,
  QueueSubmitOptions,
  SegmentedTask,
  SegmentTask,
  StartedQueueWork,
  StoredTask,
  TaskRunner,
  WorkOptions,
} from './types.js';

export class LocalQueue implements JobQueue {
  readonly name: string;
  readonly #store: JournalJobStore<StoredTask, SegmentedTask>;

  private constructor(name: string, store: JournalJobStore<StoredTask, SegmentedTask>) {
    this.name = name;
    this.#store = store;
  }

  /** @param folder of the journal. */
  static async open(name: string, folder: string, options: JobLimits): Promise<LocalQueue> {
    return new LocalQueue(name, await JournalJobStore.open(folder, options));
  }

  async submit(task: SegmentTask, options: QueueSubmitOptions = {}): Promise<Submission> {
    checkOptions(options, SUBMIT_KEYS);
    const stored = checkTask(task);
    const { key, priority } = options;
    return whenThereIsRoom(options, () =>
      this.#store.submit(stored, {
        ...(key !== undefined && { key, digest: taskDigest(stored) }),
        ...(priority !== undefined && { priority }),
      }),
    );
  }

  get(id: string): Promise<Job> {
    return this.#store.get(id);
  }

  cancel(id: string): Promise<Job> {
    return this.#store.cancel(id);
  }

  retry(id: string): Promise<Job> {
    return this.#store.retry(id);
  }

  events(id: string, options?: { signal?: AbortSignal }): AsyncIterable<Job> {
    return this.#store.events(id, options);
  }

  result(id: string): Promise<SegmentedTask> {
    return this.#store.result(id);
  }

  async counts(): Promise<JobCounts> {
    const { cancelled, ...counts } = this.#store.counts;
    return { ...counts, failed: counts.failed + cancelled };
  }

  async work(runner: TaskRunner, { concurrency }: WorkOptions): Promise<StartedQueueWork> {
    return this.#store.start({
      run: (task, call) => runTask(runner, task, call),
      concurrency,
      retries: isRetried,
    });
  }

  close(): Promise<void> {
    return this.#store.close();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }
}
