// The packages that the service is made of. They are optional peers: loaded when a service is made.
import { packageMissing } from '../package-missing.js';

/** With the versions that are tested. */
const PACKAGES = {
  fastify: '5',
  '@fastify/multipart': '10',
  '@fastify/swagger': '9',
  'prom-client': '15',
} as const;

interface Modules {
  fastify: typeof import('fastify');
  '@fastify/multipart': typeof import('@fastify/multipart');
  '@fastify/swagger': typeof import('@fastify/swagger');
  'prom-client': typeof import('prom-client');
}

/**
 * Refuses to start where any package is missing, with one command that installs all of them.
 *
 * @throws {CellrouteError} PACKAGE_MISSING
 */
export function checkPackages(what: string): void {
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
  if (missing.length > 0) throw packageMissing(what, missing, { cause });
}

/** A package that {@link checkPackages} has found. */
export const peer = <Name extends keyof Modules>(name: Name): Modules[Name] => require(name) as Modules[Name];
