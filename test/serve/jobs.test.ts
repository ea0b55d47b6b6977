import { resultJson } from '../../lib/export/result-json.js';
import { RoutedEnsemble } from '../../lib/inference/ensemble.js';
import type { Job } from '../../lib/jobs/types.js';
import { eventStream } from '../../lib/serve/events.js';
import type { RunningServer } from '../../lib/serve/server.js';
import { image, imageBytes, testEnsemble } from '../support/sdk.js';
import { json, metric, post, problem, ready, until } from '../support/serve.js';

let ensemble: RoutedEnsemble;
let server: RunningServer;

beforeAll(async () => {
  ensemble = await RoutedEnsemble.load(testEnsemble);
  server = await ready({ ensemble, limits: { jobs: 2 } });
});
afterAll(async () => {
  await server.close();
  await ensemble.dispose();
});

const get = (path: string, init: RequestInit = {}) => fetch(`${server.url}${path}`, init);
const type = 'cellType=fluorescence';
const large = { body: new Uint8Array(imageBytes('large')) };

async function submitted(path: string, init: RequestInit = {}) {
  const answer = await post(server, path, init);
  return { answer, job: (await answer.json()) as Job };
}

/** The jobs that the events of one show. */
async function followed(id: string): Promise<Job[]> {
  const answer = await get(`/v1/jobs/${id}/events`);
  expect(answer.headers.get('content-type')).toBe('text/event-stream');
  const text = await answer.text();
  return [...text.matchAll(/^event: job\nid: \d+\ndata: (.*)\n$/gm)].map(
    ([, data]) => JSON.parse(data!) as Job,
  );
}

const end = async (id: string) => (await followed(id)).at(-1)!;

test('a job ends with the result of the SDK, in every format', async () => {
  const { answer, job } = await submitted(`/v1/jobs?${type}&minScore=0.7&name=a.png`);
  expect(answer.status).toBe(202);
  expect(answer.headers.get('location')).toBe(`jobs/${job.id}`);
  const events = await followed(job.id);
  expect(events.at(-1)).toMatchObject({ id: job.id, state: 'done' });
  const fractions = events.flatMap(({ progress }) => (progress ? [progress.fraction] : []));
  expect(fractions).toEqual([...fractions].sort((a, b) => a - b));
  const own = await ensemble.segment(image.small, { cellType: 'fluorescence', minScore: 0.7 });
  const result = await get(`/v1/jobs/${job.id}/result`);
  expect(await result.text()).toBe(resultJson(own, { name: 'a.png' }));
  const overlay = await get(`/v1/jobs/${job.id}/result`, { headers: { accept: 'image/png' } });
  expect([overlay.status, overlay.headers.get('content-type')]).toEqual([200, 'image/png']);
  expect(await json(get(`/v1/jobs/${job.id}`))).toEqual(events.at(-1));
});

test('one key is one job; another image or other options with it are refused', async () => {
  const key = { headers: { 'idempotency-key': 'image-17' } };
  const all = await Promise.all([1, 2, 3].map(() => submitted(`/v1/jobs?${type}`, key)));
  expect(new Set(all.map(({ job }) => job.id)).size).toBe(1);
  expect(all.map(({ answer }) => answer.status).sort()).toEqual([200, 200, 202]);
  const id = all[0]!.job.id;
  await end(id);
  expect((await submitted(`/v1/jobs?${type}`, key)).job).toMatchObject({ id, state: 'done' });
  const other = post(server, `/v1/jobs?${type}&minScore=0.1`, key);
  expect(await problem(other)).toMatchObject({ status: 422, code: 'JOB_CONFLICT' });
  const image2 = post(server, `/v1/jobs?${type}`, { ...key, ...large });
  expect(await problem(image2)).toMatchObject({ status: 422, code: 'JOB_CONFLICT' });
  const long = { headers: { 'idempotency-key': 'x'.repeat(256) } };
  expect(await problem(post(server, `/v1/jobs?${type}`, long))).toMatchObject({ status: 400 });
});

test('a job can be cancelled, and is answered as such', async () => {
  const done = await metric(server, 'cellroute_jobs{state="done"}');
  const { job } = await submitted(`/v1/jobs?${type}&tiles=64`, large);
  expect(await problem(get(`/v1/jobs/${job.id}/result`))).toMatchObject({
    status: 409,
    code: 'JOB_UNFINISHED',
  });
  expect(await json(get(`/v1/jobs/${job.id}`, { method: 'DELETE' }))).toMatchObject({ state: 'cancelled' });
  expect(await end(job.id)).toMatchObject({ state: 'cancelled' });
  expect(await problem(get(`/v1/jobs/${job.id}/result`))).toMatchObject({
    status: 410,
    code: 'JOB_CANCELLED',
  });
  await until(async () => (await metric(server, 'cellroute_queue_calls')) === 0);
  expect(await metric(server, 'cellroute_jobs{state="done"}')).toBe(done);
});

