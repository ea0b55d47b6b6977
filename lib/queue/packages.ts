// BullMQ and the client of Redis are optional peers: loaded when a queue over Redis is made.
import { packageMissing } from '../package-missing.js';

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
  const missing: string[] = [];
  let cause: unknown;
  for (const [name, version] of Object.entries(PACKAGES)) {
    try {
      require.resolve(name);
    } catch (error) {
      cause = error;
      missing.push(`${name}@${version}`);
    }
  }
  if (missing.length > 0) {
    throw packageMissing('A job queue over Redis', missing, {
      more: '; or use a journal on this machine (journal, --journal)',
      cause,
    });
  }
  return { bullmq: require('bullmq'), ioredis: require('ioredis') } as Modules;
}
