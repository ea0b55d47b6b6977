import { request as httpRequest, type IncomingMessage } from 'node:http';
import { connect } from 'node:net';
import type { ServerOptions } from '../../lib/fastify.js';
import { startServer } from '../../lib/fastify.js';
import type { RunningServer } from '../../lib/serve/server.js';
import { imageBytes } from './sdk.js';

/** A server on a free port, ready. */
export async function ready(options: ServerOptions): Promise<RunningServer> {
  const server = await startServer({ port: 0, ...options });
  await server.service.ready;
  return server;
}

export const png = { 'content-type': 'image/png' };

/** POSTs an image. */
export const post = (server: RunningServer, path: string, init: RequestInit = {}): Promise<Response> =>
  fetch(`${server.url}${path}`, {
    method: 'POST',
    body: new Uint8Array(imageBytes('small')),
    ...init,
    headers: { ...png, ...(init.headers as Record<string, string>) },
  });

export const json = async (response: Response | Promise<Response>) =>
  (await (await response).json()) as Record<string, unknown>;

/** Status and code of an answer that is a problem; other answers have no code. */
export async function problem(response: Response | Promise<Response>) {
  const { status, headers } = await response;
  const type = headers.get('content-type');
  if (!type?.startsWith('application/problem+json')) return { status, type };
  return { status, ...(await json(response)) };
}

/** A form with one file. */
export function form(field: string, bytes: Buffer, name: string): FormData {
  const data = new FormData();
  data.append(field, new Blob([new Uint8Array(bytes)]), name);
  return data;
}

/** A request whose body is sent by hand. */
export function sending(server: RunningServer, path: string, headers: Record<string, string>) {
  const request = httpRequest(`${server.url}${path}`, { method: 'POST', headers });
  const answer = new Promise<{ status: number; headers: IncomingMessage['headers']; text: string }>(
    (resolve, reject) => {
      request.once('error', reject);
      request.once('response', (response) => {
        let text = '';
        response.setEncoding('utf8').on('data', (chunk: string) => {
          text += chunk;
        });
        response.once('error', reject);
        response.once('end', () =>
          resolve({ status: response.statusCode!, headers: response.headers, text }),
        );
      });
    },
  );
  // A test that destroys the request does not wait for its answer.
  answer.catch(() => {});
  return { request, answer };
}

/** What the server answers to these bytes, until it closes the connection. */
export function raw(server: RunningServer, text: string): Promise<string> {
  const { hostname, port } = new URL(server.url);
  return new Promise((resolve, reject) => {
    const socket = connect(Number(port), hostname, () => socket.write(text));
    let answer = '';
    socket.setEncoding('utf8').on('data', (chunk: string) => {
      answer += chunk;
    });
    socket.once('error', reject);
    socket.once('close', () => resolve(answer));
  });
}

/** The value of a metric, labels included: `cellroute_jobs{state="done"}`. */
export async function metric(server: RunningServer, name: string): Promise<number> {
  const text = await (await fetch(`${server.url}/metrics`)).text();
  const line = text.split('\n').find((one) => one.startsWith(`${name} `));
  return line === undefined ? 0 : Number(line.slice(name.length + 1));
}

/** Waits until something is as it should be; a test's own limit of time ends it. */
export async function until(condition: () => Promise<boolean>): Promise<void> {
  while (!(await condition())) await new Promise((resolve) => setTimeout(resolve, 20));
}
