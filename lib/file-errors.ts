import { CellrouteError } from './errors.js';

/** For `catch`: turns an error of the file system into FILE_UNREADABLE; an abort rejects with the signal's reason. */
export const unreadable = (file: string, signal?: AbortSignal) => fileError('FILE_UNREADABLE', file, signal);

/** For `catch`: turns an error of the file system into FILE_UNWRITABLE. */
export const unwritable = (file: string) => fileError('FILE_UNWRITABLE', file);

const fileError =
  (code: 'FILE_UNREADABLE' | 'FILE_UNWRITABLE', file: string, signal?: AbortSignal) =>
  (cause: unknown): never => {
    signal?.throwIfAborted();
    if (cause instanceof CellrouteError) throw cause;
    throw new CellrouteError(code, `${file}: ${(cause as Error).message}`, { file }, { cause });
  };
