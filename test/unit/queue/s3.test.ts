// The store of a bucket against a server that answers as the test says. scripts/queue.mjs has a server that stores.
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { isFull, isRetried } from '../../../lib/queue/failure.js';
import { S3Objects } from '../../../lib/queue/s3.js';
import { expectKeyRefused } from '../../support/object-keys.js';
import { refusal } from '../../support/refusal.js';
import { rejection, thrown } from '../../support/sdk.js';

interface Answer {
  status: number;
  headers?: Record<string, string>;
  body?: string;
}

const errorXml = (code: string, message: string) =>
  `<?xml version="1.0"?><Error><Code>${code}</Code><Message>${message}</Message></Error>`;

let server: Server;
let endpoint: string;
/** What has arrived, and what is answered, in order; the last answer is repeated. */
let requests: { line: string; headers: Record<string, unknown>; body: string }[] = [];
let answers: Answer[] = [];
beforeAll(async () => {
  server = createServer(async (request, response) => {
    let body = '';
    for await (const chunk of request) body += String(chunk);
    requests.push({ line: `${request.method} ${request.url}`, headers: request.headers, body });
    const { status, headers, body: text } = (answers.length > 1 ? answers.shift() : answers[0])!;
    response.writeHead(status, headers).end(text);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  endpoint = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});
afterAll(() => {
  server.closeAllConnections();
  return new Promise((resolve) => server.close(resolve));
});

const credentials = { accessKeyId: 'id', secretAccessKey: 'secret' };
const storeOf = (url = 's3://lab/results') => new S3Objects(url, { endpoint, credentials });
function answering(...given: Answer[]): S3Objects {
  answers = given;
  requests = [];
  return storeOf();
}
const bytes = (text: string) => [Buffer.from(text)];

test('keys are below the prefix, in the path of the server', async () => {
  const store = answering({ status: 200, body: 'pixels' });
  expect(Buffer.from(await store.get('a/b c.png')).toString()).toBe('pixels');
  expect(requests[0]!.line).toMatch(/^GET \/lab\/results\/a\/b%20c\.png/);
  answers = [{ status: 204 }];
  await storeOf('s3://lab').delete('a.png');
  expect(requests[1]!.line).toMatch(/^DELETE \/lab\/a\.png/);
  expect(storeOf('s3://lab/a/b/').prefix).toBe('a/b');
});

test('an object is written by one request, if there is none', async () => {
  const store = answering({ status: 200 });
  expect(await store.put('a', bytes('text'))).toBe(true);
  expect(requests.map(({ line }) => line.split('?')[0])).toEqual(['PUT /lab/results/a']);
  expect(requests[0]!.headers['if-none-match']).toBe('*');
  answers = [{ status: 412, body: errorXml('PreconditionFailed', 'there is one') }];
  expect(await store.put('a', bytes('text'))).toBe(false);
});

test('another writer that has not ended is waited for', async () => {
  const conflict = { status: 409, body: errorXml('ConditionalRequestConflict', 'a write is in progress') };
  const store = answering(conflict, { status: 404 }, { status: 200 });
  expect(await store.put('a', bytes('text'))).toBe(false);
  expect(requests.map(({ line }) => line.split(' ')[0])).toEqual(['PUT', 'HEAD', 'HEAD']);
});

test('a server without room is a full store', async () => {
  for (const [status, name] of [
    [507, 'XMinioStorageFull'],
    [400, 'XMinioAdminBucketQuotaExceeded'],
  ] as const) {
    const error = await refusal(answering({ status, body: errorXml(name, 'no room') }).put('a', bytes('x')));
    expect(error).toMatchObject({ code: 'FILE_UNWRITABLE', details: { file: 's3://lab/results/a' } });
    expect(isFull(error)).toBe(true);
  }
});

test('what is not there is not tried again, and other failures are', async () => {
  const gone = answering({ status: 404, body: errorXml('NoSuchKey', 'The key does not exist') });
  expect(await gone.has('a')).toBe(false);
  const missing = await refusal(gone.get('a'));
  expect(missing.code).toBe('FILE_UNREADABLE');
  expect(missing.message).toBe('s3://lab/results/a: The key does not exist (NoSuchKey)');
  expect(missing).toMatchObject({ cause: { code: 'ENOENT' } });
  expect(isRetried(missing)).toBe(false);

  const denied = await refusal(answering({ status: 403 }).has('a'));
  expect(denied.message).toBe('s3://lab/results/a: access is denied');
  expect(isRetried(denied)).toBe(true);
  expect((await refusal(answering({ status: 404 }).check())).message).toBe(
    's3://lab: there is no such bucket or object',
  );

  const failing = await refusal(answering({ status: 500 }).put('a', bytes('x')));
  expect(failing.code).toBe('FILE_UNWRITABLE');
  expect([isFull(failing), isRetried(failing)]).toEqual([false, true]);
  // The client has tried three times itself.
  expect(requests).toHaveLength(3);

  const away = new S3Objects('s3://lab', { endpoint: 'http://127.0.0.1:1', credentials });
  const refused = await refusal(away.get('a'));
  expect(refused.message).toContain('ECONNREFUSED');
  expect(isRetried(refused)).toBe(true);
});

test('an error of the content is passed on, and an abort is an abort', async () => {
  async function* failing() {
    yield Buffer.from('half');
    throw new Error('the content failed');
  }
  expect((await rejection(answering({ status: 200 }).put('a', failing()))).message).toBe(
    'the content failed',
  );
  expect(requests).toEqual([]);
  const reason = new Error('stopped');
  const signal = AbortSignal.abort(reason);
  const store = answering({ status: 200 });
  for (const call of [
    () => store.get('a', { signal }),
    () => store.has('a', { signal }),
    () => store.put('a', [], { signal }),
  ]) {
    expect(await rejection(call())).toBe(reason);
  }
});

test.each<[string, unknown[], string]>([
  ['another protocol', ['http://lab'], 'a URL such as s3://bucket/folder/image.png for url'],
  ['a bucket without a name', ['s3://'], 'for url'],
  ['a prefix above the bucket', ['s3://lab/../other'], 'for url'],
  ['an endpoint that is no URL', ['s3://lab', { endpoint: '127.0.0.1:9000' }], 'for options.endpoint'],
  ['an unknown option', ['s3://lab', { endPoint: 'x' }], 'did you mean endpoint?'],
  ['a secret that is missing', ['s3://lab', { credentials: { accessKeyId: 'x' } }], 'secretAccessKey'],
])('refuses %s', (_, args, message) => {
  const error = thrown(() => new S3Objects(...(args as [string])));
  expect(error.code).toBe('INVALID_ARGUMENT');
  expect(error.message).toContain(message);
});

test.each(['', '/a', '../a', 'a//b'])('refuses the key %j', (key) => expectKeyRefused(storeOf(), key));
