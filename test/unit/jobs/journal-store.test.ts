import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { CellrouteError } from '../../../lib/errors.js';
import { Journal } from '../../../lib/jobs/journal.js';
import { JournalJobStore } from '../../../lib/jobs/journal-store.js';
import type { JobLimits } from '../../../lib/jobs/limits.js';
import { isFinal, type Job } from '../../../lib/jobs/types.js';
import { Bench } from '../../support/bench.js';
import { refusal } from '../../support/refusal.js';

let folder: string;
const opened: JournalJobStore<string, string>[] = [];
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'cellroute-jobs-'));
});
afterEach(async () => {
  for (const store of opened.splice(0)) await store.close();
  rmSync(folder, { recursive: true, force: true });
});

const at = (name: string) => join(folder, name);

async function openStore(name = 'jobs', limits: JobLimits = {}): Promise<JournalJobStore<string, string>> {
  const store = await JournalJobStore.open<string, string>(at(name), { retrySeconds: 0.01, ...limits });
  opened.push(store);
  return store;
}

/** The folder as a process leaves it that is killed now. */
function killedNow(name: string): string {
  const copy = `${name}-killed-${Math.random()}`;
  cpSync(at(name), at(copy), { recursive: true, filter: (path) => !path.endsWith('.lock') });
  return copy;
}

const submitAll = async (store: JournalJobStore<string, string>, inputs: readonly string[]) => {
  const ids: string[] = [];
  for (const input of inputs) ids.push((await store.submit(input)).job.id);
  return ids;
};

/** The job once this is so. */
async function when(
  store: JournalJobStore<string, string>,
  id: string,
  is: (job: Job) => boolean,
): Promise<Job> {
  for await (const job of store.events(id)) if (is(job)) return job;
  throw new Error('the job ended otherwise');
}
const ended = (store: JournalJobStore<string, string>, id: string) =>
  when(store, id, ({ state }) => isFinal(state));
const running = (store: JournalJobStore<string, string>, id: string) =>
  when(store, id, ({ state }) => state === 'running');

const work = (bench: Bench, concurrency = 1, retries = (_: unknown) => true) => ({
  run: bench.run,
  concurrency,
  retries,
});

/** Lets writes of the journal end. */
async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await delay(2);
}

test('jobs wait until work starts, run by priority and submission, and keep their results', async () => {
  const store = await openStore();
  const ids: Record<string, string> = {};
  for (const [input, priority] of [
    ['a', 0],
    ['b', 0],
    ['c', 7],
    ['d', 7],
  ] as const) {
    ids[input] = (await store.submit(input, { priority })).job.id;
  }
  expect(store.counts).toEqual({ waiting: 4, running: 0, done: 0, failed: 0, cancelled: 0 });
  const bench = new Bench();
  store.start(work(bench));
  for (const input of ['c', 'd', 'a', 'b']) {
    await until(() => bench.started.includes(input));
    await bench.finish(input);
    expect((await ended(store, ids[input]!)).state).toBe('done');
  }
  expect(bench.started).toEqual(['c', 'd', 'a', 'b']);
  expect(await store.result(ids.a!)).toBe('a!');
  expect((await refusal(store.submit('x', { priority: 101 }))).details.option).toBe('priority');
});

test('submitted and ended jobs are restored after the process is killed', async () => {
  const store = await openStore();
  const [a, b] = await submitAll(store, ['a', 'b']);
  await store.submit('c', { key: 'k', digest: '1' });
  const bench = new Bench();
  store.start(work(bench));
  await until(() => bench.started.length === 1);
  await bench.finish('a');
  await ended(store, a!);
  await until(() => readFileSync(join(at('jobs'), 'journal.jsonl'), 'utf8').includes('"a!"'));
  const again = await openStore(killedNow('jobs'));
  expect(await again.result(a!)).toBe('a!');
  expect(await again.get(a!)).toEqual(await store.get(a!));
  expect((await again.get(b!)).state).toBe('waiting');
  expect(await again.submit('c', { key: 'k', digest: '1' })).toMatchObject({ created: false });
  expect((await refusal(again.submit('c', { key: 'k', digest: '2' }))).code).toBe('JOB_CONFLICT');
  expect(again.counts).toMatchObject({ waiting: 2, done: 1 });
});

test('a job that runs when its process is killed runs again, three times in all', async () => {
  let name = 'jobs';
  const first = await openStore(name);
  const [poison] = await submitAll(first, ['poison', 'b']);
  let store = first;
  for (let death = 0; death < 3; death++) {
    const bench = new Bench();
    store.start(work(bench));
    await until(() => bench.started.length === 1);
    expect(bench.started).toEqual(['poison']);
    name = killedNow(name);
    store = await openStore(name);
  }
  expect(await store.get(poison!)).toMatchObject({
    state: 'failed',
    error: { code: 'JOB_ABANDONED', message: expect.stringContaining('ended 3 times') as string },
  });
  expect((await refusal(store.result(poison!))).code).toBe('JOB_ABANDONED');
  const bench = new Bench();
  store.start(work(bench));
  await until(() => bench.started.length === 1);
  expect(bench.started).toEqual(['b']);
});

