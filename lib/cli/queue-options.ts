import type { Command } from 'commander';
import { CellrouteError } from '../errors.js';
import { createQueue } from '../queue/create.js';
import type { S3Options } from '../queue/s3-client.js';
import type { JobQueue } from '../queue/types.js';

/** Options added by {@link withQueue}. */
export interface QueueFlags {
  redis?: string | undefined;
  journal?: string | undefined;
  queue: string;
}

/** Adds the options of every command that opens a queue. */
export const withQueue = (command: Command): Command =>
  command
    .option(
      '--redis <url>',
      'Redis server that has the jobs: redis://127.0.0.1:6379, or rediss:// with TLS (default: CELLROUTE_REDIS_URL, if set)',
    )
    .option('--journal <folder>', 'folder of a journal instead, for one process on this machine')
    .option('--queue <name>', 'name of the queue in Redis; its workers have the same model', 'segment');

/** Options added by {@link withS3}. */
export interface S3Flags {
  s3Endpoint?: string | undefined;
}

/** Adds the options of every command that has `s3:` URLs. */
export const withS3 = (command: Command): Command =>
  command.option(
    '--s3-endpoint <url>',
    'server of s3:// URLs, such as MinIO (default: AWS_ENDPOINT_URL_S3 or AWS_ENDPOINT_URL, if set; else AWS)',
  );

/** The S3 options of the flags. */
export const s3OptionsOf = ({ s3Endpoint: endpoint }: S3Flags): S3Options =>
  endpoint === undefined ? {} : { endpoint };

/** Opens the queue that the flags ask for. A journal overrides the environment variable. */
export async function queueOf({ redis, journal, queue: name }: QueueFlags): Promise<JobQueue> {
  // An empty variable is none.
  const url = redis ?? (journal === undefined ? process.env.CELLROUTE_REDIS_URL || undefined : undefined);
  if (url === undefined && journal === undefined) {
    throw new CellrouteError(
      'INVALID_ARGUMENT',
      'Pass --redis URL or --journal FOLDER, or set the environment variable CELLROUTE_REDIS_URL',
      { option: '--redis', expected: 'a URL, or --journal FOLDER', got: 'undefined' },
    );
  }
  // A lost connection causes the same error repeatedly; each message is printed once.
  let last = '';
  const onError = (error: unknown) => {
    const text = error instanceof Error ? error.message || String(error) : String(error);
    if (text !== last) console.error(`Redis: ${text}; connecting again`);
    last = text;
  };
  return createQueue({
    name,
    onError,
    ...(url !== undefined && { redis: url }),
    ...(journal !== undefined && { journal }),
  });
}
