import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { json } from 'node:stream/consumers';
import { Worker } from 'node:worker_threads';
import type { LogLine } from '../../lib/trainer/log.js';
import { syncWandb, WandbLog } from '../../lib/trainer/wandb.js';
import { rejection } from '../support/sdk.js';
import { runFolders } from '../support/training.js';

const folder = runFolders();
const options = { project: 'cells', entity: null, name: 'first', offline: false };

/** The part of Weights & Biases' server that its package uses. */
class Wandb {
  readonly rows = new Map<number, Record<string, number>>();
  readonly runs: Record<string, unknown>[] = [];
  finished = 0;
  broken = false;
  #server!: Server;

  async start(): Promise<string> {
    this.#server = createServer(async (request, response) => {
      const body = (await json(request)) as Record<string, unknown>;
      response.setHeader('content-type', 'application/json');
      if (this.broken) response.statusCode = 403;
      response.end(
        JSON.stringify(request.url === '/graphql' ? { data: this.#answer(body) } : this.#stream(body)),
      );
    });
    await new Promise<void>((ready) => this.#server.listen(0, '127.0.0.1', ready));
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  #answer({ query, variables }: { query?: string; variables?: Record<string, unknown> }) {
    if (query?.includes('Viewer'))
      return { viewer: { id: '1', entity: 'someone', flags: '', teams: { edges: [] } } };
    this.runs.push(variables!);
    return { upsertBucket: { bucket: { id: '1', displayName: 'first' }, inserted: true } };
  }

  #stream(body: { files?: Record<string, { offset: number; content: string[] }>; complete?: boolean }) {
    const history = body.files?.['wandb-history.jsonl'];
    for (const [i, text] of history?.content.entries() ?? []) {
      this.rows.set(history!.offset + i, JSON.parse(text) as Record<string, number>);
    }
    if (body.complete) this.finished++;
    return {};
  }

