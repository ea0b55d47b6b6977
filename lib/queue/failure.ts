// Which failures are retried, and failures as one line of text.
import { CellrouteError, type ErrorCode } from '../errors.js';
import { jobError } from '../jobs/errors.js';
import type { JobFailure } from '../jobs/types.js';

/** Codes of errors that a retry would not change. */
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

/** System error codes for a missing file. */
const MISSING_FILE_CODES = ['ENOENT', 'ENOTDIR', 'EISDIR', 'ENAMETOOLONG'];

/** System error codes for a full disk. */
const FULL_DISK_CODES = ['ENOSPC', 'EDQUOT'];

/** The cause of a failure to read or write what is no file: with the code of the system that means the same. */
export const withSystemCode = (
  code: 'ENOENT' | 'EIO' | 'ENOSPC',
  reason: string,
  cause?: unknown,
): NodeJS.ErrnoException => Object.assign(new Error(reason, cause === undefined ? {} : { cause }), { code });

const systemCode = (error: CellrouteError): string =>
  String((error.cause as NodeJS.ErrnoException | undefined)?.code ?? '');

/** Whether a failed job is retried. */
export function isRetried(error: unknown): boolean {
  if (!CellrouteError.is(error)) return true;
  if (error.code === 'FILE_UNREADABLE') return !MISSING_FILE_CODES.includes(systemCode(error));
  return !PERMANENT.includes(error.code);
}

/** Whether a file could not be written because the disk is full. */
export const isFull = (error: unknown): boolean =>
  CellrouteError.is(error, 'FILE_UNWRITABLE') &&
  FULL_DISK_CODES.includes(systemCode(error as CellrouteError));

/** A failure as one text: `[CODE] message`. */
export function failureText(error: unknown): string {
  const { code, message } = jobError(error);
  const own = code === 'NATIVE_FAILURE' && error instanceof Error ? `${message} (${error.message})` : message;
  return `[${code}] ${own}`;
}

/** Parses the text of {@link failureText}. Any other text is a NATIVE_FAILURE. */
export function failureIn(text: string): JobFailure {
  const [, code = 'NATIVE_FAILURE', message = text] = /^\[([A-Z_]+)\] (.*)$/s.exec(text) ?? [];
  return { code, message };
}
