// Which failures are tried again, and how a failure is written where there is room for one line of text only.
import { CellrouteError, type ErrorCode } from '../errors.js';
import { jobError } from '../jobs/errors.js';
import type { JobFailure } from '../jobs/types.js';

/** What another attempt would not change. */
const PERMANENT: readonly ErrorCode[] = [
  'INVALID_ARGUMENT',
  'INVALID_CONFIG',
  'IMAGE_UNREADABLE',
  'IMAGE_UNSUPPORTED',
  'IMAGE_TOO_LARGE',
  'NO_SEGMENTER',
  'PACKAGE_MISSING',
  'JOB_CANCELLED',
  'JOB_ABANDONED',
];

/** Codes of the system for a file that is not there. */
const NOT_THERE = ['ENOENT', 'ENOTDIR', 'EISDIR', 'ENAMETOOLONG'];

/** Codes of the system for a disk without room. */
const FULL = ['ENOSPC', 'EDQUOT'];

const systemCode = (error: CellrouteError): string =>
  String((error.cause as NodeJS.ErrnoException | undefined)?.code ?? '');

/** Whether a failed job is to be tried again. */
export function isRetried(error: unknown): boolean {
  if (!CellrouteError.is(error)) return true;
  if (error.code === 'FILE_UNREADABLE') return !NOT_THERE.includes(systemCode(error));
  return !PERMANENT.includes(error.code);
}

/** Whether a file could not be written as there is no room. */
export const isFull = (error: unknown): boolean =>
  CellrouteError.is(error, 'FILE_UNWRITABLE') && FULL.includes(systemCode(error as CellrouteError));

/** A failure as one text: `[CODE] message`. */
export function failureText(error: unknown): string {
  const { code, message } = jobError(error);
  const own = code === 'NATIVE_FAILURE' && error instanceof Error ? `${message} (${error.message})` : message;
  return `[${code}] ${own}`;
}

/** The failure of a text; of one that {@link failureText} did not write, NATIVE_FAILURE. */
export function failureIn(text: string): JobFailure {
  const [, code = 'NATIVE_FAILURE', message = text] = /^\[([A-Z_]+)\] (.*)$/s.exec(text) ?? [];
  return { code, message };
}
