// Changes of a job as server-sent events.
import { endIterator } from '../abort.js';
import type { Job } from '../jobs/types.js';

/** Milliseconds without an event after which a comment is sent, because proxies close idle connections. */
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
      const found = await withTimeout(next, silence);
      if (found === undefined) {
        yield ': waiting\n\n';
        continue;
      }
      if (found.done) return;
      // JSON.stringify writes no line breaks.
      yield `event: job\nid: ${id++}\ndata: ${JSON.stringify(found.value)}\n\n`;
      next = iterator.next();
    }
  } finally {
    endIterator(iterator);
  }
}

/** The value of a promise; undefined after this number of milliseconds. The timer is cleared, also if the promise rejects. */
async function withTimeout<T>(promise: Promise<T>, milliseconds: number): Promise<T | undefined> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<undefined>((resolve) => {
    timer = setTimeout(() => resolve(undefined), milliseconds);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}
