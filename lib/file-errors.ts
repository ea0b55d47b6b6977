import { types } from 'node:util';
import { defined } from './defined.js';
import { CellrouteError } from './errors.js';

/** The error for a file that cannot be read. */
export const cannotRead = (file: string, reason: string, cause?: unknown): CellrouteError =>
  new CellrouteError('FILE_UNREADABLE', `${file}: ${reason}`, { file }, defined({ cause }));

/** The error for a file that cannot be written. */
export const cannotWrite = (file: string, reason: string, cause?: unknown): CellrouteError =>
  new CellrouteError('FILE_UNWRITABLE', `${file}: ${reason}`, { file }, defined({ cause }));

/** For `catch`: turns an error of the file system into FILE_UNREADABLE; an abort rejects with the signal's reason. */
export const unreadable =
  (file: string, signal?: AbortSignal) =>
  (cause: unknown): never => {
    signal?.throwIfAborted();
    throw cause instanceof CellrouteError ? cause : cannotRead(file, reasonOf(cause, file), cause);
  };

/** For `catch`: turns an error of the file system into FILE_UNWRITABLE. */
export const unwritable =
  (file: string) =>
  (cause: unknown): never => {
    throw cause instanceof CellrouteError ? cause : cannotWrite(file, reasonOf(cause, file), cause);
  };

/** Frequent errors of the file system in words, in place of `ENOENT: no such file or directory, stat 'a.png'`. */
const REASONS: Readonly<Record<string, string>> = {
  ENOENT: 'there is no such file or folder',
  EACCES: 'permission denied',
  EISDIR: 'it is a folder, and a file is expected',
  ENOTDIR: 'a part of its path is not a folder',
  ENOSPC: 'no space is left on the disk',
  EROFS: 'the file system is read-only',
};

function reasonOf(cause: unknown, file: string): string {
  if (!types.isNativeError(cause)) return String(cause);
  const { code = '', path } = cause as NodeJS.ErrnoException;
  if (!Object.hasOwn(REASONS, code)) return cause.message;
  // The failed call may be about another file than the one that is reported.
  return `${REASONS[code]}${path === undefined || path === file ? '' : `: ${path}`}`;
}