test('a job that runs beside one that kills its process is retried', async () => {
  const first = await openStore();
  const [poison, innocent] = await submitAll(first, ['poison', 'innocent']);
  const together = new Bench();
  first.start(work(together, 2));
  await until(() => together.started.length === 2);
  let name = killedNow('jobs');
  for (let death = 0; death < 2; death++) {
    const store = await openStore(name);
    const bench = new Bench();
    store.start(work(bench, 2));
    await until(() => bench.started.length === 1);
    await delay(20);
    // Alone, though there is room for two.
    expect(bench.started).toEqual(['poison']);
    name = killedNow(name);
  }
  const store = await openStore(name);
  expect((await store.get(poison!)).error?.code).toBe('JOB_ABANDONED');
  const bench = new Bench();
  store.start(work(bench, 2));
  await until(() => bench.started.length === 1);
  await bench.finish('innocent');
  expect((await ended(store, innocent!)).state).toBe('done');
});

test('a failed job is tried three times, one that cannot succeed once', async () => {
  const store = await openStore();
  const bench = new Bench();
  const retries = (error: unknown) => !CellrouteError.is(error, 'IMAGE_UNREADABLE');
  store.start(work(bench, 1, retries));
  const [bad] = await submitAll(store, ['bad']);
  await until(() => bench.started.length === 1);
  await bench.fail('bad', new CellrouteError('IMAGE_UNREADABLE', 'no image'));
  expect(await ended(store, bad!)).toMatchObject({ state: 'failed', error: { code: 'IMAGE_UNREADABLE' } });
  const [flaky] = await submitAll(store, ['flaky']);
  for (let attempt = 1; attempt <= 3; attempt++) {
    await until(() => bench.started.length === 1 + attempt);
    await bench.fail('flaky', new CellrouteError('FILE_UNREADABLE', `attempt ${attempt}`, { file: 'x' }));
  }
  expect(await ended(store, flaky!)).toMatchObject({
    state: 'failed',
    error: { code: 'FILE_UNREADABLE', message: 'attempt 3' },
  });
  expect(bench.started).toEqual(['bad', 'flaky', 'flaky', 'flaky']);
});

test('an ended job stays ended, and a failed or cancelled one runs again when it is retried', async () => {
  const store = await openStore();
  const bench = new Bench();
  store.start(work(bench, 1, () => false));
  const [a] = await submitAll(store, ['a']);
  await until(() => bench.started.length === 1);
  await bench.fail('a', new CellrouteError('NO_SEGMENTER', 'none', { expected: 'x', got: 'y' }));
  await ended(store, a!);
  expect((await store.cancel(a!)).state).toBe('failed');
  await store.retry(a!);
  await until(() => bench.started.length === 2);
  await bench.finish('a');
  expect((await ended(store, a!)).state).toBe('done');
  expect((await store.retry(a!)).state).toBe('done');
  const again = await openStore(killedNow('jobs'));
  expect(await again.get(a!)).toMatchObject({ state: 'done' });
});

test('cancels a waiting and a running job, which are cancelled after a kill too', async () => {
  const store = await openStore();
  const bench = new Bench();
  const [a, b] = await submitAll(store, ['a', 'b']);
  store.start(work(bench));
  await until(() => bench.started.length === 1);
  bench.progress.get('a')!(0.5);
  expect(await running(store, a!)).toMatchObject({ progress: { stage: 'network', fraction: 0.5 } });
  expect((await store.cancel(a!)).state).toBe('cancelled');
  expect((await store.cancel(b!)).state).toBe('cancelled');
  expect(bench.stopped).toEqual(['a']);
  expect((await refusal(store.result(a!))).code).toBe('JOB_CANCELLED');
  const again = await openStore(killedNow('jobs'));
  expect(again.counts).toMatchObject({ cancelled: 2, waiting: 0, running: 0 });
});

test('jobs that are stopped when work stops wait again, and no attempt is counted', async () => {
  const first = await openStore();
  const [a, b] = await submitAll(first, ['a', 'b']);
  const bench = new Bench();
  const started = first.start(work(bench, 2));
  await until(() => bench.started.length === 2);
  const stopped = started.stop(0.2);
  await bench.finish('a');
  await stopped;
  expect(bench.stopped).toEqual(['b']);
  expect(first.counts).toMatchObject({ done: 1, waiting: 1 });
  await first.close();
  opened.splice(opened.indexOf(first), 1);
  const store = await openStore();
  expect(await store.result(a!)).toBe('a!');
  expect((await store.get(b!)).state).toBe('waiting');
});

