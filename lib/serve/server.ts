// A standalone server with the plugin.
import type { FastifyInstance } from 'fastify';
import { checkBoolean, checkNumber, checkObject, checkString } from '../check.js';
import { CellrouteError } from '../errors.js';
import { checkPackages, peer } from './packages.js';
import { type CellrouteService, cellroutePlugin } from './plugin.js';
import { HttpProblem, PROBLEM_TYPE, problemOf } from './problem.js';
import { checkServiceOptions, type ServiceOptions } from './settings.js';

/** Options of {@link startServer}. */
export interface ServerOptions extends ServiceOptions {
  /** Port, 0 to 65535; 0 selects a free one. Default 8080. */
  port?: number | undefined;
  /** Address to listen on. Default `127.0.0.1`, which only this machine can reach. */
  host?: string | undefined;
  /** Allows requests of other machines without a token. Default false. */
  allowAnonymous?: boolean | undefined;
  /** Whether requests and errors are logged on stderr, as lines of JSON. Default false. */
  log?: boolean | undefined;
}

/** A running server. */
export interface RunningServer {
  /** Address of the server, such as `http://127.0.0.1:8080`. */
  readonly url: string;
  readonly service: CellrouteService;
  /** Refuses new images, finishes work in flight within `drainSeconds`, and closes the server. */
  close(): Promise<void>;
}

/** Milliseconds for clients to read their responses after the work is finished. */
const RESPONSE_TIMEOUT_MS = 5000;

const LOOPBACK = ['127.0.0.1', 'localhost', '::1'];

/**
 * Starts an HTTP server with the routes of {@link cellroutePlugin}. It listens immediately and responds with status 503 until
 * the model is loaded (`service.ready`).
 *
 * ```ts
 * const server = await startServer({ model: 'my-ensemble', port: 8080 });
 * await server.service.ready;
 * process.once('SIGTERM', () => server.close());
 * ```
 *
 * @throws {CellrouteError} PACKAGE_MISSING with the install command; INVALID_ARGUMENT, also if other machines could send
 *   requests without a token. System errors such as EADDRINUSE are passed on.
 */
export async function startServer(options: ServerOptions = {}): Promise<RunningServer> {
  checkObject('options', options);
  const { port = 8080, host = '127.0.0.1', allowAnonymous = false, log = false, ...own } = options;
  checkPackages('cellroute serve');
  checkNumber('port', port, { min: 0, max: 65_535, integer: true });
  checkString('host', host);
  checkBoolean('allowAnonymous', allowAnonymous);
  checkBoolean('log', log);
  const isLocal = LOOPBACK.includes(host);
  if (!isLocal && own.token === undefined && !allowAnonymous) {
    throw new CellrouteError(
      'INVALID_ARGUMENT',
      `Other machines reach ${host}: pass a token (--token-file FILE or CELLROUTE_SERVE_TOKEN), or allowAnonymous: true (--allow-anonymous)`,
      { option: 'token', expected: 'a token, or allowAnonymous: true', got: 'undefined' },
    );
  }
  const hosts = own.hosts ?? (isLocal ? ['127.0.0.1', 'localhost', '[::1]'] : undefined);
  const settings = { ...own, ...(hosts && { hosts }) };
  const { limits } = checkServiceOptions(settings);
  const app: FastifyInstance = peer('fastify').fastify({
    logger: log && { stream: process.stderr },
    // For headers and body. Uploads have a shorter limit of the service, which sends an error response.
    requestTimeout: (limits.seconds + 10) * 1000,
    // Idle connections are closed after a time that is longer than any request may take.
    connectionTimeout: (limits.seconds + 60) * 1000,
    // Routes refuse requests themselves while draining.
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
      // The server still listens meanwhile, so that probes see the state and clients fetch results.
      await service.drain();
      const closing = app.close();
      // Closes kept-alive connections, and later those of clients that do not read their responses.
      const idle = setInterval(() => app.server.closeIdleConnections(), 50);
      const late = setTimeout(() => app.server.closeAllConnections(), RESPONSE_TIMEOUT_MS);
      try {
        await closing;
      } finally {
        clearInterval(idle);
        clearTimeout(late);
      }
    },
  };
}

/** The problem for a request that Node's parser refused. */
function malformed(error: Error & { code?: string }): HttpProblem {
  if (error.code === 'HPE_HEADER_OVERFLOW')
    return new HttpProblem('HEADERS_TOO_LARGE', 'The headers have more than 16 KiB.');
  if (error.code === 'ERR_HTTP_REQUEST_TIMEOUT')
    return new HttpProblem('REQUEST_TIMEOUT', 'The request did not arrive in time.');
  return new HttpProblem('BAD_REQUEST', 'The request is not valid HTTP/1.1.');
}