  stop(): Promise<void> {
    this.#server.closeAllConnections();
    return new Promise((done) => this.#server.close(() => done()));
  }
}

const step = (at: number): LogLine => ({
  kind: 'step',
  time: 1000 + at,
  epoch: 1,
  step: at,
  total: at / 2,
  losses: { loss_mask: at / 4 },
  lr: 0.01,
  momentum: 0.9,
  gradNorm: 1,
  imagesPerSecond: 3,
});
const validation: LogLine = {
  kind: 'validation',
  time: 2000,
  epoch: 1,
  step: 3,
  metric: 'kaggle',
  score: 0.5,
  best: true,
  figures: { ap: 0.25 },
  seconds: 1,
};
const lines = [step(1), step(2), step(3), validation];

async function tell(path: string, given: readonly LogLine[]): Promise<void> {
  const log = await WandbLog.open(path, options, { batchSize: 2 });
  for (const line of given) log.record(line);
  await log.close();
}

const wandbJson = (path: string) => JSON.parse(readFileSync(path, 'utf8')) as Record<string, unknown>;

describe('with a server', () => {
  const server = new Wandb();
  beforeAll(async () => {
    process.env.WANDB_BASE_URL = await server.start();
    process.env.WANDB_API_KEY = 'a'.repeat(40);
  });
  afterAll(async () => {
    delete process.env.WANDB_BASE_URL;
    delete process.env.WANDB_API_KEY;
    await server.stop();
  });

  test('a run’s log is uploaded completely, one row per step, and again when it is resumed', async () => {
    const path = folder('online.json');
    await tell(path, lines.slice(0, 2));
    await tell(path, lines);
    expect(server.runs).toHaveLength(2);
    expect(server.runs[1]).toMatchObject({
      name: server.runs[0]!.name,
      project: 'cells',
      displayName: 'first',
    });
    expect(JSON.parse(server.runs[0]!.config as string)).toEqual({ batchSize: 2 });
    expect([...server.rows.keys()].sort()).toEqual([0, 1, 2]);
    expect(server.rows.get(0)).toMatchObject({
      _step: 1,
      'train/total': 0.5,
      'train/loss_mask': 0.25,
      'rate/lr': 0.01,
    });
    expect(server.rows.get(2)).toMatchObject({
      _step: 3,
      'train/total': 1.5,
      'validation/kaggle': 0.5,
      'validation/ap': 0.25,
    });
    expect(server.finished).toBe(2);
    expect(wandbJson(path)).toMatchObject({ synced: true, url: expect.stringContaining('/cells/runs/') });
  });

  test('an offline log is uploaded later', async () => {
    const run = folder('run');
    process.env.WANDB_MODE = 'offline';
    mkdirSync(run);
    await tell(`${run}/wandb.json`, lines);
    delete process.env.WANDB_MODE;
    expect(wandbJson(`${run}/wandb.json`)).toMatchObject({ synced: false });
    writeFileSync(`${run}/config.json`, '{"batchSize":4}');
    writeFileSync(`${run}/log.jsonl`, lines.map((line) => `${JSON.stringify(line)}\n`).join(''));
    server.rows.clear();
    expect(await syncWandb(run)).toContain('/cells/runs/');
    expect(server.rows.size).toBe(3);
    expect(JSON.parse(server.runs.at(-1)!.config as string)).toEqual({ batchSize: 4 });
  });

  test('a thread that ends before the upload is complete is reported', async () => {
    const path = folder('ended.json');
    const sending = jest.spyOn(Worker.prototype, 'postMessage').mockImplementation(function (this: Worker) {
      void this.terminate();
    });
    const error = await rejection(tell(path, lines)).finally(() => sending.mockRestore());
    expect(error).toMatchObject({ code: 'UPLOAD_FAILED', message: expect.stringMatching(/thread .* ended/) });
    expect(wandbJson(path)).toMatchObject({ synced: false });
  });

  test('an abort ends the upload and its thread', async () => {
    const run = folder('aborted');
    mkdirSync(run);
    writeFileSync(`${run}/wandb.json`, JSON.stringify({ ...options, id: 'a', synced: false }));
    writeFileSync(`${run}/config.json`, '{}');
    writeFileSync(`${run}/log.jsonl`, lines.map((line) => `${JSON.stringify(line)}\n`).join(''));
    const stop = new AbortController();
    const ending = jest.spyOn(Worker.prototype, 'terminate');
    const sending = jest.spyOn(Worker.prototype, 'postMessage').mockImplementation((message) => {
      if ((message as { kind: string }).kind === 'finish') stop.abort(new Error('enough'));
    });
    try {
      expect(await rejection(syncWandb(run, { signal: stop.signal }))).toBe(stop.signal.reason);
      expect(ending).toHaveBeenCalled();
    } finally {
      sending.mockRestore();
      ending.mockRestore();
    }
    expect(wandbJson(`${run}/wandb.json`)).toMatchObject({ synced: false });
  });

  test('a server that refuses requests is reported at the end, and does not affect the run', async () => {
    server.broken = true;
    const path = folder('refused.json');
    const error = await rejection(tell(path, lines));
    expect(error).toMatchObject({ code: 'UPLOAD_FAILED', details: { file: folder('.') } });
    expect(error.message).toMatch(/No data are lost/);
    expect(wandbJson(path)).toMatchObject({ synced: false });
    server.broken = false;
  });
});

test('a missing network or key does not affect the run', async () => {
  process.env.WANDB_BASE_URL = 'http://127.0.0.1:1';
  const path = folder('nowhere.json');
  expect((await rejection(tell(path, lines))).message).toMatch(/WANDB_API_KEY.*No data are lost/);
  process.env.WANDB_API_KEY = 'a'.repeat(40);
  expect((await rejection(tell(path, lines))).message).toMatch(/No data are lost/);
  delete process.env.WANDB_BASE_URL;
  delete process.env.WANDB_API_KEY;
});

test('a folder without such a run is refused', async () => {
  expect(await rejection(syncWandb(folder('nothing')))).toMatchObject({ code: 'FILE_UNREADABLE' });
});
