import { createServer, type Server } from 'node:http';

/** State of a worker, for probes. */
export type WorkerState = 'starting' | 'ready' | 'draining';

/**
 * Serves the probes of a worker: `/livez` returns 200 while the process runs; `/readyz` returns 200 while it takes jobs, and
 * 503 otherwise.
 *
 * @param port 0 selects a free one.
 * @returns the listening server.
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
