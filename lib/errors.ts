/** What went wrong, as a word a program can compare. New codes may be added in any minor version. */
export type ErrorCode =
  // The caller's values
  | 'INVALID_ARGUMENT'
  | 'INVALID_CONFIG'
  | 'DISPOSED'
  | 'BUSY'
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
  // Jobs
  | 'JOB_NOT_FOUND'
  | 'JOB_CONFLICT'
  | 'JOB_UNFINISHED'
  | 'JOB_CANCELLED'
  | 'TIMEOUT'
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

/** Details that errors of a code always have. */
interface CertainDetails {
  FILE_UNREADABLE: { file: string };
  FILE_UNWRITABLE: { file: string };
  RUN_LOCKED: { file: string };
  NO_SEGMENTER: { expected: string; got: string };
  TRAINING_DIVERGED: { step: number; images: readonly string[] };
}

/** The details of errors with a code: all may be absent but those that the code always has. */
export type DetailsOf<Code extends ErrorCode> = Code extends keyof CertainDetails
  ? ErrorDetails & CertainDetails[Code]
  : ErrorDetails;

/** A {@link CellrouteError} whose code is known. */
export type ErrorWith<Code extends ErrorCode> = CellrouteError & {
  readonly code: Code;
  readonly details: Readonly<DetailsOf<Code>>;
};

/**
 * Every error that cellroute throws or rejects with, except for an abort, which rejects with `signal.reason`.
 *
 * ```ts
 * try {
 *   await ensemble.segment('cells.png');
 * } catch (error) {
 *   if (CellrouteError.is(error, 'FILE_UNREADABLE')) console.error(`cannot read ${error.details.file}`);
 *   else throw error;
 * }
 * ```
 */
export class CellrouteError extends Error {
  override readonly name = 'CellrouteError';
  readonly code: ErrorCode;
  readonly details: Readonly<ErrorDetails>;

  constructor(code: ErrorCode, message: string, details: ErrorDetails = {}, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
    this.details = Object.freeze({ ...details });
  }

  /**
   * Whether a caught value is an error of cellroute, with this code where one is given. Works for errors of another
   * copy of the package and of another realm too.
   */
  static is(error: unknown): error is CellrouteError;
  static is<Code extends ErrorCode>(error: unknown, code: Code): error is ErrorWith<Code>;
  static is(error: unknown, code?: ErrorCode): boolean {
    if (typeof error !== 'object' || error === null) return false;
    const { name, code: own, details } = error as Partial<CellrouteError>;
    return (
      name === 'CellrouteError' &&
      typeof own === 'string' &&
      typeof details === 'object' &&
      (code === undefined || own === code)
    );
  }
}
