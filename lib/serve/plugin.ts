// The routes of the service, as a plugin of Fastify.
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { packageVersion } from '../package-version.js';
import { ServiceMetrics } from './metrics.js';
import { checkPackages, peer } from './packages.js';
import { HttpProblem, PROBLEM_TYPE, problemOf } from './problem.js';
import { routesOf } from './routes.js';
import { SCHEMAS } from './schemas.js';
import { Service } from './service.js';
import { checkServiceOptions, type ServiceOptions, type ServiceSettings } from './settings.js';
import { tokenCheck } from './token.js';

/** The service of an application. It is closed when the application is closed. */
export interface CellrouteService {
  /** Resolves when images are accepted; rejects if the model cannot be loaded. */
  readonly ready: Promise<void>;
  /** `starting`, `ready`, `draining` or `closed`. */
  readonly state: string;
  /** Refuses new images. Resolves when work in flight is finished or `drainSeconds` have passed. */
  drain(): Promise<void>;
}

/** Options of {@link cellroutePlugin}. */
export interface CellroutePluginOptions extends ServiceOptions {
  /** Called with the service as soon as it starts to load. */
  onService?: ((service: CellrouteService) => void) | undefined;
  /** Prefix of all routes; an option of Fastify. */
  prefix?: string | undefined;
}

/**
 * The HTTP service as a plugin of Fastify 5: `POST /v1/segment`, `POST /v1/classify`, `GET /v1/models`, jobs, probes, metrics,
 * `/openapi.json`, and a page at `/`. Parsers, error handler and hooks apply only to these routes.
 * When the application closes, work in flight is finished within `drainSeconds` and the model is disposed.
 *
 * ```ts
 * const app = Fastify();
 * await app.register(cellroutePlugin, { prefix: '/cells', model: 'my-ensemble' });
 * await app.listen({ port: 8080 });
 * ```
 *
 * @throws {CellrouteError} PACKAGE_MISSING with the install command; INVALID_ARGUMENT. A model that cannot be loaded
 *   is logged, and the service stays not ready.
 */
export async function cellroutePlugin(app: FastifyInstance, options: CellroutePluginOptions): Promise<void> {
  checkPackages('cellroute/fastify');
  const { onService, prefix: _prefix, ...own } = options;
  const settings = checkServiceOptions(own);
  let service!: Service;
  const metrics = new ServiceMetrics(settings.registry, () => service);
  service = new Service(settings, {
    stage: (stage, seconds) => metrics.stage(stage, seconds),
    segmented: (result) => metrics.segmented(result),
    error: (error) => app.log.error(error),
  });
  app.addHook('preClose', () => service.drain());
  app.addHook('onClose', () => service.close());
  onService?.({
    ready: service.ready,
    get state() {
      return service.state;
    },
    drain: () => service.drain(),
  });
  await addRoutes(app, service, metrics, settings);
}

async function addRoutes(
  app: FastifyInstance,
  service: Service,
  metrics: ServiceMetrics,
  settings: ServiceSettings,
): Promise<void> {
  await app.register(peer('@fastify/swagger'), {
    decorator: 'cellrouteOpenapi',
    openapi: {
      openapi: '3.1.0',
      info: {
        title: 'cellroute',
        description: 'Finds and outlines every cell in a microscope image.',
        version: packageVersion,
      },
      ...(settings.token !== undefined && {
        components: { securitySchemes: { token: { type: 'http', scheme: 'bearer' } } },
      }),
    },
    refResolver: { buildLocalReference: (json: { $id?: unknown }) => String(json.$id) },
  } as object);
  for (const [name, schema] of Object.entries(SCHEMAS)) app.addSchema({ $id: name, ...schema });
  // The SDK validates queries and names the option in errors. Fastify's validator would drop unknown names silently.
  app.setValidatorCompiler(() => () => true);
  app.setSerializerCompiler(() => (data) => JSON.stringify(data));
  // Bodies are read by the handlers, within their limits of bytes and time.
  app.removeAllContentTypeParsers();
  await app.register(peer('@fastify/multipart'));
  app.addContentTypeParser('*', (_request, _payload, done) => done(null));

  app.setErrorHandler((error, request, reply) => {
    const { problem, headers, internal } = problemOf(error, service.retryAfter);
    if (internal) request.log.error(error);
    // The client has disconnected.
    if (reply.raw.destroyed) return void reply.hijack();
    metrics.rejected(problem.code);
    return reply.code(problem.status).headers(headers).type(PROBLEM_TYPE).send(problem);
  });
  app.addHook('onRequest', async (_request, reply) => {
    reply.headers({ 'x-content-type-options': 'nosniff', 'cache-control': 'no-store' });
  });
  app.addHook('onSend', async (_request, reply) => {
    // A kept-alive connection would delay the shutdown.
    if (service.state !== 'ready' && service.state !== 'starting') reply.header('connection', 'close');
  });
  app.addHook('onResponse', async (request, reply) => {
    const route = request.routeOptions.url ?? 'unknown';
    metrics.request(route, request.method, reply.statusCode, reply.elapsedTime / 1000);
  });

  const checkToken = settings.token === undefined ? undefined : tokenCheck(settings.token);
  const byUrl = new Map<string, string[]>();
  for (const route of routesOf(service, metrics, settings, () => openapiOf(app))) {
    const { method, url, access, summary, query, params, headers, body, response, handler } = route;
    byUrl.set(url, [...(byUrl.get(url) ?? []), method]);
    const needsToken = checkToken && access === 'token';
    app.route({
      method,
      url,
      // Fastify's HEAD route would do all the work of the GET.
      exposeHeadRoute: false,
      schema: {
        summary,
        querystring: query.schema,
        ...(params && { params }),
        ...(headers && { headers }),
        ...(body !== undefined && { body }),
        response,
        ...(needsToken && { security: [{ token: [] }] }),
      },
      onRequest: async (request) => {
        checkOrigin(request, settings);
        if (needsToken) checkToken(request.headers.authorization);
      },
      handler,
    });
  }
  for (const [url, allowed] of byUrl) {
    app.route({
      method: app.supportedMethods.filter((method) => !allowed.includes(method)),
      url,
      schema: { hide: true },
      handler: async (request) => {
        throw new HttpProblem(
          'METHOD_NOT_ALLOWED',
          `Expected ${allowed.join(' or ')} for ${url} but received ${request.method}.`,
          { allow: allowed.join(', ') },
        );
      },
    });
  }
}

/** Refuses requests that a website sends through its visitor's browser. */
function checkOrigin(request: FastifyRequest, { hosts }: ServiceSettings): void {
  const site = request.headers['sec-fetch-site'];
  // Links to the page are allowed.
  if (site === 'cross-site' && request.headers['sec-fetch-mode'] !== 'navigate') {
    throw new HttpProblem('FORBIDDEN', 'Requests of other websites are refused.');
  }
  if (site === 'cross-site' && request.method !== 'GET') {
    throw new HttpProblem('FORBIDDEN', 'Forms of other websites are refused.');
  }
  if (!hosts) return;
  const host = (request.headers.host ?? '').replace(/:\d+$/, '').toLowerCase();
  if (hosts.includes(host)) return;
  throw new HttpProblem(
    'FORBIDDEN',
    `Expected one of ${hosts.join(', ')} in the Host header but received ${JSON.stringify(host.slice(0, 100))}.`,
  );
}

function openapiOf(app: FastifyInstance): object {
  const { cellrouteOpenapi } = app as FastifyInstance & { cellrouteOpenapi: () => object };
  return cellrouteOpenapi();
}
