// A job's changes as server-sent events.
import type { Job } from '../jobs/types.js';

/** A comment is sent after so many milliseconds without an event: proxies close connections that are silent. */
const SILENCE_MS = 15_000;

/** The text of the events, until the job has ended. */
export async function* eventStream(
  jobs: AsyncIterable<Job>,
  silence = SILENCE_MS,
): AsyncGenerator<string, void, undefined> {
  const iterator = jobs[Symbol.asyncIterator]();
  try {
    let next = iterator.next();
    for (let id = 1; ; ) {
      let timer: NodeJS.Timeout | undefined;
      const quiet = new Promise<'quiet'>((resolve) => {
        timer = setTimeout(() => resolve('quiet'), silence);
      });
      const found = await Promise.race([next, quiet]);
      clearTimeout(timer);
      if (found === 'quiet') {
        yield ': waiting\n\n';
        continue;
      }
      if (found.done) return;
      // JSON has no line breaks of its own.
      yield `event: job\nid: ${id++}\ndata: ${JSON.stringify(found.value)}\n\n`;
      next = iterator.next();
    }
  } finally {
    void iterator.return?.();
  }
}
