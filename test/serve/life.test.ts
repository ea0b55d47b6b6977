import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:http';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import Fastify from 'fastify';
import { Registry } from 'prom-client';
import { cellroutePlugin, startServer } from '../../lib/fastify.js';
import { RoutedEnsemble } from '../../lib/inference/ensemble.js';
import type { ServiceOptions } from '../../lib/serve/settings.js';
import { cellroute } from '../support/cli.js';
import { refusal } from '../support/refusal.js';
import { fewProposals, imageBytes, root, testEnsemble } from '../support/sdk.js';
import { json, metric, png, post, problem, ready, sending, until } from '../support/serve.js';

let ensemble: RoutedEnsemble;
beforeAll(async () => {
  ensemble = await RoutedEnsemble.load(testEnsemble);
  ensemble.setThresholds({ fluorescence: { ...ensemble.thresholds.fluorescence, rpn: fewProposals } });
});
afterAll(() => ensemble.dispose());

const type = 'cellType=fluorescence';
const small = imageBytes('small');
/** Headers of an upload whose second half is not sent yet. */
const announced = { ...png, 'content-length': String(small.length) };
const half = small.subarray(0, 2000);
const rest = small.subarray(2000);

describe('a client that leaves', () => {
  test('stops its work', async () => {
    const server = await ready({ ensemble });
    try {
      const stop = new AbortController();
      const body = new Uint8Array(imageBytes('large'));
      const work = post(server, `/v1/segment?${type}&tiles=64`, { body, signal: stop.signal });
      await until(async () => (await metric(server, 'cellroute_queue_calls')) === 1);
      stop.abort();
      await expect(work).rejects.toThrow();
      await until(async () => (await metric(server, 'cellroute_requests_in_flight')) === 0);
      expect(await metric(server, 'cellroute_queue_calls')).toBe(0);
      expect(await metric(server, 'cellroute_cells_count{segmenter="fluorescence"}')).toBe(0);
    } finally {
      await server.close();
    }
  });

  test.each([
    ['a body', png],
    ['a form', { 'content-type': 'multipart/form-data; boundary=x' }],
  ])('in the middle of %s leaves nothing behind', async (_, headers) => {
    const server = await ready({ ensemble });
    try {
      const { request } = sending(server, `/v1/segment?${type}`, headers);
      request.on('error', () => {});
      request.write('--x\r\nContent-Disposition: form-data; name="image"; filename="a"\r\n\r\n');
      request.write(half);
      await until(async () => (await metric(server, 'cellroute_requests_in_flight')) === 1);
      request.destroy();
      await until(async () => (await metric(server, 'cellroute_requests_in_flight')) === 0);
      expect((await post(server, `/v1/segment?${type}`)).status).toBe(200);
    } finally {
      await server.close();
    }
  });
});

test('a client that sends too slowly is answered 408 and disconnected', async () => {
  const server = await ready({ ensemble, limits: { seconds: 1 } });
  try {
    for (const headers of [announced, { 'content-type': 'multipart/form-data; boundary=x' }]) {
      const { request, answer } = sending(server, `/v1/segment?${type}`, headers);
      request.on('error', () => {});
      request.write(half);
      const { status, headers: answered, text } = await answer;
      expect([status, answered.connection]).toEqual([408, 'close']);
      expect(JSON.parse(text)).toMatchObject({ code: 'REQUEST_TIMEOUT' });
    }
  } finally {
    await server.close();
  }
});

test('requests and bytes in flight are limited; the rest is answered 429', async () => {
  for (const limits of [{ requests: 1 }, { heldBytes: small.length + 1 }]) {
    const server = await ready({ ensemble, limits });
    try {
      const { request, answer } = sending(server, `/v1/segment?${type}`, announced);
      request.write(half);
      await until(async () => (await metric(server, 'cellroute_requests_in_flight')) === 1);
      const full = await post(server, `/v1/segment?${type}`);
      expect(Number(full.headers.get('retry-after'))).toBeGreaterThanOrEqual(1);
      expect(await problem(full)).toMatchObject({ status: 429, code: 'BUSY' });
      expect((await fetch(`${server.url}/livez`)).status).toBe(200);
      request.end(rest);
      expect((await answer).status).toBe(200);
      expect((await post(server, `/v1/segment?${type}`)).status).toBe(200);
    } finally {
      await server.close();
    }
  }
});

