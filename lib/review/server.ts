import { createHash, timingSafeEqual } from 'node:crypto';
import { createServer, type IncomingMessage, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { CellrouteError } from '../errors.js';

/** The response of a route. */
export interface Answer {
  status?: number;
  type: string;
  body: string | Uint8Array;
}

/** A route: its path below the token, as a pattern whose groups are passed to the handler. */
export interface Route {
  method: 'GET' | 'PUT' | 'POST';
  path: RegExp;
  /** @param body of a PUT or POST, parsed as JSON. */
  handle(groups: readonly string[], body: unknown): Answer | Promise<Answer>;
}

/** A refused request. */
export class RequestError extends Error {
  constructor(
    readonly status: number,
    message: string,
  ) {
    super(message);
  }
}

export const json = (value: unknown, status = 200): Answer => ({
  status,
  type: 'application/json',
  body: JSON.stringify(value),
});

/** Edits of an image with some thousand drawn cells have less than a MiB. */
const MAX_BODY_BYTES = 32 * 2 ** 20;

/** Everything comes from this server; `data:` is the empty icon. */
const POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  'img-src data:',
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join('; ');

const HEADERS = {
  'content-security-policy': POLICY,
  'cross-origin-opener-policy': 'same-origin',
  'cross-origin-resource-policy': 'same-origin',
  'referrer-policy': 'no-referrer',
  'x-content-type-options': 'nosniff',
  'cache-control': 'no-store',
};

/** A server that only programs of this machine which know its token can use. */
export interface LocalServer {
  /** Address of the page, with the token. */
  url: string;
  close(): Promise<void>;
}

/**
 * Serves routes on the loopback address. A request needs the token as the first part of its path, a Host header of this
 * server, and no origin but this server's: other websites know neither the port nor the token, and could not send a
 * request from the browser of their visitor if they did.
 *
 * @throws the error of the system if the port cannot be listened on.
 */
export async function serveLocally(
  routes: readonly Route[],
  { port, token }: { port: number; token: string },
): Promise<LocalServer> {
  const server = createServer((request, response) => {
    answer(routes, request, token, (server.address() as AddressInfo).port)
      .catch(answerOfError)
      .then(({ status = 200, type, body }) => {
        response.writeHead(status, {
          ...HEADERS,
          'content-type': type,
          'content-length': Buffer.byteLength(body),
        });
        response.end(request.method === 'HEAD' ? undefined : body);
      })
      .catch(() => response.destroy());
  });
  await listen(server, port);
  const { port: own } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${own}/${token}/`,
    close: () => closeServer(server),
  };
}

function listen(server: Server, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen({ port, host: '127.0.0.1' }, () => {
      server.off('error', reject);
      resolve();
    });
  });
}

function closeServer(server: Server): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve());
    // A browser keeps connections open.
    server.closeIdleConnections();
    setTimeout(() => server.closeAllConnections(), 1000).unref();
  });
}

async function answer(
  routes: readonly Route[],
  request: IncomingMessage,
  token: string,
  port: number,
): Promise<Answer> {
  checkOrigin(request, port);
  const [path = ''] = (request.url ?? '').split('?');
  const [, given = '', ...parts] = path.split('/');
  // Digests have one length, which timingSafeEqual needs. Without the last slash, the page would not find its files.
  if (!timingSafeEqual(digestOf(given), digestOf(token)) || parts.length === 0) {
    throw new RequestError(
      404,
      'There is nothing at this address. Open the address that the command printed.',
    );
  }
  const below = parts.join('/');
  const matching = routes.filter((route) => route.path.test(below));
  if (matching.length === 0) throw new RequestError(404, 'There is nothing at this address.');
  const method = request.method === 'HEAD' ? 'GET' : request.method;
  const route = matching.find((one) => one.method === method);
  if (!route) throw new RequestError(405, `Expected ${matching.map((one) => one.method).join(' or ')}.`);
  const groups = route.path.exec(below)!.slice(1);
  return route.handle(groups, route.method === 'GET' ? undefined : await bodyOf(request));
}

/** Refuses requests by another name for this machine (DNS rebinding), and those that other websites send. */
function checkOrigin({ headers, method }: IncomingMessage, port: number): void {
  const hosts = [`127.0.0.1:${port}`, `localhost:${port}`];
  if (!hosts.includes(headers.host ?? ''))
    throw new RequestError(403, 'The Host header is of another server.');
  const { origin } = headers;
  const isOwn = origin === undefined || hosts.some((host) => origin === `http://${host}`);
  const site = headers['sec-fetch-site'];
  const isForeignRequest = site === 'cross-site' && headers['sec-fetch-mode'] !== 'navigate';
  if (!isOwn || isForeignRequest || (site === 'cross-site' && method !== 'GET')) {
    throw new RequestError(403, 'Requests of other websites are refused.');
  }
}

async function bodyOf(request: IncomingMessage): Promise<unknown> {
  if (request.headers['content-type'] !== 'application/json') {
    throw new RequestError(415, 'Expected application/json.');
  }
  const parts: Buffer[] = [];
  let bytes = 0;
  // Read to its end also where it is too large: a client that is still sending would miss the answer.
  for await (const part of request) {
    bytes += (part as Buffer).length;
    if (bytes <= MAX_BODY_BYTES) parts.push(part as Buffer);
  }
  if (bytes > MAX_BODY_BYTES) throw new RequestError(413, `Expected at most ${MAX_BODY_BYTES} bytes.`);
  try {
    return JSON.parse(Buffer.concat(parts).toString());
  } catch {
    throw new RequestError(400, 'Expected JSON.');
  }
}

function answerOfError(error: unknown): Answer {
  if (error instanceof RequestError) return json({ message: error.message }, error.status);
  if (error instanceof CellrouteError) {
    const { code, message } = error;
    return json({ code, message }, code === 'INVALID_ARGUMENT' ? 422 : 500);
  }
  // A bug: the page reports that the change is not saved, and the terminal has the reason.
  console.error(error);
  return json({ message: 'The server failed: see its terminal.' }, 500);
}

const digestOf = (text: string) => createHash('sha256').update(text).digest();
