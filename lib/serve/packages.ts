// Optional peer dependencies of the service. They are loaded when a service is created.
import { packageMissing } from '../package-missing.js';

/** Packages with their tested major versions. */
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
 * Refuses to start if a package is missing. The error has one command that installs all missing packages.
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

/** Loads a package whose presence {@link checkPackages} has checked. */
export const peer = <Name extends keyof Modules>(name: Name): Modules[Name] => require(name) as Modules[Name];
