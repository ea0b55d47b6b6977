import { setImmediate as turn } from 'node:timers/promises';
import { CellrouteError } from '../../../lib/errors.js';
import { MemoryJobStore, type MemoryJobStoreOptions } from '../../../lib/jobs/memory.js';
import type { Job } from '../../../lib/jobs/types.js';
import { Bench } from '../../support/bench.js';
import { refusal } from '../../support/refusal.js';
import { thrown } from '../../support/sdk.js';

function storeOf(options: Partial<MemoryJobStoreOptions<string, string>> = {}) {
  const bench = new Bench();
  return { bench, store: new MemoryJobStore<string, string>({ run: bench.run, ...options }) };
}

/** The states of a job as its events show them. */
async function statesOf(events: AsyncIterable<Job>): Promise<string[]> {
  const states: string[] = [];
  for await (const { state, progress } of events)
    states.push(progress ? `${state} ${progress.fraction}` : state);
  return states;
}

test('runs jobs in the order of submission, up to the concurrency at once, and keeps their results', async () => {
  const { store, bench } = storeOf({ concurrency: 2 });
  const ids: string[] = [];
  for (const input of ['a', 'b', 'c']) ids.push((await store.submit(input)).job.id);
  expect(bench.started).toEqual(['a', 'b']);
  expect(store.counts).toEqual({ waiting: 1, running: 2, done: 0, failed: 0, cancelled: 0 });
  await bench.finish('b');
  expect(bench.started).toEqual(['a', 'b', 'c']);
  expect(await store.result(ids[1]!)).toBe('b!');
  await bench.finish('c');
  await bench.finish('a');
  expect(await store.result(ids[0]!)).toBe('a!');
  expect(await store.result(ids[0]!)).toBe('a!');
  const job = await store.get(ids[2]!);
  expect(job).toEqual({
    id: ids[2],
    state: 'done',
    submitted: expect.any(String) as string,
    started: expect.any(String) as string,
    ended: expect.any(String) as string,
  });
});

test('a caller that changes a returned job does not change the store', async () => {
  const { store } = storeOf();
  const { job } = await store.submit('a');
  job.state = 'done';
  expect((await store.get(job.id)).state).toBe('running');
});

test('one key is one job while its request is the same, in whatever state', async () => {
  const { store, bench } = storeOf();
  const first = await store.submit('a', { key: 'k', digest: '1' });
  const [again, other] = await Promise.all([
    store.submit('a', { key: 'k', digest: '1' }),
    store.submit('b', { key: 'l', digest: '1' }),
  ]);
  expect(first.created).toBe(true);
  expect(again).toEqual({ job: first.job, created: false });
  expect(other.job.id).not.toBe(first.job.id);
  await bench.finish('a');
  expect(await store.submit('a', { key: 'k', digest: '1' })).toMatchObject({
    created: false,
    job: { id: first.job.id, state: 'done' },
  });
  expect(bench.started).toEqual(['a', 'b']);
  const conflict = await refusal(store.submit('c', { key: 'k', digest: '2' }));
  expect(conflict.code).toBe('JOB_CONFLICT');
  expect((await refusal(store.submit('c', { key: 'k' }))).details.option).toBe('digest');
});

test('reports each change of a job, and the latest to a slow reader', async () => {
  const { store, bench } = storeOf({ concurrency: 1 });
  await store.submit('first');
  const { job } = await store.submit('a');
  const seen = statesOf(store.events(job.id));
  const slow = store.events(job.id)[Symbol.asyncIterator]();
  expect((await slow.next()).value).toMatchObject({ state: 'waiting' });
  await turn();
  await bench.finish('first');
  bench.progress.get('a')!(0.25);
  await turn();
  bench.progress.get('a')!(0.5);
  await turn();
  await bench.finish('a');
  bench.progress.get('a')!(1);
  expect(await seen).toEqual(['waiting', 'running', 'running 0.25', 'running 0.5', 'done']);
  expect((await slow.next()).value).toMatchObject({ state: 'done' });
  expect(await slow.next()).toEqual({ done: true, value: undefined });
  expect(await statesOf(store.events(job.id))).toEqual(['done']);
});

test('events end where their reader stops, in a wait too', async () => {
  const { store } = storeOf();
  const { job } = await store.submit('a');
  const stop = new AbortController();
  const seen = statesOf(store.events(job.id, { signal: stop.signal }));
  await turn();
  stop.abort();
  expect(await seen).toEqual(['running']);
});

test('cancels a waiting job before it starts, a running one by its signal, and an ended one not', async () => {
  const { store, bench } = storeOf({ concurrency: 1 });
  const running = (await store.submit('a')).job.id;
  const waiting = (await store.submit('b')).job.id;
  const next = (await store.submit('c')).job.id;
  const events = statesOf(store.events(running));
  await turn();
  expect(await store.cancel(waiting)).toMatchObject({ state: 'cancelled' });
  expect(await store.cancel(running)).toMatchObject({ state: 'cancelled' });
  await turn();
  expect(bench.stopped).toEqual(['a']);
  expect(bench.started).toEqual(['a', 'c']);
  expect(await events).toEqual(['running', 'cancelled']);
  expect((await refusal(store.result(running))).code).toBe('JOB_CANCELLED');
  await bench.finish('c');
  expect(await store.cancel(next)).toMatchObject({ state: 'done' });
  expect(await store.result(next)).toBe('c!');
});

