import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import sharp from 'sharp';
import { RESULT_FORMAT_NAMES, RESULT_FORMATS, resultFormat } from '../../lib/export/formats.js';
import { resultJson } from '../../lib/export/result-json.js';
import { decodeImage } from '../../lib/image/decode.js';
import { RoutedEnsemble } from '../../lib/inference/ensemble.js';
import { THRESHOLD_NAMES, thresholdSpec } from '../../lib/inference/thresholds.js';
import { PROBLEM_STATUS } from '../../lib/serve/problem.js';
import type { RunningServer } from '../../lib/serve/server.js';
import { fewProposals, image, imageBytes, root, testEnsemble } from '../support/sdk.js';
import { form, json, metric, png, post, problem, raw, ready } from '../support/serve.js';

let ensemble: RoutedEnsemble;
let server: RunningServer;

beforeAll(async () => {
  ensemble = await RoutedEnsemble.load(testEnsemble);
  ensemble.setThresholds({ fluorescence: { ...ensemble.thresholds.fluorescence, rpn: fewProposals } });
  server = await ready({ ensemble });
});
afterAll(async () => {
  await server.close();
  await ensemble.dispose();
});

const get = (path: string, init: RequestInit = {}) => fetch(`${server.url}${path}`, init);
/** The ensemble of the tests has a segmenter for one type. */
const type = 'cellType=fluorescence';

