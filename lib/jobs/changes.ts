import { onAbort } from '../abort.js';
import { isFinal, type Job } from './types.js';

/** The changes of one job, and the readers that wait for the next change. */
export class JobChanges {
  #count = 0;
  readonly #listeners = new Set<() => void>();

  /** Wakes all waiting readers. */
  announce(): void {
    this.#count++;
    for (const wake of [...this.#listeners]) wake();
  }

  /** Yields the job now and after each change, until it has ended or the signal aborts. A slow reader skips changes. */
  async *follow(read: () => Job, signal?: AbortSignal): AsyncGenerator<Job, void, undefined> {
    let seen = -1;
    while (!signal?.aborted) {
      if (seen === this.#count) {
        await this.#next(signal);
        continue;
      }
      seen = this.#count;
      const job = read();
      yield job;
      if (isFinal(job.state)) return;
    }
  }

  #next(signal: AbortSignal | undefined): Promise<void> {
    return new Promise((resolve) => {
      let remove = () => {};
      const wake = () => {
        this.#listeners.delete(wake);
        remove();
        resolve();
      };
      this.#listeners.add(wake);
      if (signal) remove = onAbort(signal, wake);
    });
  }
}
