// Optional peer dependencies of the service. They are loaded when a service is created.
import { requirePackages } from '../package-missing.js';

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

/** @throws {CellrouteError} PACKAGE_MISSING */
export const checkPackages = (what: string): void => requirePackages(what, PACKAGES);

/** Loads a package whose presence {@link checkPackages} has checked. */
export const peer = <Name extends keyof Modules>(name: Name): Modules[Name] => require(name) as Modules[Name];