test('keeps the error of a failed job, and reports errors that are not CellrouteErrors', async () => {
  const reported: unknown[] = [];
  const { store, bench } = storeOf({ onError: (error) => void reported.push(error) });
  const bad = (await store.submit('a')).job.id;
  const bug = (await store.submit('b')).job.id;
  await bench.fail('a', new CellrouteError('IMAGE_UNREADABLE', 'no image'));
  await bench.fail('b', new TypeError('secret of the server'));
  expect(await store.get(bad)).toMatchObject({
    state: 'failed',
    error: { code: 'IMAGE_UNREADABLE', message: 'no image' },
  });
  expect((await refusal(store.result(bad))).code).toBe('IMAGE_UNREADABLE');
  expect((await store.get(bug)).error).toEqual({
    code: 'NATIVE_FAILURE',
    message: 'The job failed by an internal error.',
  });
  expect(reported).toEqual([new TypeError('secret of the server')]);
});

test('refuses jobs beyond its limits', async () => {
  const { store, bench } = storeOf({ concurrency: 1, maxWaiting: 1 });
  await store.submit('a');
  await store.submit('b');
  expect((await refusal(store.submit('c'))).code).toBe('BUSY');
  await bench.finish('a');
  await store.submit('c');
  expect((await refusal(store.submit('d'))).code).toBe('BUSY');
});

test('forgets ended jobs to make room for the bytes of new ones, and refuses where there is none', async () => {
  const { store, bench } = storeOf({ maxBytes: 10, bytesOf: (input) => input.length });
  const first = (await store.submit('aaaa')).job.id;
  const second = (await store.submit('bbbbb')).job.id;
  expect((await refusal(store.submit('cc'))).code).toBe('BUSY');
  await bench.finish('bbbbb');
  await bench.finish('aaaa');
  const third = (await store.submit('cccc')).job.id;
  expect((await refusal(store.get(second))).code).toBe('JOB_NOT_FOUND');
  expect(await store.result(first)).toBe('aaaa!');
  expect((await store.get(third)).state).toBe('running');
  expect((await refusal(store.submit('x'.repeat(11)))).code).toBe('BUSY');
  expect(await store.result(first)).toBe('aaaa!');
});

test('keeps the allowed number of ended jobs for their time, and frees their keys', async () => {
  jest.useFakeTimers({ doNotFake: ['setImmediate'] });
  try {
    const { store, bench } = storeOf({ maxEnded: 2, keepSeconds: 60 });
    const ids: string[] = [];
    for (const input of ['a', 'b', 'c']) {
      ids.push((await store.submit(input, { key: input, digest: '1' })).job.id);
      await bench.finish(input);
    }
    expect((await refusal(store.get(ids[0]!))).code).toBe('JOB_NOT_FOUND');
    expect((await store.submit('a', { key: 'a', digest: 'other' })).created).toBe(true);
    jest.advanceTimersByTime(60_001);
    expect((await refusal(store.result(ids[2]!))).message).toContain(ids[2]);
    expect(store.counts).toEqual({ waiting: 0, running: 1, done: 0, failed: 0, cancelled: 0 });
  } finally {
    jest.useRealTimers();
  }
});

test('closes: cancels all, waits for work that stops late, and takes no more', async () => {
  let leave = () => {};
  const late = new Promise<void>((resolve) => {
    leave = resolve;
  });
  const store = new MemoryJobStore<string, string>({ run: () => late.then(() => 'late') });
  const { job } = await store.submit('a');
  let closed = false;
  const closing = store.close().then(() => {
    closed = true;
  });
  await turn();
  expect([closed, (await store.get(job.id)).state]).toEqual([false, 'cancelled']);
  leave();
  await closing;
  expect((await refusal(store.submit('b'))).code).toBe('DISPOSED');
  expect((await refusal(store.get(null as never))).code).toBe('INVALID_ARGUMENT');
  expect((await refusal(store.get(job.id))).code).toBe('JOB_NOT_FOUND');
});

test('refuses invalid options', () => {
  const run = async () => '';
  for (const [options, message] of [
    [{ run: 1 }, /run but received 1/],
    [{ run, concurrency: 0 }, /an integer from 1 to 1024 for concurrency/],
    [{ run, maxWaiting: Number.NaN }, /maxWaiting/],
    [{ run, keep: 1 }, /Unknown option keep/],
  ] as const) {
    const store = () => new MemoryJobStore(options as MemoryJobStoreOptions<string, string>);
    expect(thrown(store)).toMatchObject({
      code: 'INVALID_ARGUMENT',
      message: expect.stringMatching(message),
    });
  }
});
