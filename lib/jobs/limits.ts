import { checkNumber } from '../check.js';

/** Limits of a store of jobs on disk. */
export interface JobLimits {
  /** Maximum number of waiting jobs, 0 to 1,000,000; default 10,000. More are refused with BUSY. */
  maxWaiting?: number | undefined;
  /** Maximum number of ended jobs that are kept, 1 to 1,000,000; default 10,000. Files of results are not deleted. */
  maxEnded?: number | undefined;
  /** Seconds for which an ended job is kept, 1 to 2,000,000; default 86,400. */
  keepSeconds?: number | undefined;
  /** Seconds until a failed job is retried, doubled after the second attempt; 0 to 3600, default 2. */
  retrySeconds?: number | undefined;
}

/** {@link JobLimits} with defaults. */
export type CheckedJobLimits = Record<keyof JobLimits, number>;

const RANGES: Readonly<
  Record<keyof JobLimits, { fallback: number; min: number; max: number; integer: boolean }>
> = {
  maxWaiting: { fallback: 10_000, min: 0, max: 1_000_000, integer: true },
  maxEnded: { fallback: 10_000, min: 1, max: 1_000_000, integer: true },
  keepSeconds: { fallback: 86_400, min: 1, max: 2_000_000, integer: true },
  retrySeconds: { fallback: 2, min: 0, max: 3600, integer: false },
};

export const JOB_LIMITS = Object.keys(RANGES) as (keyof JobLimits)[];

/** @throws {CellrouteError} INVALID_ARGUMENT */
export const checkJobLimits = (limits: JobLimits): CheckedJobLimits =>
  Object.fromEntries(
    JOB_LIMITS.map((name) => {
      const { fallback, ...range } = RANGES[name];
      return [name, checkNumber(name, limits[name] ?? fallback, range)];
    }),
  ) as CheckedJobLimits;
