import { types } from 'node:util';

/**
 * Calls `fail` with the reason if a listener returned a promise, as an async function does, and it rejects. The promise is not
 * waited for.
 */
export function watchListener(returned: unknown, fail: (error: unknown) => void): void {
  if (types.isPromise(returned)) returned.catch(fail);
}

/**
 * Runs work that reports to a function of the caller of the library. An error that the function throws reaches the work. If a
 * promise that it returns rejects, the work's signal aborts with that error.
 *
 * @param work gets the function to report with, and the signal that it has to observe.
 */
export function withListener<Report, Result>(
  listener: ((report: Report) => unknown) | undefined,
  signal: AbortSignal | undefined,
  work: (report: (value: Report) => void, signal: AbortSignal | undefined) => Promise<Result>,
): Promise<Result> {
  if (!listener) return work(() => {}, signal);
  const failed = new AbortController();
  const report = (value: Report) => watchListener(listener(value), (error) => failed.abort(error));
  return work(report, signal ? AbortSignal.any([signal, failed.signal]) : failed.signal);
}
