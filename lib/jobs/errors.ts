// Errors of all stores of jobs.
import { refuse } from '../check.js';
import { CellrouteError } from '../errors.js';
import type { Job, JobFailure } from './types.js';

export const busy = (reason: string) => new CellrouteError('BUSY', `${reason}. Call again later.`);

export const storeClosed = () => new CellrouteError('DISPOSED', 'This store of jobs was closed.');

export function jobNotFound(id: string, keepSeconds: number): CellrouteError {
  if (typeof id !== 'string') return refuse('id', 'the id of a job', id);
  return new CellrouteError(
    'JOB_NOT_FOUND',
    `There is no job ${JSON.stringify(id.slice(0, 64))}; ended jobs are kept for ${keepSeconds} seconds.`,
    { option: 'id' },
  );
}

export const jobConflict = (key: string, id: string) =>
  new CellrouteError(
    'JOB_CONFLICT',
    `The key ${JSON.stringify(key)} belongs to job ${id}, which was submitted with another image or other options; use a ` +
      'new key for a new request.',
    { option: 'key' },
  );

/** The error for the result of a job that did not fail and has no result. */
export const unfinished = ({ id, state }: Job) =>
  state === 'cancelled'
    ? new CellrouteError('JOB_CANCELLED', `Job ${id} was cancelled.`)
    : new CellrouteError('JOB_UNFINISHED', `Job ${id} is ${state} and has no result yet.`, {
        expected: 'done',
        got: state,
      });

/** Converts an error of a job's work to an error with a code. */
export const jobError = (error: unknown): CellrouteError =>
  CellrouteError.is(error)
    ? error
    : new CellrouteError('NATIVE_FAILURE', 'The job failed by an internal error.', {}, { cause: error });

/** The error of a job that is not retried, because its worker ended each time that it ran. */
export const jobAbandoned = (deaths: number) =>
  new CellrouteError(
    'JOB_ABANDONED',
    `The job is not retried: its worker ended ${deaths} times while it ran, by a crash or because memory ran out.`,
  );

/** Converts a stored failure back to an error, without details. */
export const failureAsError = ({ code, message }: JobFailure) =>
  new CellrouteError(...([code, message, {}] as ConstructorParameters<typeof CellrouteError>));