test('refuses jobs beyond maxWaiting, and use after it was closed', async () => {
  const store = await openStore('jobs', { maxWaiting: 1 });
  await store.submit('a');
  expect((await refusal(store.submit('b'))).code).toBe('BUSY');
  await store.close();
  expect((await refusal(store.submit('b'))).code).toBe('DISPOSED');
});

test('forgets the oldest ended jobs and frees their keys', async () => {
  const store = await openStore('jobs', { maxEnded: 2 });
  const bench = new Bench();
  store.start(work(bench));
  const ids: string[] = [];
  for (const input of ['a', 'b', 'c']) {
    const { job } = await store.submit(input, { key: input, digest: '1' });
    ids.push(job.id);
    await until(() => bench.started.at(-1) === input);
    await bench.finish(input);
    await ended(store, job.id);
  }
  expect((await refusal(store.get(ids[0]!))).code).toBe('JOB_NOT_FOUND');
  expect(await store.submit('a', { key: 'a', digest: '2' })).toMatchObject({ created: true });
  const again = await openStore(killedNow('jobs'), { maxEnded: 2 });
  expect((await refusal(again.get(ids[0]!))).code).toBe('JOB_NOT_FOUND');
  expect(await again.result(ids[2]!)).toBe('c!');
});

test('forgets a job after its time', async () => {
  const store = await openStore('jobs', { keepSeconds: 1 });
  const [a] = await submitAll(store, ['a']);
  await store.cancel(a!);
  const known = () =>
    store.get(a!).then(
      () => true,
      () => false,
    );
  while (await known()) await delay(50);
  await store.close();
  opened.splice(opened.indexOf(store), 1);
  expect((await openStore()).counts).toMatchObject({ cancelled: 0 });
});

test.each([
  ['a record without an id', {}],
  ['a job without a state', { id: 'a', job: { id: 'a' } }],
  ['another id', { id: 'a', job: { id: 'b', state: 'waiting' } }],
  ['an end without a time', { id: 'a', job: { id: 'a', state: 'done' } }],
])('refuses a journal with %s', async (_, record) => {
  const store = await openStore();
  await store.close();
  opened.pop();
  const file = join(at('jobs'), 'journal.jsonl');
  writeFileSync(file, `${JSON.stringify(record)}\n`);
  const error = await refusal(JournalJobStore.open(at('jobs')));
  expect(error).toMatchObject({ code: 'DATA_INVALID', details: { file } });
});

test('of two submissions with one key, none resolves if the job cannot be written', async () => {
  const store = await openStore();
  const handle = await open(at('jobs'), 'r');
  const full = jest
    .spyOn(Object.getPrototypeOf(handle), 'write')
    .mockRejectedValueOnce(Object.assign(new Error('no space'), { code: 'ENOSPC' }));
  await handle.close();
  const same = { key: 'k', digest: '1' };
  const codes = await Promise.all(
    [store.submit('a', same), store.submit('a', same)].map(async (work) => (await refusal(work)).code),
  );
  expect(codes).toEqual(['FILE_UNWRITABLE', 'FILE_UNWRITABLE']);
  full.mockRestore();
  expect(store.counts).toMatchObject({ waiting: 0 });
  expect((await store.submit('a', same)).created).toBe(true);
});

test('a change is recorded although the journal, which is too long, cannot be rewritten', async () => {
  const store = await openStore();
  const [id] = await submitAll(store, ['a']);
  const long = jest.spyOn(Journal.prototype, 'lines', 'get').mockReturnValue(1e6);
  const full = new CellrouteError('FILE_UNWRITABLE', 'no space', { file: 'journal.jsonl' });
  const rewriting = jest.spyOn(Journal.prototype, 'rewrite').mockRejectedValue(full);
  try {
    expect((await store.cancel(id!)).state).toBe('cancelled');
    expect(rewriting).toHaveBeenCalled();
  } finally {
    long.mockRestore();
    rewriting.mockRestore();
  }
  expect((await (await openStore(killedNow('jobs'))).get(id!)).state).toBe('cancelled');
});

test('the journal stays small however many jobs there were', async () => {
  const store = await openStore('jobs', { maxEnded: 1 });
  store.start({ run: async (input) => `${input}!`, concurrency: 100, retries: () => false });
  const submitted = await Promise.all(Array.from({ length: 900 }, (_, i) => store.submit(String(i))));
  const last = submitted.at(-1)!.job.id;
  await ended(store, last);
  await store.close();
  opened.splice(opened.indexOf(store), 1);
  const lines = readFileSync(join(at('jobs'), 'journal.jsonl'), 'utf8').split('\n').length;
  expect(lines).toBeLessThan(1200);
  expect(await (await openStore()).result(last)).toBe('899!');
});