describe('POST /v1/segment', () => {
  test('answers what the SDK computes, for a body and for a form', async () => {
    const own = await ensemble.segment(image.small, { cellType: 'fluorescence', minScore: 0.7 });
    const body = await post(server, `/v1/segment?${type}&minScore=0.7&name=a.png`);
    expect(body.status).toBe(200);
    expect(body.headers.get('content-type')).toBe('application/json');
    expect(await body.text()).toBe(resultJson(own, { name: 'a.png' }));
    const sent = await fetch(`${server.url}/v1/segment?${type}&minScore=0.7`, {
      method: 'POST',
      body: form('image', imageBytes('small'), 'b.png'),
    });
    expect(await sent.text()).toBe(resultJson(own, { name: 'b.png' }));
  });

  test('does not mix up concurrent images', async () => {
    const names = ['small', 'medium', 'large', 'small', 'medium'] as const;
    const answers = await Promise.all(
      names.map((name) =>
        post(server, `/v1/segment?${type}&name=${name}`, { body: new Uint8Array(imageBytes(name)) }),
      ),
    );
    for (const [i, name] of names.entries()) {
      const own = await ensemble.segment(image[name], { cellType: 'fluorescence' });
      expect(await answers[i]!.text()).toBe(resultJson(own, { name }));
    }
  });

  test.each([
    ['format=labels', '*/*', 'image/png'],
    ['format=overlay', '*/*', 'image/png'],
    ['', 'image/png', 'image/png'],
    ['', 'text/csv;q=0.5, application/json;q=0.4', 'text/csv; charset=utf-8'],
    ['', 'text/html,application/xhtml+xml,*/*;q=0.8', 'text/html; charset=utf-8'],
    ['', '*/*', 'application/json'],
    ['format=coco', 'image/png', 'application/json'],
    ['', 'application/geo+json', 'application/geo+json'],
    ['', 'application/zip', 'application/zip'],
    ['', 'image/tiff', 'image/tiff'],
  ])('answers ?%s with Accept: %s as %s', async (query, accept, expected) => {
    const answer = await post(server, `/v1/segment?${type}&${query}`, { headers: { accept } });
    expect([answer.status, answer.headers.get('content-type')]).toEqual([200, expected]);
    const bytes = Buffer.from(await answer.arrayBuffer());
    expect(bytes.length).toBeGreaterThan(100);
    if (expected !== 'image/png') return;
    const { depth } = await sharp(bytes).metadata();
    // A label image has 16 bits, an overlay 8.
    expect(depth).toBe(query === 'format=labels' ? 'ushort' : 'uchar');
  });

  test('refuses other formats before the image is read', async () => {
    const refused = await problem(post(server, `/v1/segment?${type}`, { headers: { accept: 'video/mp4' } }));
    expect(refused).toMatchObject({ status: 406, code: 'NOT_ACCEPTABLE' });
    const named = await problem(post(server, `/v1/segment?${type}&format=mp4`));
    expect(named).toMatchObject({ status: 400, code: 'INVALID_ARGUMENT', option: 'format' });
  });

  test.each([
    ['minScore=2', 'minScore', 'a number from 0 to 1'],
    ['minScore=', 'minScore', 'a number'],
    ['minScore=NaN', 'minScore', 'a number'],
    ['minScore=0.5&minScore=0.6', 'minScore', 'one value'],
    ['minArea=1.5', 'minArea', 'an integer from 0 to 4294967295'],
    ['rpn.preNmsTopN=0', 'rpn.preNmsTopN', 'an integer from 1 to 1000000'],
    ['removeOverlaps=2', 'removeOverlaps.maxLost', 'a number from 0 to 1'],
    ['removeOverlaps=yes', 'removeOverlaps', 'a number'],
    ['tiles=12', 'tiles.size', 'an integer from 64 to 65536'],
    ['tiles=100,10,1', 'tiles', 'auto, off, SIZE or SIZE,OVERLAP'],
    ['cellType=none', 'cellType', undefined],
    ['scale=2&diameter=10', 'diameter', 'one of scale, diameter, pixelSize'],
    ['pixelSize=files', 'pixelSize', 'a number'],
    ['page=1&z=1', 'page', 'either page, or z and t'],
    ['channels=', 'channels', 'a non-empty string'],
    ['name=a%0Ab', 'name', undefined],
    ['__proto__=1', 'the query', undefined],
    ['minScores=0.5', 'the query', undefined],
  ])('refuses ?%s', async (query, option, expected) => {
    const refused = await problem(post(server, `/v1/segment?${query}`));
    expect(refused).toMatchObject({ status: 400, code: 'INVALID_ARGUMENT', option });
    if (expected !== undefined) expect(refused).toMatchObject({ expected });
  });

  test('gives the SDK every option', async () => {
    const query =
      'minScore=0.6&maskThreshold=0.4&nmsThreshold=0.3&minArea=20&detectionsPerImage=7&rpn.preNmsTopN=900&rpn.postNmsTopN=800&rpn.nmsThreshold=0.6&rpn.scoreThreshold=0.01&removeOverlaps=0.25&tiles=128,32&channels=0';
    const own = await ensemble.segment(image.small, {
      cellType: 'fluorescence',
      minScore: 0.6,
      maskThreshold: 0.4,
      nmsThreshold: 0.3,
      minArea: 20,
      detectionsPerImage: 7,
      rpn: { preNmsTopN: 900, postNmsTopN: 800, nmsThreshold: 0.6, scoreThreshold: 0.01 },
      removeOverlaps: { maxLost: 0.25 },
      tiles: { size: 128, overlap: 32 },
      channels: 0,
      name: 'a',
    });
    const answer = await post(server, `/v1/segment?${type}&${query}&name=a`);
    expect(await answer.text()).toBe(resultJson(own));
  });
});

test('answers every format of the table as the writer writes it', async () => {
  const own = await ensemble.segment(image.small, { cellType: 'fluorescence', name: 'a.png' });
  // Written with the time, or an identifier.
  const differ: readonly string[] = ['geojson', 'geojson-gz', 'imagej', 'ome-zarr', 'ome-tiff'];
  for (const format of RESULT_FORMAT_NAMES) {
    // Its package is an ES module, which Jest does not load here; `npm run test:serve` requests it.
    if (format === 'parquet') continue;
    const answer = await post(server, `/v1/segment?${type}&name=a.png&format=${format}`);
    const bytes = Buffer.from(await answer.arrayBuffer());
    expect([format, answer.status]).toEqual([format, 200]);
    expect(answer.headers.get('content-type')).toContain(RESULT_FORMATS[format].mediaType);
    const { scope, write } = resultFormat(format);
    const context = { name: 'a.png', image: await decodeImage(image.small), file: image.small };
    const pieces: Uint8Array[] = [];
    const written =
      scope === 'run' ? write([{ name: 'a.png', stem: 'a', result: own }], {}) : write(own, context);
    for await (const piece of written) pieces.push(piece);
    if (differ.includes(format)) expect(bytes.length).toBeGreaterThan(500);
    else expect(bytes.equals(Buffer.concat(pieces))).toBe(true);
  }
});

