// Data of a job in Redis: references to images, never pixels.
import type { Job as BullJob } from 'bullmq';
import type { PlannedSlide, SegmentedTask, StoredTask } from './types.js';

export interface JobData {
  task: StoredTask;
  digest: string;
  /** Digest of the submission that created the job. */
  submission: string;
  /** The plan of a slide, once it exists. */
  slide?: PlannedSlide;
  /** For a row of a slide: the job of the slide, and the index of the row. */
  parent?: string;
  row?: number;
}

/** A job of BullMQ. The job of a row has no result. */
export type KeptJob = BullJob<JobData, SegmentedTask | null>;

/** Start of the ids of the jobs for the rows of a plan. */
export const rowPrefix = (id: string, { tiles }: PlannedSlide): string =>
  tiles ? `${id}-row-${tiles.size}-` : `${id}-row-`;
