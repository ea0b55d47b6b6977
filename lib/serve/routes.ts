// The routes of the service.
import { Readable } from 'node:stream';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { checkString, refuse } from '../check.js';
import { answerResult } from './answer.js';
import { eventStream } from './events.js';
import { ANSWER_FORMATS, chooseFormat } from './formats.js';
import type { ServiceMetrics } from './metrics.js';
import { modelOf } from './model.js';
import { servicePage } from './page.js';
import { HttpProblem } from './problem.js';
import { type Query, queriesOf, type Schema } from './query.js';
import { imageBody, RESPONSES } from './schemas.js';
import type { Service } from './service.js';
import type { ServiceSettings } from './settings.js';
import { announcedBytes, readUpload, uploadType } from './upload.js';

/** Who may use a route. */
type Access = 'open' | 'token';

/** A route and its description in the OpenAPI document. */
export interface Route {
  method: 'GET' | 'POST' | 'DELETE';
  url: string;
  access: Access;
  summary: string;
  query: Query<object>;
  params?: Schema;
  headers?: Schema;
  body?: object;
  response: object;
  handler(request: FastifyRequest, reply: FastifyReply): Promise<unknown>;
}

/** @param openapi returns the complete OpenAPI document. */
export function routesOf(
  service: Service,
  metrics: ServiceMetrics,
  settings: ServiceSettings,
  openapi: () => object,
): Route[] {
  const queries = queriesOf(ANSWER_FORMATS);
  const { none } = queries;
  const plain = (query: FastifyRequest['query']) => none.parse(query as Record<string, unknown>);

  /** Runs the work on the image of a request within the limits. The work is aborted if the client disconnects. */
  async function admitted<T>(
    request: FastifyRequest,
    reply: FastifyReply,
    work: (signal: AbortSignal) => Promise<T>,
  ): Promise<T> {
    uploadType(request);
    const bytes = announcedBytes(request, settings.limits.bytes);
    const admission = service.admit(bytes);
    const onClose = () => {
      if (!reply.raw.writableFinished)
        admission.abort(new HttpProblem('BAD_REQUEST', 'The client disconnected.'));
    };
    reply.raw.once('close', onClose);
    try {
      return await work(admission.signal);
    } finally {
      reply.raw.off('close', onClose);
      admission.leave();
    }
  }
  const receive = (request: FastifyRequest, signal: AbortSignal) =>
    service.timed('receive', () => readUpload(request, { maxBytes: settings.limits.bytes, signal }));
  const id = (request: FastifyRequest) => (request.params as { id: string }).id;
  const idParams = {
    type: 'object',
    required: ['id'],
    properties: { id: { type: 'string', description: 'Id of the job' } },
  };

  return [
    {
      method: 'POST',
      url: '/v1/segment',
      access: 'token',
      summary: 'Segment an image',
      query: queries.segment,
      body: imageBody,
      response: RESPONSES.segment,
      handler: async (request, reply) => {
        const { format: named, ...options } = queries.segment.parse(request.query as Record<string, unknown>);
        const format = chooseFormat(named, request.headers.accept);
        service.check(options);
        return admitted(request, reply, async (signal) => {
          const upload = await receive(request, signal);
          const segmented = await service.segment({ upload, options }, { signal }, 'reject');
          return answerResult(reply, service, segmented, format, signal);
        });
      },
    },
    {
      method: 'POST',
      url: '/v1/classify',
      access: 'token',
      summary: 'Predict the cell type of an image',
      query: queries.classify,
      body: imageBody,
      response: RESPONSES.classify,
      handler: async (request, reply) => {
        const { name, ...options } = queries.classify.parse(request.query as Record<string, unknown>);
        service.check(options);
        return admitted(request, reply, async (signal) => {
          const upload = { ...(await receive(request, signal)), ...(name !== undefined && { name }) };
          const {
            logits: _logits,
            index: _index,
            ...found
          } = await service.classify(upload, options, signal);
          return found;
        });
      },
    },
    {
      method: 'GET',
      url: '/v1/models',
      access: 'token',
      summary: 'The models of this service',
      query: none,
      response: RESPONSES.models,
      handler: async (request) => {
        plain(request.query);
        return { models: [modelOf(settings.modelName, service.ensemble)] };
      },
    },
    {
      method: 'POST',
      url: '/v1/jobs',
      access: 'token',
      summary: 'Submit an image as a job',
      query: queries.submit,
      headers: {
        type: 'object',
        properties: {
          'idempotency-key': {
            type: 'string',
            minLength: 1,
            maxLength: 255,
            description: 'A key of your choice. The same request with the same key gives the same job.',
          },
        },
      },
      body: imageBody,
      response: RESPONSES.submit,
      handler: async (request, reply) => {
        const options = queries.submit.parse(request.query as Record<string, unknown>);
        const key = keyOf(request);
        service.check(options);
        return admitted(request, reply, async (signal) => {
          const upload = await receive(request, signal);
          const work = { upload, options };
          const { job, created } = await service.jobs.submit(
            work,
            key === undefined ? {} : { key, digest: service.digest(work) },
          );
          // Relative to the request, because a service behind a proxy does not know its public address.
          return reply
            .code(created ? 202 : 200)
            .header('location', `jobs/${job.id}`)
            .send(job);
        });
      },
    },
    {
      method: 'GET',
      url: '/v1/jobs/:id',
      access: 'token',
      summary: 'The state of a job',
      query: none,
      params: idParams,
      response: RESPONSES.job,
      handler: async (request) => {
        plain(request.query);
        return service.jobs.get(id(request));
      },
    },
    {
      method: 'DELETE',
      url: '/v1/jobs/:id',
      access: 'token',
      summary: 'Cancel a job that has not ended',
      query: none,
      params: idParams,
      response: RESPONSES.job,
      handler: async (request) => {
        plain(request.query);
        return service.jobs.cancel(id(request));
      },
    },
    {
      method: 'GET',
      url: '/v1/jobs/:id/result',
      access: 'token',
      summary: 'The result of a job',
      query: queries.result,
      params: idParams,
      response: RESPONSES.result,
      handler: async (request, reply) => {
        const { format } = queries.result.parse(request.query as Record<string, unknown>);
        const chosen = chooseFormat(format, request.headers.accept);
        const segmented = await service.jobs.result(id(request));
        return answerResult(reply, service, segmented, chosen, disconnected(reply));
      },
    },
    {
      method: 'GET',
      url: '/v1/jobs/:id/events',
      access: 'token',
      summary: 'The changes of a job as server-sent events',
      query: none,
      params: idParams,
      response: RESPONSES.events,
      handler: async (request, reply) => {
        plain(request.query);
        // Throws before the stream starts if the job does not exist.
        await service.jobs.get(id(request));
        const events = eventStream(service.jobs.events(id(request), { signal: disconnected(reply) }));
        return reply
          .headers({
            'content-type': 'text/event-stream',
            'x-accel-buffering': 'no',
            connection: 'close',
          })
          .send(Readable.from(events));
      },
    },
    {
      method: 'GET',
      url: '/livez',
      access: 'open',
      summary: 'Whether the process answers',
      query: none,
      response: RESPONSES.probe,
      handler: async () => ({ status: 'ok' }),
    },
    {
      method: 'GET',
      url: '/readyz',
      access: 'open',
      summary: 'Whether images are taken',
      query: none,
      response: RESPONSES.ready,
      handler: async () => {
        void service.ensemble;
        return { status: service.state };
      },
    },
    {
      method: 'GET',
      url: '/metrics',
      access: 'token',
      summary: 'Metrics for Prometheus',
      query: none,
      response: RESPONSES.metrics,
      handler: async (_request, reply) =>
        reply.header('content-type', metrics.registry.contentType).send(await metrics.registry.metrics()),
    },
    {
      method: 'GET',
      url: '/openapi.json',
      access: 'open',
      summary: 'This document',
      query: none,
      response: {
        200: { description: 'OpenAPI 3.1', content: { 'application/json': { schema: { type: 'object' } } } },
      },
      handler: async () => openapi(),
    },
    ...(settings.page ? [pageRoute(none)] : []),
  ];
}

function pageRoute(query: Query<object>): Route {
  const { html, policy } = servicePage();
  return {
    method: 'GET',
    url: '/',
    access: 'open',
    summary: 'A page where an image can be dropped',
    query,
    response: { 200: { description: 'HTML', content: { 'text/html': { schema: { type: 'string' } } } } },
    handler: async (_request, reply) =>
      reply
        .headers({
          'content-type': 'text/html; charset=utf-8',
          'content-security-policy': policy,
          'referrer-policy': 'no-referrer',
        })
        .send(html),
  };
}

function keyOf(request: FastifyRequest): string | undefined {
  const key = request.headers['idempotency-key'];
  if (key === undefined) return undefined;
  if (typeof key !== 'string' || key.length > 255)
    throw refuse('Idempotency-Key', 'one key of at most 255 characters', key);
  return checkString('Idempotency-Key', key);
}

/** Aborts if the client disconnects before the response is complete. */
function disconnected(reply: FastifyReply): AbortSignal {
  const controller = new AbortController();
  reply.raw.once('close', () => controller.abort(new HttpProblem('BAD_REQUEST', 'The client disconnected.')));
  return controller.signal;
}