describe('bodies', () => {
  const send = (body: RequestInit['body'], headers: Record<string, string> = png) =>
    problem(fetch(`${server.url}/v1/segment?${type}`, { method: 'POST', headers, ...(body && { body }) }));

  test.each([
    ['no image', 'text', png, 422, 'IMAGE_UNREADABLE'],
    ['an SVG', '<svg xmlns="http://www.w3.org/2000/svg"/>', png, 415, 'IMAGE_UNSUPPORTED'],
    ['half an image', imageBytes('small').subarray(0, 3000), png, 422, 'IMAGE_UNREADABLE'],
    ['nothing', undefined, png, 400, 'BAD_REQUEST'],
    ['text', 'text', { 'content-type': 'text/plain' }, 415, 'MEDIA_TYPE_UNSUPPORTED'],
    ['JSON', '{}', { 'content-type': 'application/json' }, 415, 'MEDIA_TYPE_UNSUPPORTED'],
    ['curl -d', 'a', { 'content-type': 'application/x-www-form-urlencoded' }, 415, 'MEDIA_TYPE_UNSUPPORTED'],
    ['a form without boundary', 'a', { 'content-type': 'multipart/form-data' }, 400, 'BAD_REQUEST'],
    [
      'a form that is none',
      'nonsense',
      { 'content-type': 'multipart/form-data; boundary=x' },
      400,
      'BAD_REQUEST',
    ],
  ] as const)('refuses %s', async (_, body, headers, status, code) => {
    const sent = typeof body === 'string' || !body ? body : new Uint8Array(body);
    expect(await send(sent, headers)).toMatchObject({ status, code });
  });

  test('refuses forms with another field, with several, with an empty file', async () => {
    const wrong = form('file', imageBytes('small'), 'a.png');
    expect(await send(wrong, {})).toMatchObject({ status: 400, detail: expect.stringContaining('"file"') });
    const two = form('image', imageBytes('small'), 'a.png');
    two.append('image', new Blob(['b']), 'b.png');
    expect(await send(two, {})).toMatchObject({ status: 400, code: 'BAD_REQUEST' });
    const text = new FormData();
    text.append('minScore', '0.5');
    expect(await send(text, {})).toMatchObject({ status: 400, code: 'BAD_REQUEST' });
    expect(await send(form('image', Buffer.alloc(0), 'a.png'), {})).toMatchObject({ status: 400 });
  });

  test.each([
    ['../../etc/passwd', 'passwd'],
    ['C:\\images\\a.png', 'a.png'],
    ['a"},{"x":"b.png', 'a%22},{%22x%22:%22b.png'],
    ['<script>alert(1)</script>.png', 'script>.png'],
  ])('reads the name of a file %p as data', async (sent, name) => {
    const answer = await fetch(`${server.url}/v1/segment?${type}`, {
      method: 'POST',
      body: form('image', imageBytes('small'), sent),
    });
    expect((await json(answer)).name).toBe(name);
  });

  test('a name is text in a report', async () => {
    const name = encodeURIComponent('</script><script>alert(1)</script>');
    const answer = await post(server, `/v1/segment?${type}&format=report&name=${name}`);
    const html = await answer.text();
    expect(html).toContain('&lt;script&gt;alert(1)');
    expect(html).not.toContain('<script>alert(1)');
  });

  test('refuses an image by its header, and a body by its length', async () => {
    const small = await ready({ ensemble, limits: { pixels: 1000, bytes: imageBytes('small').length } });
    try {
      expect(await problem(post(small, `/v1/segment?${type}`))).toMatchObject({
        status: 413,
        code: 'IMAGE_TOO_LARGE',
        option: 'limits.pixels',
        got: '256 × 256',
      });
      const large = { body: new Uint8Array(imageBytes('large')) };
      expect(await problem(post(small, `/v1/segment?${type}`, large))).toMatchObject({
        status: 413,
        code: 'BODY_TOO_LARGE',
      });
      const chunked = new Blob([new Uint8Array(imageBytes('large'))]).stream();
      const streamed = { body: chunked, duplex: 'half' } as RequestInit;
      expect(await problem(post(small, `/v1/segment?${type}`, streamed))).toMatchObject({ status: 413 });
      const sent = form('image', imageBytes('large'), 'a.png');
      const inForm = fetch(`${small.url}/v1/segment?${type}`, { method: 'POST', body: sent });
      expect(await problem(inForm)).toMatchObject({ status: 413, code: 'BODY_TOO_LARGE' });
    } finally {
      await small.close();
    }
  });
});