test('a job whose image cannot be read fails with the code, and its result is that problem', async () => {
  const { job } = await submitted(`/v1/jobs?${type}`, { body: 'no image' });
  expect(await end(job.id)).toMatchObject({ state: 'failed', error: { code: 'IMAGE_UNREADABLE' } });
  expect(await problem(get(`/v1/jobs/${job.id}/result`))).toMatchObject({
    status: 422,
    code: 'IMAGE_UNREADABLE',
  });
});

test('options are refused at once', async () => {
  expect(await problem(post(server, '/v1/jobs?minScore=2'))).toMatchObject({
    status: 400,
    option: 'minScore',
  });
  expect(await problem(post(server, '/v1/jobs?format=json'))).toMatchObject({ status: 400 });
});

test('jobs above the limit are refused with a time to retry', async () => {
  const path = `/v1/jobs?${type}&tiles=64`;
  // Two run and two wait.
  const jobs = [];
  for (let i = 0; i < 4; i++) jobs.push((await submitted(path, large)).job);
  const full = await post(server, path, large);
  expect(Number(full.headers.get('retry-after'))).toBeGreaterThanOrEqual(1);
  expect(await problem(full)).toMatchObject({ status: 429, code: 'BUSY' });
  for (const { id } of jobs) await get(`/v1/jobs/${id}`, { method: 'DELETE' });
});

test('unknown ids are refused', async () => {
  for (const id of ['x', '00000000-0000-4000-8000-000000000000', '__proto__', '%00']) {
    for (const path of [`/v1/jobs/${id}`, `/v1/jobs/${id}/result`, `/v1/jobs/${id}/events`]) {
      expect(await problem(get(path))).toMatchObject({ status: 404, code: 'JOB_NOT_FOUND' });
    }
  }
});

test('a reader of events that leaves is not waited for', async () => {
  const { job } = await submitted(`/v1/jobs?${type}&tiles=64`, large);
  const stop = new AbortController();
  const answer = await get(`/v1/jobs/${job.id}/events`, { signal: stop.signal });
  const reader = answer.body!.getReader();
  await reader.read();
  stop.abort();
  expect(await json(get(`/v1/jobs/${job.id}`, { method: 'DELETE' }))).toMatchObject({ state: 'cancelled' });
});

test('a silent job is kept alive by comments', async () => {
  let end = () => {};
  const silent = new Promise<void>((resolve) => {
    end = resolve;
  });
  async function* slow(): AsyncGenerator<Job> {
    yield { id: 'a', state: 'running', submitted: '' };
    await silent;
    yield { id: 'a', state: 'done', submitted: '' };
  }
  const pieces: string[] = [];
  for await (const piece of eventStream(slow(), 1)) {
    pieces.push(piece);
    if (pieces.length === 3) end();
  }
  expect(pieces[0]).toContain('"running"');
  expect(pieces.slice(1, 3)).toEqual([': waiting\n\n', ': waiting\n\n']);
  expect(pieces.at(-1)).toContain('"done"');
});

test('events that fail leave no timer, which would keep the process alive', async () => {
  const timers = () => process.getActiveResourcesInfo().filter((kind) => kind === 'Timeout').length;
  const before = timers();
  async function* failing(): AsyncGenerator<Job> {
    yield { id: 'a', state: 'running', submitted: '' };
    throw new Error('gone');
  }
  const reading = (async () => {
    for await (const _ of eventStream(failing()));
  })();
  await expect(reading).rejects.toThrow('gone');
  expect(timers()).toBe(before);
});

test('jobs whose iterator fails to end leave no unhandled rejection', async () => {
  const job: Job = { id: 'a', state: 'running', submitted: '' };
  const jobs: AsyncIterable<Job> = {
    [Symbol.asyncIterator]: () => ({
      next: async () => ({ done: false, value: job }),
      return: () => Promise.reject(new Error('gone')),
    }),
  };
  const unhandled = jest.fn();
  process.on('unhandledRejection', unhandled);
  try {
    for await (const _ of eventStream(jobs)) break;
    await new Promise((done) => setImmediate(done));
  } finally {
    process.off('unhandledRejection', unhandled);
  }
  expect(unhandled).not.toHaveBeenCalled();
});