describe('the end of a server', () => {
  test('comes after the work in flight; new work is refused meanwhile', async () => {
    const server = await ready({ ensemble });
    const { request, answer } = sending(server, `/v1/segment?${type}`, announced);
    request.write(half);
    await until(async () => (await metric(server, 'cellroute_requests_in_flight')) === 1);
    const closing = server.close();
    expect(await problem(fetch(`${server.url}/readyz`))).toMatchObject({ status: 503, code: 'DRAINING' });
    expect(await json(fetch(`${server.url}/livez`))).toEqual({ status: 'ok' });
    expect(await problem(post(server, `/v1/segment?${type}`))).toMatchObject({
      status: 503,
      code: 'DRAINING',
    });
    request.end(rest);
    expect((await answer).status).toBe(200);
    await closing;
    await expect(fetch(`${server.url}/livez`)).rejects.toThrow();
    // The caller's.
    expect((await ensemble.segment(small, { cellType: 'fluorescence' })).cells.length).toBeGreaterThan(5);
  });

  test('does not wait longer than it is allowed to', async () => {
    const server = await ready({ ensemble, drainSeconds: 0 });
    const { request, answer } = sending(server, `/v1/segment?${type}`, announced);
    request.on('error', () => {});
    request.write(half);
    await until(async () => (await metric(server, 'cellroute_requests_in_flight')) === 1);
    const job = await json(
      post(server, `/v1/jobs?${type}&tiles=64`, { body: new Uint8Array(imageBytes('large')) }),
    );
    const events = fetch(`${server.url}/v1/jobs/${String(job.id)}/events`).then((one) => one.text());
    await until(async () => (await metric(server, 'cellroute_jobs{state="running"}')) === 1);
    await server.close();
    expect((await answer).status).toBe(503);
    expect(await events).toMatch(/"state":"cancelled"[^\n]*\n\n$/);
  });
});