test('POST /v1/classify answers the type and its probability', async () => {
  const own = await ensemble.classifier.classify(image.small);
  const found = await json(post(server, '/v1/classify?name=a.png'));
  expect(found).toMatchObject({ name: 'a.png', cellType: own.cellType, probabilities: own.probabilities });
  expect(await problem(post(server, '/v1/classify?minScore=0.5'))).toMatchObject({ status: 400 });
});

test('GET /v1/models names types and segmenters, and no path', async () => {
  const text = await (await get('/v1/models')).text();
  const { models } = JSON.parse(text) as { models: Record<string, unknown>[] };
  expect(models).toHaveLength(1);
  expect(models[0]).toMatchObject({
    cellTypes: ensemble.cellTypes,
    segmenters: { fluorescence: { classNames: ['nucleus'], precision: 'float32', device: 'cpu' } },
  });
  expect(text).not.toContain('/');
});

test('answers of the probes, of unknown paths and of other methods', async () => {
  expect(await json(get('/livez'))).toEqual({ status: 'ok' });
  expect(await json(get('/readyz'))).toEqual({ status: 'ready' });
  for (const path of [
    '/nothing',
    '/v1/jobs/../../etc/passwd',
    '/v1/jobs/%2e%2e%2f%2e%2e',
    '//',
    '/v1/segment/',
  ]) {
    expect(await problem(get(path))).toMatchObject({ status: 404 });
  }
  const wrong = await get('/v1/segment');
  expect([wrong.status, wrong.headers.get('allow')]).toEqual([405, 'POST']);
  expect((await get('/livez', { method: 'HEAD' })).status).toBe(405);
  const trace = await raw(server, 'TRACE /v1/jobs HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n');
  expect(trace).toMatch(/^HTTP\/1.1 405 [\s\S]*allow: POST/);
});

test('huge headers and text that is not HTTP are answered with problem details', async () => {
  const huge = await raw(server, `GET /livez HTTP/1.1\r\nHost: a\r\nX: ${'x'.repeat(20_000)}\r\n\r\n`);
  expect(huge).toMatch(/^HTTP\/1.1 431 [\s\S]*"code":"HEADERS_TOO_LARGE"/);
  expect(await raw(server, 'nonsense\r\n\r\n')).toMatch(/^HTTP\/1.1 400 [\s\S]*"code":"BAD_REQUEST"/);
  const both =
    'POST /v1/segment HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n';
  expect(await raw(server, both)).toMatch(/^HTTP\/1.1 400 /);
});

describe('websites of others', () => {
  test('are refused by the Host header, where a name of theirs resolves to this machine', async () => {
    const answer = await raw(
      server,
      'GET /v1/models HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\n\r\n',
    );
    expect(answer).toMatch(/^HTTP\/1.1 403 [\s\S]*"code":"FORBIDDEN"/);
  });

  test('are refused by what browsers say of a request', async () => {
    const headers = (mode: string) =>
      `Host: localhost\r\nSec-Fetch-Site: cross-site\r\nSec-Fetch-Mode: ${mode}\r\n`;
    const end = 'Content-Length: 0\r\nConnection: close\r\n\r\n';
    expect(await raw(server, `POST /v1/jobs HTTP/1.1\r\n${headers('no-cors')}${end}`)).toMatch(
      /^HTTP\/1.1 403/,
    );
    expect(await raw(server, `POST /v1/jobs HTTP/1.1\r\n${headers('navigate')}${end}`)).toMatch(
      /^HTTP\/1.1 403/,
    );
    expect(await raw(server, `GET / HTTP/1.1\r\n${headers('navigate')}${end}`)).toMatch(/^HTTP\/1.1 200/);
  });
});

