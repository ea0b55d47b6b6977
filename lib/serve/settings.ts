import { basename, resolve } from 'node:path';
import type { Registry } from 'prom-client';
import {
  checkBoolean,
  checkKeys,
  checkNumber,
  checkObject,
  checkOptions,
  checkString,
  refuse,
} from '../check.js';
import type { LoadEnsembleOptions, RoutedEnsemble } from '../inference/ensemble.js';
import { starterFolder } from '../inference/ensemble-file.js';
import { checkModelSource } from '../inference/model-source.js';

/** Limits of {@link ServiceOptions}. */
export interface ServiceLimits {
  /** Maximum bytes of an uploaded image, 1 to 2 GiB; default 64 MiB. */
  bytes?: number | undefined;
  /** Maximum pixels of an image, checked before it is decoded; 1 to 1e9, default 1e8. */
  pixels?: number | undefined;
  /** Maximum seconds per request, from its headers to its result, and per job; 1 to 86,400, default 120. */
  seconds?: number | undefined;
  /** Maximum requests with an image in flight, 1 to 100,000; default 256. Others get status 429. */
  requests?: number | undefined;
  /** Maximum bytes of the uploaded images of all requests; default 1 GiB. Others get status 429. */
  heldBytes?: number | undefined;
  /** Maximum waiting jobs, 0 to 1,000,000; default 256. Others get status 429. */
  jobs?: number | undefined;
}

/** Options of a service, for {@link cellroutePlugin} and {@link startServer}. */
export interface ServiceOptions extends Pick<LoadEnsembleOptions, 'precision' | 'device'> {
  /** Path of a model, as for {@link RoutedEnsemble.load}, which the service loads and disposes. Default: the starter ensemble. */
  model?: string | undefined;
  /** A loaded ensemble in place of `model`. The service does not dispose it. */
  ensemble?: RoutedEnsemble | undefined;
  /**
   * Bearer token that requests need, at least 16 characters without spaces. Default: none. The page, the probes and the
   * OpenAPI document need no token.
   */
  token?: string | undefined;
  /**
   * Allowed values of the Host header, without port. They protect a service on the visitor's machine from websites that resolve
   * their own name to it (DNS rebinding). Default: any.
   */
  hosts?: readonly string[] | undefined;
  limits?: ServiceLimits | undefined;
  /** Registry of prom-client for the metrics. Default: a separate one, with the metrics of the process. */
  registry?: Registry | undefined;
  /** Whether there is a page at `/` to segment an image; default true. */
  page?: boolean | undefined;
  /** Seconds to finish work in flight when the service stops, 0 to 3600; default 30. */
  drainSeconds?: number | undefined;
}

/** Checked {@link ServiceOptions} with defaults. */
export interface ServiceSettings {
  load: LoadEnsembleOptions & { folder: string };
  ensemble: RoutedEnsemble | undefined;
  /** Name of the model: the name of its folder. */
  modelName: string;
  token: string | undefined;
  hosts: readonly string[] | undefined;
  limits: Record<keyof ServiceLimits, number>;
  registry: Registry | undefined;
  page: boolean;
  drainSeconds: number;
}

const SERVICE_KEYS = [
  'model',
  'ensemble',
  'precision',
  'device',
  'token',
  'hosts',
  'limits',
  'registry',
  'page',
  'drainSeconds',
] as const;

const RANGES: Readonly<Record<keyof ServiceLimits, readonly [min: number, max: number, fallback: number]>> = {
  bytes: [1, 2 ** 31, 64 * 2 ** 20],
  pixels: [1, 1e9, 1e8],
  seconds: [1, 86_400, 120],
  requests: [1, 100_000, 256],
  heldBytes: [1, 2 ** 40, 2 ** 30],
  jobs: [0, 1_000_000, 256],
};
export const LIMIT_NAMES = Object.keys(RANGES) as (keyof ServiceLimits)[];

/** Range and default of a limit. */
export const limitRange = (name: keyof ServiceLimits) => RANGES[name];

/** @throws {CellrouteError} INVALID_ARGUMENT */
export function checkServiceOptions(options: ServiceOptions): ServiceSettings {
  checkOptions(options, SERVICE_KEYS);
  const { model, ensemble, precision, device, token, hosts, registry } = options;
  checkModelSource(options);
  // Not shown in the error.
  if (token !== undefined && !/^[\x21-\x7e]{16,1024}$/.test(checkString('token', token))) {
    throw refuse('token', '16 to 1024 printable characters without spaces', `${token.length} characters`);
  }
  if (hosts !== undefined && !(Array.isArray(hosts) && hosts.every((host) => typeof host === 'string'))) {
    throw refuse('hosts', 'a list of host names', hosts);
  }
  if (registry !== undefined && typeof registry.registerMetric !== 'function') {
    throw refuse('registry', 'a Registry of prom-client', registry);
  }
  const folder = model ?? starterFolder;
  return {
    load: {
      folder,
      ...(precision !== undefined && { precision }),
      ...(device !== undefined && { device }),
    },
    ensemble,
    modelName: ensemble ? 'ensemble' : basename(resolve(folder)),
    token,
    hosts: hosts?.map((host) => host.toLowerCase()),
    limits: checkServiceLimits(options.limits),
    registry,
    page: checkBoolean('page', options.page ?? true),
    drainSeconds: checkNumber('drainSeconds', options.drainSeconds ?? 30, { min: 0, max: 3600 }),
  };
}

function checkServiceLimits(limits: ServiceLimits = {}): ServiceSettings['limits'] {
  checkKeys('limits', checkObject('limits', limits), LIMIT_NAMES);
  return Object.fromEntries(
    LIMIT_NAMES.map((name) => {
      const [min, max, fallback] = RANGES[name];
      return [name, checkNumber(`limits.${name}`, limits[name] ?? fallback, { min, max })];
    }),
  ) as ServiceSettings['limits'];
}
