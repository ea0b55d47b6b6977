// BullMQ and the client of Redis are optional peer dependencies, loaded when a queue over Redis is created.
import { requirePackages } from '../package-missing.js';

/** Packages with their tested major versions. */
const PACKAGES = { bullmq: '6', ioredis: '5' } as const;

interface Modules {
  bullmq: typeof import('bullmq');
  ioredis: typeof import('ioredis');
}

/**
 * Loads the packages of a queue over Redis.
 *
 * @throws {CellrouteError} PACKAGE_MISSING with one command that installs all missing packages.
 */
export function queuePackages(): Modules {
  requirePackages('A job queue over Redis', PACKAGES, {
    more: '; or use a journal on this machine (journal, --journal)',
  });
  return { bullmq: require('bullmq'), ioredis: require('ioredis') } as Modules;
}