describe('cellroute serve', () => {
  const main = join(root, 'dist', 'cli', 'main.js');
  const children: ChildProcess[] = [];
  afterEach(async () => {
    for (const child of children.splice(0)) {
      child.kill('SIGKILL');
      if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
    }
  });

  async function serve(...args: string[]) {
    const child = spawn(process.execPath, [main, 'serve', '--port', '0', '--model', testEnsemble, ...args], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    children.push(child);
    const ended = once(child, 'exit') as Promise<[number | null, string | null]>;
    const lines = createInterface(child.stdout!);
    let url = '';
    for await (const line of lines) {
      url = /^Listening on (\S+)$/.exec(line)?.[1] ?? url;
      if (line === 'Ready') break;
    }
    // A pipe with unread lines stays open after the process has ended.
    child.stdout!.resume();
    return { child, ended, server: { url } as Awaited<ReturnType<typeof ready>> };
  }

  test('SIGTERM: not ready, work in flight is finished, exit status 0', async () => {
    const { child, ended, server } = await serve();
    const { request, answer } = sending(server, `/v1/segment?${type}`, announced);
    request.write(half);
    await until(async () => (await metric(server, 'cellroute_requests_in_flight')) === 1);
    child.kill('SIGTERM');
    await until(async () => (await fetch(`${server.url}/readyz`)).status === 503);
    request.end(rest);
    expect((await answer).status).toBe(200);
    expect(await ended).toEqual([0, null]);
  });

  test('SIGTERM: the time to drain ends work that is not done', async () => {
    const { child, ended, server } = await serve('--drain', '0');
    const { request, answer } = sending(server, `/v1/segment?${type}`, announced);
    request.on('error', () => {});
    request.write(half);
    await until(async () => (await metric(server, 'cellroute_requests_in_flight')) === 1);
    child.kill('SIGTERM');
    expect((await answer).status).toBe(503);
    expect(await ended).toEqual([0, null]);
  });

  test.each([
    [['--host', '0.0.0.0'], /Other machines reach 0\.0\.0\.0: pass a token \(--token-file FILE/],
    [['--limits', 'pixel=1'], /Expected bytes, pixels/],
    [['--token-file', '/nothing'], /\/nothing.*FILE_UNREADABLE/s],
    [['--port', '0', '--model', '/nothing'], /\/nothing.*FILE_UNREADABLE/s],
  ])('%j is refused', async (args, message) => {
    const { status, stderr } = await cellroute('serve', ...args);
    expect(status).toBe(1);
    expect(stderr).toMatch(message);
    expect(stderr).not.toMatch(/\n\s+at /);
  });

  test('a port that is taken is named', async () => {
    const other = createServer().listen(0, '127.0.0.1');
    await once(other, 'listening');
    const { port } = other.address() as { port: number };
    const { status, stderr } = spawnSync(
      process.execPath,
      [main, 'serve', '--port', String(port), '--model', testEnsemble],
      { encoding: 'utf8' },
    );
    other.close();
    await once(other, 'close');
    expect(status).toBe(1);
    expect(stderr).toMatch(/^cellroute: listen EADDRINUSE.*\[EADDRINUSE\]\n$/);
  });

  test('missing packages are named with the command that installs them', () => {
    const program = `
      const Module = require('node:module');
      const resolve = Module._resolveFilename;
      Module._resolveFilename = function (name, ...more) {
        if (/^(fastify|prom-client)$/.test(name)) throw new Error('absent');
        return resolve.call(this, name, ...more);
      };
      require(${JSON.stringify(join(root, 'dist', 'fastify.js'))}).startServer().catch((error) => console.log(error.code, error.message));`;
    const { stdout } = spawnSync(process.execPath, ['-e', program], { encoding: 'utf8' });
    expect(stdout).toBe(
      'PACKAGE_MISSING cellroute serve needs the packages fastify, prom-client, which are not installed: npm install fastify@5 prom-client@15\n',
    );
  });
});

describe('the plugin', () => {
  test('lives in an application with a prefix, its own registry and parsers', async () => {
    const registry = new Registry();
    const app = Fastify();
    app.post('/echo', async (request) => request.body);
    let loaded: Promise<void> | undefined;
    await app.register(cellroutePlugin, {
      prefix: '/cells',
      ensemble,
      registry,
      onService: (service) => {
        loaded = service.ready;
      },
    });
    const url = await app.listen({ port: 0 });
    try {
      expect(await problem(fetch(`${url}/cells/readyz`))).toMatchObject({ status: 503, code: 'STARTING' });
      await loaded;
      const server = { url } as Awaited<ReturnType<typeof ready>>;
      const answer = await post(server, `/cells/v1/segment?${type}&name=a`);
      expect(await json(answer)).toMatchObject({ name: 'a', cellType: 'fluorescence' });
      const headers = { 'content-type': 'application/json' };
      expect(await json(post(server, '/echo', { body: '{"a":1}', headers }))).toEqual({ a: 1 });
      const unknown = await fetch(`${url}/nothing`);
      const plain = 'application/json; charset=utf-8';
      expect([unknown.status, unknown.headers.get('content-type')]).toEqual([404, plain]);
      const labels = 'route="/cells/v1/segment"';
      expect(await registry.metrics()).toContain(`cellroute_request_seconds_count{${labels}`);
      const { paths } = await json(fetch(`${url}/cells/openapi.json`));
      expect(Object.keys(paths as object)).toContain('/cells/v1/segment');
    } finally {
      await app.close();
    }
    // Still the caller's.
    expect((await ensemble.segment(small, { cellType: 'fluorescence' })).cells.length).toBeGreaterThan(5);
  });

  test('answers 503 where its model cannot be loaded, and says why', async () => {
    const app = Fastify();
    let loaded: Promise<void> | undefined;
    await app.register(cellroutePlugin, {
      model: '/nothing',
      onService: (service) => {
        loaded = service.ready;
      },
    });
    const url = await app.listen({ port: 0 });
    expect((await refusal(loaded!)).code).toBe('FILE_UNREADABLE');
    expect(await problem(fetch(`${url}/readyz`))).toMatchObject({
      status: 503,
      detail: 'The model cannot be loaded; the log has the reason.',
    });
    await app.close();
  });

  test.each([
    [{ token: 'short' }, /16 to 1024 printable characters .* but received "5 characters"/],
    [{ ensemble: {} }, /a RoutedEnsemble for ensemble/],
    [{ limits: { bytes: 0 } }, /limits\.bytes/],
    [{ limits: { byte: 1 } }, /Unknown option limits\.byte; did you mean bytes/],
    [{ hosts: 'a' }, /a list of host names/],
    [{ model: '' }, /a non-empty string for model/],
    [{ page: 1 }, /true or false for page/],
    [{ prot: 1 }, /Unknown option prot; did you mean port|Unknown option prot/],
  ])('refuses the options %j', async (options, message) => {
    const { code, message: said } = await refusal(startServer(options as ServiceOptions));
    expect(code).toBe('INVALID_ARGUMENT');
    expect(said).toMatch(message);
  });
});
