// An HTTP server that segments the image in the body of a POST request and answers with JSON.
//
//   node http-server.mjs [PORT]
//   curl --data-binary @image.png http://localhost:8080/segment
import { createServer } from 'node:http';
import { CellrouteError, RoutedEnsemble, resultJson } from 'cellroute';

const MAX_BYTES = 64 * 2 ** 20;
const MAX_WAITING = 8;

const ensemble = await RoutedEnsemble.load();
let waiting = 0;

/**
 * The body of a request, or undefined if it is too large.
 * @param {import('node:http').IncomingMessage} request
 */
async function bodyOf(request) {
  const chunks = [];
  let size = 0;
  for await (const chunk of request) {
    size += chunk.length;
    if (size > MAX_BYTES) return undefined;
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

const server = createServer(async (request, response) => {
  /** @param {number} status @param {object | string} body */
  const answer = (status, body) => {
    response.writeHead(status, { 'content-type': 'application/json' });
    response.end(typeof body === 'string' ? body : JSON.stringify(body));
  };
  if (request.method !== 'POST' || request.url !== '/segment') return answer(404, { error: 'POST /segment' });
  // Refuse early instead of queueing without a limit.
  if (waiting >= MAX_WAITING) return answer(503, { error: 'busy' });
  waiting++;
  // Stop the work if the client disconnects.
  const stop = new AbortController();
  response.once('close', () => stop.abort());
  try {
    const body = await bodyOf(request);
    if (!body) return answer(413, { error: `at most ${MAX_BYTES} bytes` });
    answer(200, resultJson(await ensemble.segment(body, { signal: stop.signal })));
  } catch (error) {
    if (stop.signal.aborted) return;
    if (error instanceof CellrouteError) answer(400, { error: error.message, code: error.code });
    else answer(500, { error: 'internal error' });
  } finally {
    waiting--;
  }
});

server.listen(Number(process.argv[2] ?? 8080), '127.0.0.1', () => {
  const address = server.address();
  console.log(`listening on port ${typeof address === 'object' ? address?.port : address}`);
});
process.once('SIGTERM', () => {
  server.close(() => void ensemble.dispose());
});