test('a token is needed where one is set, except by probes, page and document', async () => {
  const token = 'a-token-of-24-characters';
  const guarded = await ready({ ensemble, token });
  const ask = (path: string, authorization?: string) =>
    fetch(`${guarded.url}${path}`, { headers: { ...(authorization !== undefined && { authorization }) } });
  try {
    for (const path of ['/v1/models', '/v1/jobs/x', '/v1/jobs/x/result', '/v1/jobs/x/events', '/metrics']) {
      const missing = await ask(path);
      expect([missing.status, missing.headers.get('www-authenticate')]).toEqual([
        401,
        'Bearer realm="cellroute"',
      ]);
      for (const wrong of [
        `Bearer ${token}x`,
        `Bearer ${token.slice(1)}`,
        'Bearer ',
        `Basic ${token}`,
        token,
      ]) {
        expect(await problem(ask(path, wrong))).toMatchObject({ status: 401, code: 'UNAUTHORIZED' });
      }
      expect((await ask(path, `Bearer ${token}`)).status).not.toBe(401);
    }
    expect((await post(guarded, `/v1/segment?${type}`)).status).toBe(401);
    for (const path of ['/livez', '/readyz', '/openapi.json', '/'])
      expect((await ask(path)).status).toBe(200);
    const document = await json(ask('/openapi.json'));
    expect(document).toMatchObject({ paths: { '/v1/segment': { post: { security: [{ token: [] }] } } } });
  } finally {
    await guarded.close();
  }
});

describe('/openapi.json', () => {
  interface Operation {
    parameters?: { name: string; schema: Record<string, unknown>; description?: string }[];
    responses: Record<string, unknown>;
  }

  test('has every route, every threshold with its range, and no broken reference', async () => {
    const document = (await json(get('/openapi.json'))) as {
      openapi: string;
      paths: Record<string, Record<string, Operation>>;
      components: { schemas: Record<string, unknown> };
    };
    expect(document.openapi).toBe('3.1.0');
    expect(Object.keys(document.paths).sort()).toEqual([
      '/',
      '/livez',
      '/metrics',
      '/openapi.json',
      '/readyz',
      '/v1/classify',
      '/v1/jobs',
      '/v1/jobs/{id}',
      '/v1/jobs/{id}/events',
      '/v1/jobs/{id}/result',
      '/v1/models',
      '/v1/segment',
    ]);
    const { parameters } = document.paths['/v1/segment']!.post!;
    for (const name of THRESHOLD_NAMES) {
      const { range } = thresholdSpec(name);
      const own = parameters!.find((parameter) => parameter.name === name);
      expect(own?.schema).toMatchObject({ minimum: range.min, maximum: range.max });
    }
    const references = [...JSON.stringify(document).matchAll(/"\$ref":"#\/components\/schemas\/(\w+)"/g)];
    expect(references.length).toBeGreaterThan(20);
    for (const [, name] of references) expect(document.components.schemas).toHaveProperty(name!);
  });
});

test('metrics count requests, cells and rejections', async () => {
  const before = await metric(server, 'cellroute_cells_count{segmenter="fluorescence"}');
  const refused = await metric(server, 'cellroute_rejections_total{code="IMAGE_UNREADABLE"}');
  await post(server, `/v1/segment?${type}`);
  await post(server, `/v1/segment?${type}`, { body: 'text' });
  expect(await metric(server, 'cellroute_cells_count{segmenter="fluorescence"}')).toBe(before + 1);
  expect(await metric(server, 'cellroute_rejections_total{code="IMAGE_UNREADABLE"}')).toBe(refused + 1);
  expect(await metric(server, 'cellroute_ready')).toBe(1);
  expect(await metric(server, 'cellroute_stage_seconds_count{stage="segment"}')).toBeGreaterThan(1);
  const labels = 'route="/v1/segment",method="POST",status="422"';
  expect(await metric(server, `cellroute_request_seconds_count{${labels}}`)).toBeGreaterThan(0);
});

test('docs/http-service.md has every code with its status, and no other', () => {
  const page = readFileSync(join(root, 'docs', 'http-service.md'), 'utf8');
  const documented: Record<string, number> = {};
  for (const [, codes, status] of page.matchAll(/\| ((?:`[A-Z_]+`,? ?)+) *\| (\d{3}) */g)) {
    for (const [, code] of codes!.matchAll(/`([A-Z_]+)`/g)) documented[code!] = Number(status);
  }
  expect(documented).toEqual(PROBLEM_STATUS);
});
