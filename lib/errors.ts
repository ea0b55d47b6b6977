/** What went wrong, as a word a program can compare. New codes may be added in any minor version. */
export type ErrorCode =
  // The caller's values
  | 'INVALID_ARGUMENT'
  | 'INVALID_CONFIG'
  | 'DISPOSED'
  // Images
  | 'IMAGE_UNREADABLE'
  | 'IMAGE_UNSUPPORTED'
  | 'IMAGE_TOO_LARGE'
  // Files of weights
  | 'FILE_UNREADABLE'
  | 'FILE_UNWRITABLE'
  | 'WEIGHTS_FORMAT'
  | 'WEIGHTS_DAMAGED'
  | 'WEIGHTS_REFUSED'
  | 'WEIGHTS_MISMATCH'
  // Masks
  | 'RLE_MALFORMED'
  // Data sets
  | 'DATA_INVALID'
  // Routing
  | 'NO_SEGMENTER'
  | 'ENSEMBLE_INVALID'
  // Training
  | 'TRAINING_DIVERGED'
  | 'RESUME_REFUSED'
  | 'RUN_LOCKED'
  | 'PACKAGE_MISSING'
  // The addon and LibTorch
  | 'ADDON_NOT_FOUND'
  | 'LIBTORCH_NOT_FOUND'
  | 'LIBTORCH_MISMATCH'
  | 'PLATFORM_UNSUPPORTED'
  | 'DEVICE_UNAVAILABLE'
  | 'OUT_OF_MEMORY'
  | 'NATIVE_FAILURE';

/** The process that has locked a folder. */
export interface LockOwner {
  pid: number;
  host: string;
  /** The beginning of its command line, without folders. */
  program: string;
  /** ISO 8601. */
  since: string;
}

/** Where a refusal happened: which option or file, what was expected there, what came instead. */
export interface ErrorDetails {
  option?: string;
  expected?: string;
  got?: string;
  file?: string;
  /** Byte offset in `file`, or character index in a text, where reading stopped. */
  position?: number;
  /** Step of a training run, from 1, and the ids of the images it was made of. */
  step?: number;
  images?: readonly string[];
  /** Of RUN_LOCKED: who has the folder; absent if the lock does not say. */
  owner?: LockOwner;
}

/** Every error cellroute throws or rejects with, but for an abort, which rejects with `signal.reason`. */
export class CellrouteError extends Error {
  override readonly name = 'CellrouteError';
  readonly code: ErrorCode;
  readonly details: Readonly<ErrorDetails>;

  constructor(code: ErrorCode, message: string, details: ErrorDetails = {}, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
    this.details = Object.freeze({ ...details });
  }
}
