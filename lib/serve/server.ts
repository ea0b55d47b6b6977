// A server of its own around the plugin.
import type { FastifyInstance } from 'fastify';
import { checkBoolean, checkNumber, checkString, refuse } from '../check.js';
import { checkPackages, peer } from './packages.js';
import { type CellrouteService, cellroutePlugin } from './plugin.js';
import { HttpProblem, PROBLEM_TYPE, problemOf } from './problem.js';
import { checkServiceOptions, type ServiceOptions } from './settings.js';

/** Options of {@link startServer}. */
export interface ServerOptions extends ServiceOptions {
  /** Port, 0 to 65535; 0 takes a free one. Default 8080. */
  port?: number;
  /** Address that is listened on; default `127.0.0.1`, which only this machine reaches. */
  host?: string;
  /** Allows an address that other machines reach without a token. Default false. */
  allowAnonymous?: boolean;
  /** Whether requests and errors are logged on stderr, as lines of JSON. Default false. */
  log?: boolean;
}

/** A running server. */
export interface RunningServer {
  /** Such as `http://127.0.0.1:8080`. */
  readonly url: string;
  readonly service: CellrouteService;
  /** Takes no more images, finishes what is in flight within `drainSeconds`, and ends the server. */
  close(): Promise<void>;
}

/** Milliseconds that clients have to read their answers after the work is done. */
const PATIENCE_MS = 5000;

const LOOPBACK = ['127.0.0.1', 'localhost', '::1'];

/**
 * Starts an HTTP server with the routes of {@link cellroutePlugin}. It listens at once and answers 503 until the model is
 * loaded (`service.ready`).
 *
 * ```ts
 * const server = await startServer({ model: 'my-ensemble', port: 8080 });
 * await server.service.ready;
 * process.once('SIGTERM', () => server.close());
 * ```
 *
 * @throws {CellrouteError} PACKAGE_MISSING with the install command; INVALID_ARGUMENT, also for an address that other
 *   machines reach without a token. The errors of the system where the address cannot be listened on.
 */
export async function startServer(options: ServerOptions = {}): Promise<RunningServer> {
  const { port = 8080, host = '127.0.0.1', allowAnonymous = false, log = false, ...own } = options;
  checkPackages('cellroute serve');
  checkNumber('port', port, { min: 0, max: 65_535, integer: true });
  checkString('host', host);
  checkBoolean('allowAnonymous', allowAnonymous);
  checkBoolean('log', log);
  const isLocal = LOOPBACK.includes(host);
  if (!isLocal && own.token === undefined && !allowAnonymous) {
    throw refuse('token', `a token, as other machines reach ${host}, or allowAnonymous: true`, undefined);
  }
  const hosts = own.hosts ?? (isLocal ? ['127.0.0.1', 'localhost', '[::1]'] : undefined);
  const settings = { ...own, ...(hosts && { hosts }) };
  const { limits } = checkServiceOptions(settings);
  const app: FastifyInstance = peer('fastify').fastify({
    logger: log && { stream: process.stderr },
    // Headers and body; an upload has the service's own limit, which answers.
    requestTimeout: (limits.seconds + 10) * 1000,
    // A silent connection is closed: longer than any work may take.
    connectionTimeout: (limits.seconds + 60) * 1000,
    // While draining, routes answer themselves.
    return503OnClosing: false,
    clientErrorHandler(error, socket) {
      if (!socket.writable) return void socket.destroy(error);
      const { problem } = problemOf(malformed(error), 1);
      const body = JSON.stringify(problem);
      socket.end(
        `HTTP/1.1 ${problem.status} ${problem.title}\r\nContent-Type: ${PROBLEM_TYPE}\r\nContent-Length: ${Buffer.byteLength(body)}\r\nConnection: close\r\n\r\n${body}`,
      );
    },
  });
  app.setNotFoundHandler(async (request) => {
    throw new HttpProblem('NOT_FOUND', `There is nothing at ${request.method} ${request.url.slice(0, 200)}.`);
  });
  app.setErrorHandler((error, request, reply) => {
    const { problem, headers, internal } = problemOf(error, 1);
    if (internal) request.log.error(error);
    return reply.code(problem.status).headers(headers).type(PROBLEM_TYPE).send(problem);
  });
  let service!: CellrouteService;
  await app.register(cellroutePlugin, {
    ...settings,
    onService: (started) => {
      service = started;
    },
  });
  let url: string;
  try {
    url = await app.listen({ port, host });
  } catch (error) {
    await app.close();
    throw error;
  }
  return {
    url,
    service,
    async close() {
      // Before the server stops to listen, so that probes see it and results are fetched.
      await service.drain();
      const closing = app.close();
      // Connections that answers have left open, and clients that do not read theirs.
      const idle = setInterval(() => app.server.closeIdleConnections(), 50);
      const late = setTimeout(() => app.server.closeAllConnections(), PATIENCE_MS);
      try {
        await closing;
      } finally {
        clearInterval(idle);
        clearTimeout(late);
      }
    },
  };
}

/** What Node's parser has refused. */
function malformed(error: Error & { code?: string }): HttpProblem {
  if (error.code === 'HPE_HEADER_OVERFLOW')
    return new HttpProblem('HEADERS_TOO_LARGE', 'The headers have more than 16 KiB.');
  if (error.code === 'ERR_HTTP_REQUEST_TIMEOUT')
    return new HttpProblem('REQUEST_TIMEOUT', 'The request did not arrive in time.');
  return new HttpProblem('BAD_REQUEST', 'The request is no HTTP/1.1.');
}
