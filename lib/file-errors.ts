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
    throw cause instanceof CellrouteError ? cause : cannotRead(file, messageOf(cause), cause);
  };

/** For `catch`: turns an error of the file system into FILE_UNWRITABLE. */
export const unwritable =
  (file: string) =>
  (cause: unknown): never => {
    throw cause instanceof CellrouteError ? cause : cannotWrite(file, messageOf(cause), cause);
  };

const messageOf = (cause: unknown): string => (cause instanceof Error ? cause.message : String(cause));
