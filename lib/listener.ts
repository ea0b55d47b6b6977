import { types } from 'node:util';

/**
 * Runs work that reports to a function of the caller of the library. An error that the function throws reaches the work. A
 * promise that it returns, as an async function does, is not waited for: if it rejects, the work's signal aborts with that error.
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
  const report = (value: Report) => {
    const returned = listener(value);
    if (types.isPromise(returned)) returned.catch((error: unknown) => failed.abort(error));
  };
  return work(report, signal ? AbortSignal.any([signal, failed.signal]) : failed.signal);
}
