// BullMQ, the client of Redis and the AWS SDK are optional peer dependencies, loaded when a queue over Redis or a store in a
// bucket is created.
import { requirePackages } from '../package-missing.js';

/** Packages with their tested major versions. */
const QUEUE_PACKAGES = { bullmq: '6', ioredis: '5' } as const;
const S3_PACKAGES = { '@aws-sdk/client-s3': '3', '@aws-sdk/lib-storage': '3' } as const;

interface QueueModules {
  bullmq: typeof import('bullmq');
  ioredis: typeof import('ioredis');
}

/**
 * Loads the packages of a queue over Redis.
 *
 * @throws {CellrouteError} PACKAGE_MISSING with one command that installs all missing packages.
 */
export function queuePackages(): QueueModules {
  requirePackages('A job queue over Redis', QUEUE_PACKAGES, {
    more: '; or use a journal on this machine (journal, --journal)',
  });
  return { bullmq: require('bullmq'), ioredis: require('ioredis') } as QueueModules;
}

interface S3Modules {
  s3: typeof import('@aws-sdk/client-s3');
  storage: typeof import('@aws-sdk/lib-storage');
}

/**
 * The packages of an object store with the protocol of S3.
 *
 * @throws {CellrouteError} PACKAGE_MISSING with one command that installs what is missing.
 */
export function s3Packages(): S3Modules {
  requirePackages('An S3 object store', S3_PACKAGES);
  return {
    s3: require('@aws-sdk/client-s3'),
    storage: require('@aws-sdk/lib-storage'),
  } as S3Modules;
}
