// What is kept in Redis of a job: references, never pixels.
import type { Job as BullJob } from 'bullmq';
import type { PlannedSlide, SegmentedTask, StoredTask } from './types.js';

export interface JobData {
  task: StoredTask;
  digest: string;
  /** Of the submission that made the job. */
  submission: string;
  /** Of a slide, once it is planned. */
  slide?: PlannedSlide;
  /** Of a row: the job of its slide, and its index. */
  parent?: string;
  row?: number;
}

/** A job of BullMQ; one of a row has no result. */
export type KeptJob = BullJob<JobData, SegmentedTask | null>;
