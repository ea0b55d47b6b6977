/** The process that has locked a folder. */
export interface LockOwner {
  pid: number;
  host: string;
  /** Start of its command line, without folders. */
  program: string;
  /** ISO 8601. */
  since: string;
}

/** A value that was refused. */
export interface ValueDetails {
  /** The option or argument, with its path: `tiles.size`, `images[3].masks`; on the command line the flag. */
  option?: string;
  /** Expected value, as in the message. */
  expected?: string;
  /** Received value, shortened, with its type. */
  got?: string;
}

/** A value that was refused, completely described. */
export interface LimitDetails extends ValueDetails {
  expected: string;
  got: string;
}

/** A position in a file or a text. */
export interface FileDetails {
  /** Path of the file or folder. */
  file: string;
  /** Byte offset in `file`, or character index in a text, where reading stopped. From 0. */
  position?: number;
}

/** An image that cannot be used. */
export interface ImageDetails extends ValueDetails, Partial<FileDetails> {
  /** Ids of the images of a data set. */
  images?: readonly string[];
}

/** Masks, or another argument, that cannot be used. */
export interface MaskDetails extends ImageDetails {
  /** Index of the mask among those of the call. */
  mask?: number;
}

/** No details. */
export type NoDetails = Record<string, never>;

/**
 * The error codes, each with the details that its errors have. An optional property may be absent. New codes may be
 * added in any minor version. The first sentences are the table in docs/troubleshooting.md.
 */
export interface ErrorDetailsByCode {
  /** an option has the wrong type or is out of range */
  INVALID_ARGUMENT: MaskDetails;
  /** a network or training configuration is invalid */
  INVALID_CONFIG: ValueDetails & Partial<FileDetails>;
  /** the network was disposed before or during the call */
  DISPOSED: NoDetails;
  /** too many calls are waiting, or their pixels exceed the limit of the queue */
  BUSY: ValueDetails;
  /** the file is damaged or not an image */
  IMAGE_UNREADABLE: ImageDetails;
  /** a format, sample type or channel layout that is not supported */
  IMAGE_UNSUPPORTED: ImageDetails;
  /** the image exceeds a limit on side, pixels, bytes or compression ratio */
  IMAGE_TOO_LARGE: ImageDetails & LimitDetails;
  /** a file or folder is missing or cannot be read */
  FILE_UNREADABLE: FileDetails & ImageDetails;
  /** a file cannot be written, or exists and was not written by cellroute */
  FILE_UNWRITABLE: FileDetails & ValueDetails;
  /** the file is not a known weights format */
  WEIGHTS_FORMAT: FileDetails;
  /** the weights file is truncated or inconsistent */
  WEIGHTS_DAMAGED: FileDetails;
  /** a pickle contains a call that is not needed for tensors */
  WEIGHTS_REFUSED: FileDetails;
  /** the tensors do not fit the network */
  WEIGHTS_MISMATCH: FileDetails & ValueDetails;
  /** a run-length encoding is invalid, or does not fit the image */
  RLE_MALFORMED: MaskDetails;
  /** a data set cannot be read */
  DATA_INVALID: ImageDetails;
  /** the ensemble has no segmenter for the predicted type */
  NO_SEGMENTER: LimitDetails;
  /** classes and segmenters do not match, or `ensemble.json` is invalid */
  ENSEMBLE_INVALID: ValueDetails & Partial<FileDetails>;
  /** a loss or gradient is not finite or grew suddenly */
  TRAINING_DIVERGED: {
    /** Step of the run, from 1. */
    step: number;
    /** Ids of the images of the step. */
    images: readonly string[];
    /** The last checkpoint before, if there is one. */
    file?: string;
  };
  /** the run folder belongs to a run with other data or settings */
  RESUME_REFUSED: { file: string };
  /** another process writes to the folder */
  RUN_LOCKED: {
    file: string;
    /** Absent if the lock does not contain it. */
    owner?: LockOwner;
  };
  /** an optional package is not installed */
  PACKAGE_MISSING: {
    /** The option that needs the package. */
    option: string;
    /** Name of the package. */
    expected: string;
  };
  /** no job has this id, or it ended long ago and was deleted */
  JOB_NOT_FOUND: ValueDetails;
  /** the key of a job was used before, for another image or other options */
  JOB_CONFLICT: ValueDetails;
  /** the result of a job was requested before the job had ended */
  JOB_UNFINISHED: ValueDetails;
  /** the result of a cancelled job was requested */
  JOB_CANCELLED: NoDetails;
  /** a job is not retried, because its worker ended each time that it ran */
  JOB_ABANDONED: NoDetails;
  /** the Redis server of a job queue cannot be reached, or refuses commands */
  QUEUE_UNAVAILABLE: ValueDetails;
  /** the server that a log is uploaded to cannot be reached, or refuses it */
  UPLOAD_FAILED: FileDetails;
  /** the work on an image took longer than a service allows */
  TIMEOUT: ValueDetails;
  /** there is no addon for this platform, or it was not built */
  ADDON_NOT_FOUND: Partial<FileDetails>;
  /** LibTorch is not installed */
  LIBTORCH_NOT_FOUND: Partial<FileDetails>;
  /** LibTorch has another version than the addon was built for */
  LIBTORCH_MISMATCH: LimitDetails & FileDetails;
  /** the platform, or a precision on this device, is not supported */
  PLATFORM_UNSUPPORTED: LimitDetails;
  /** the GPU cannot be used */
  DEVICE_UNAVAILABLE: NoDetails;
  /** memory is exhausted */
  OUT_OF_MEMORY: Pick<ImageDetails, 'images'>;
  /** an unexpected failure in native code */
  NATIVE_FAILURE: Pick<ImageDetails, 'images'>;
}

/** Code of an error, for comparisons in programs. */
export type ErrorCode = keyof ErrorDetailsByCode;

/** The details of an error whose code is not known: each may be absent. */
export interface ErrorDetails extends MaskDetails {
  /** Step of a training run, from 1. */
  step?: number;
  /** The process that has locked a folder. */
  owner?: LockOwner;
}

/** A {@link CellrouteError} with a code: its details are those of the code. */
export type ErrorWith<Code extends ErrorCode> = Omit<CellrouteError, 'code' | 'details'> & {
  readonly code: Code;
  readonly details: Readonly<ErrorDetailsByCode[Code]>;
};

/** Arguments of an error: the code determines the details. */
type ErrorArguments = {
  [Code in ErrorCode]: Record<string, never> extends ErrorDetailsByCode[Code]
    ? [code: Code, message: string, details?: ErrorDetailsByCode[Code], options?: ErrorOptions]
    : [code: Code, message: string, details: ErrorDetailsByCode[Code], options?: ErrorOptions];
}[ErrorCode];

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

  /** @internal */
  constructor(...[code, message, details, options]: ErrorArguments) {
    super(message, options);
    this.code = code;
    this.details = Object.freeze({ ...details });
  }

  /**
   * The same error with further details and another message; the error itself becomes its cause.
   *
   * @internal
   */
  restated(message: string, details: ErrorDetails): CellrouteError {
    const all = [this.code, message, { ...this.details, ...details }, { cause: this }];
    return new CellrouteError(...(all as ErrorArguments));
  }

  /**
   * Whether a caught value is an error of cellroute. Works for errors of another copy of the package and of another
   * realm too.
   *
   * @param error any caught value.
   */
  static is(error: unknown): error is CellrouteError;
  /**
   * Whether a caught value is an error of cellroute with this code. `error.details` then has the properties of the
   * code, see {@link ErrorDetailsByCode}.
   *
   * @param error any caught value.
   */
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
