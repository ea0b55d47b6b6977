// cellroute/queue: jobs that segment images, over Redis or in one process. BullMQ and the AWS SDK are optional peer
// dependencies.
export type { JobLimits } from './jobs/limits.js';
export type {
  Job,
  JobFailure,
  JobState,
  JobStore,
  PrioritySubmitOptions,
  Submission,
  SubmitOptions,
} from './jobs/types.js';
export { type CreateQueueOptions, createQueue } from './queue/create.js';
export { FileObjects, type ObjectStore } from './queue/objects.js';
export { S3Objects } from './queue/s3.js';
export type { S3Options } from './queue/s3-client.js';
export type {
  JobCounts,
  JobQueue,
  QueueSubmitOptions,
  SegmentedTask,
  SegmentTask,
  TaskSegmentOptions,
} from './queue/types.js';
export { createWorker, QueueWorker, type WorkEvent, type WorkerOptions } from './queue/worker.js';
