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
import { type LoadEnsembleOptions, RoutedEnsemble } from '../inference/ensemble.js';
import { starterFolder } from '../inference/ensemble-file.js';

/** Limits of {@link ServiceOptions}. */
export interface ServiceLimits {
  /** Bytes of an uploaded image, 1 to 2 GiB; default 64 MiB. */
  bytes?: number;
  /** Pixels of an image, read from its header before it is decoded; 1 to 1e9, default 1e8. */
  pixels?: number;
  /** Seconds from the headers of a request until its result, 1 to 86,400; default 120. Jobs have as many for their work. */
  seconds?: number;
  /** Requests that send or wait for an image, 1 to 100,000; default 256. More are answered 429. */
  requests?: number;
  /** Bytes of the uploaded images of all requests together; default 1 GiB. More are answered 429. */
  heldBytes?: number;
  /** Jobs that wait, 0 to 1,000,000; default 256. More are answered 429. */
  jobs?: number;
}

/** Options of a service, for {@link cellroutePlugin} and {@link startServer}. */
export interface ServiceOptions extends Pick<LoadEnsembleOptions, 'precision' | 'device'> {
  /** Path of a model, as for {@link RoutedEnsemble.load}, which the service loads and disposes. Default: the starter ensemble. */
  model?: string;
  /** A loaded ensemble instead, which stays the caller's. */
  ensemble?: RoutedEnsemble;
  /**
   * Bearer token that requests need, at least 16 characters without spaces. Default: none. The page, the probes and the
   * OpenAPI document need no token.
   */
  token?: string;
  /**
   * Values of the Host header that are answered, without port. They keep a website from reaching a service on the
   * visitor's machine under a name of its own (DNS rebinding). Default: any.
   */
  hosts?: readonly string[];
  limits?: ServiceLimits;
  /** Registry of prom-client that metrics are added to. Default: one of the service, with the process's metrics. */
  registry?: Registry;
  /** Whether `/` is a page where an image can be dropped; default true. */
  page?: boolean;
  /** Seconds that work in flight has when the service stops, 0 to 3600; default 30. */
  drainSeconds?: number;
}

/** {@link ServiceOptions} with defaults, checked. */
export interface ServiceSettings {
  load: LoadEnsembleOptions & { folder: string };
  ensemble: RoutedEnsemble | undefined;
  /** Name of the model: its folder's. */
  modelName: string;
  token: string | undefined;
  hosts: readonly string[] | undefined;
  limits: Required<ServiceLimits>;
  registry: Registry | undefined;
  page: boolean;
  drainSeconds: number;
}

export const SERVICE_KEYS = [
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
  if (ensemble !== undefined && !(ensemble instanceof RoutedEnsemble)) {
    throw refuse('ensemble', 'a RoutedEnsemble', ensemble);
  }
  if (ensemble !== undefined) {
    for (const key of ['model', 'precision', 'device'] as const) {
      if (options[key] !== undefined)
        throw refuse(key, 'nothing, as ensemble is loaded already', options[key]);
    }
  }
  if (model !== undefined) checkString('model', model);
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

function checkServiceLimits(limits: ServiceLimits = {}): Required<ServiceLimits> {
  checkKeys('limits', checkObject('limits', limits), LIMIT_NAMES);
  return Object.fromEntries(
    LIMIT_NAMES.map((name) => {
      const [min, max, fallback] = RANGES[name];
      return [name, checkNumber(`limits.${name}`, limits[name] ?? fallback, { min, max })];
    }),
  ) as Record<keyof ServiceLimits, number>;
}
