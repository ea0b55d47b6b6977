// The connection to Redis.
import type { Redis } from 'ioredis';
import { refuse } from '../check.js';
import { CellrouteError } from '../errors.js';
import { queuePackages } from './packages.js';

/** Milliseconds between attempts to connect again. */
const RECONNECT_MS = 500;

/** Prefix of all keys in Redis. */
export const KEY_PREFIX = 'cellroute';

/** @throws {CellrouteError} INVALID_ARGUMENT */
export function checkRedisUrl(option: string, url: unknown): string {
  const expected = 'a URL such as redis://127.0.0.1:6379, or rediss:// with TLS';
  if (typeof url !== 'string' || !URL.canParse(url)) throw refuse(option, expected, url);
  const { protocol } = new URL(url);
  if (protocol === 'redis:' || protocol === 'rediss:') return url;
  throw refuse(option, expected, protocol);
}

/** Options of every connection. A lost connection is restored, and commands wait for it. */
export const redisOptions = (url: string) => ({
  url,
  maxRetriesPerRequest: null,
  retryStrategy: () => RECONNECT_MS,
  connectionName: 'cellroute',
});

export const unavailable = (reason: string, cause?: unknown) =>
  new CellrouteError('QUEUE_UNAVAILABLE', reason, { option: 'redis' }, { cause });

/**
 * Connects to Redis.
 *
 * @throws {CellrouteError} QUEUE_UNAVAILABLE if it cannot be reached; PACKAGE_MISSING, INVALID_ARGUMENT.
 */
export async function connectRedis(url: string, onError: (error: unknown) => void): Promise<Redis> {
  const { ioredis } = queuePackages();
  const { url: _, ...options } = redisOptions(url);
  const client = new ioredis.Redis(checkRedisUrl('redis', url), { ...options, lazyConnect: true });
  let last: unknown;
  let connected = false;
  client.on('error', (error) => {
    last = error;
    if (connected) onError(error);
  });
  try {
    await client.connect();
    connected = true;
    return client;
  } catch (error) {
    client.disconnect();
    const cause = last ?? error;
    // The URL may contain a password.
    const { host } = new URL(url);
    throw unavailable(`Redis at ${host} cannot be reached: ${(cause as Error).message}`, cause);
  }
}
