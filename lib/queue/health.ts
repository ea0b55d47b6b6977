import { createServer, type Server } from 'node:http';

/** State of a worker, for the probes of what runs it. */
export type WorkerState = 'starting' | 'ready' | 'draining';

/**
 * Answers the probes of a worker: `/livez` is 200 while the process answers, `/readyz` while it takes jobs, and 503
 * otherwise.
 *
 * @param port 0 takes a free one.
 * @returns the server, which listens.
 */
export function answerProbes(port: number, host: string, state: () => WorkerState): Promise<Server> {
  const server = createServer((request, response) => {
    const path = (request.url ?? '').split('?')[0];
    const known = path === '/livez' || path === '/readyz';
    const ok = path === '/livez' || state() === 'ready';
    const status = known ? (ok ? 200 : 503) : 404;
    response.writeHead(status, { 'content-type': 'application/json' });
    response.end(JSON.stringify(known ? { status: path === '/livez' ? 'ok' : state() } : {}));
  });
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, host, () => resolve(server));
  });
}
