// BullMQ and the client of Redis are optional peers: loaded when a queue over Redis is made.
import { requirePackages } from '../package-missing.js';

/** With the versions that are tested. */
const PACKAGES = { bullmq: '6', ioredis: '5' } as const;

interface Modules {
  bullmq: typeof import('bullmq');
  ioredis: typeof import('ioredis');
}

/**
 * The packages of a queue over Redis.
 *
 * @throws {CellrouteError} PACKAGE_MISSING with one command that installs what is missing.
 */
export function queuePackages(): Modules {
  requirePackages('A job queue over Redis', PACKAGES, {
    more: '; or use a journal on this machine (journal, --journal)',
  });
  return { bullmq: require('bullmq'), ioredis: require('ioredis') } as Modules;
}
