// The small parts of cellroute/queue that need neither a network nor Redis.
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setImmediate as turn } from 'node:timers/promises';
import { CellrouteError } from '../../../lib/errors.js';
import { failureIn, failureText, isFull, isRetried } from '../../../lib/queue/failure.js';
import { Gate } from '../../../lib/queue/gate.js';
import { answerProbes, type WorkerState } from '../../../lib/queue/health.js';
import { smallerTiles, withinMemory } from '../../../lib/queue/smaller-tiles.js';
import { ImageSources } from '../../../lib/queue/source.js';
import { refusal } from '../../support/refusal.js';
import { imageBytes, rejection } from '../../support/sdk.js';

describe('failures', () => {
  const system = (code: string) => ({ cause: Object.assign(new Error(code), { code }) });
  const unreadable = (code: string) =>
    new CellrouteError('FILE_UNREADABLE', 'a.png: reason', { file: 'a.png' }, system(code));

  test('errors that a retry would not change are not retried', () => {
    expect(isRetried(new CellrouteError('IMAGE_UNREADABLE', 'damaged'))).toBe(false);
    expect(isRetried(new CellrouteError('INVALID_ARGUMENT', 'wrong'))).toBe(false);
    expect(isRetried(unreadable('ENOENT'))).toBe(false);
    expect(isRetried(unreadable('EIO'))).toBe(true);
    expect(isRetried(new CellrouteError('OUT_OF_MEMORY', 'none'))).toBe(true);
    expect(isRetried(new Error('anything'))).toBe(true);
  });

  test('a full disk differs from other reasons that a file cannot be written', () => {
    const unwritable = (code: string) =>
      new CellrouteError('FILE_UNWRITABLE', 'x', { file: 'x' }, system(code));
    expect(isFull(unwritable('ENOSPC'))).toBe(true);
    expect(isFull(unwritable('EDQUOT'))).toBe(true);
    expect(isFull(unwritable('EACCES'))).toBe(false);
    expect(isFull(unreadable('ENOSPC'))).toBe(false);
  });

  test('a failure is one text and is read back from it', () => {
    const text = failureText(new CellrouteError('IMAGE_UNREADABLE', 'a.png: cut\noff'));
    expect(text).toBe('[IMAGE_UNREADABLE] a.png: cut\noff');
    expect(failureIn(text)).toEqual({ code: 'IMAGE_UNREADABLE', message: 'a.png: cut\noff' });
    expect(failureIn(failureText(new TypeError('x is not a function')))).toEqual({
      code: 'NATIVE_FAILURE',
      message: 'The job failed by an internal error. (x is not a function)',
    });
    expect(failureIn('job stalled')).toEqual({ code: 'NATIVE_FAILURE', message: 'job stalled' });
  });
});

describe('the gate', () => {
  test('lets work run together, and other work alone, in the order in which it came', async () => {
    const gate = new Gate();
    const log: string[] = [];
    const leave = new Map<string, () => void>();
    const enter = async (name: string, alone: boolean) => {
      leave.set(name, await gate.enter(alone));
      log.push(name);
    };
    for (const [name, alone] of [
      ['a', false],
      ['b', false],
      ['alone', true],
      ['c', false],
      ['d', false],
    ] as const) {
      void enter(name, alone);
    }
    await turn();
    expect(log).toEqual(['a', 'b']);
    leave.get('a')!();
    // A second call of the same function changes nothing.
    leave.get('a')!();
    await turn();
    expect(log).toEqual(['a', 'b']);
    leave.get('b')!();
    await turn();
    expect(log).toEqual(['a', 'b', 'alone']);
    leave.get('alone')!();
    await turn();
    expect(log).toEqual(['a', 'b', 'alone', 'c', 'd']);
  });
});

describe('smaller tiles', () => {
  const sizes = (tiles: Parameters<typeof smallerTiles>[0], side: number) =>
    Array.from(smallerTiles(tiles, { width: side, height: side }), ({ size }) => size);

  test('halve the requested size, and are smaller than the image', () => {
    expect(sizes(undefined, 4000)).toEqual([1024, 512, 256, 128]);
    expect(sizes('auto', 600)).toEqual([512, 256, 128]);
    expect(sizes({ size: 800 }, 4000)).toEqual([400, 200]);
    expect(sizes(false, 4000)).toEqual([]);
    const [tile] = smallerTiles({ size: 512, overlap: 200 }, { width: 1000, height: 1000 });
    expect(tile).toEqual({ size: 256, overlap: 128 });
  });

  const image = { width: 2000, height: 1000 };
  const exhausted = () => new CellrouteError('OUT_OF_MEMORY', 'none left');

  test('are tried while memory is exhausted, and the result says so', async () => {
    const asked: unknown[] = [];
    const result = await withinMemory('auto', image, async (tiles) => {
      asked.push(tiles?.size);
      if ((tiles?.size ?? 9999) > 512) throw exhausted();
      return { cells: 3, notices: ['a remark'] };
    });
    expect(asked).toEqual([undefined, 1024, 512]);
    expect(result).toEqual({
      cells: 3,
      notices: ['a remark', 'Memory was exhausted, so the image was segmented in tiles of 512 pixels.'],
    });
  });

  test('are not tried after another error, or if one pass was requested', async () => {
    let calls = 0;
    const failing = (error: unknown) => async () => {
      calls++;
      throw error;
    };
    expect((await rejection(withinMemory('auto', image, failing(new Error('other'))))).message).toBe('other');
    expect(calls).toBe(1);
    expect((await refusal(withinMemory(false, image, failing(exhausted())))).code).toBe('OUT_OF_MEMORY');
    expect(calls).toBe(2);
    expect((await refusal(withinMemory('auto', image, failing(exhausted())))).code).toBe('OUT_OF_MEMORY');
    expect(calls).toBe(7);
  });
});

describe('images behind URLs', () => {
  let server: Server;
  let url: string;
  beforeAll(async () => {
    server = createServer((request, response) => {
      const status = Number((request.url ?? '').slice(1)) || 200;
      response.writeHead(status).end(status === 200 ? imageBytes('small') : 'no');
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
  });
  afterAll(() => new Promise((resolve) => server.close(resolve)));
  const read = (path: string, signal = new AbortController().signal) =>
    new ImageSources().read({ url: `${url}${path}` }, signal);

  test('are read', async () => {
    expect(Buffer.from(await read('')).equals(imageBytes('small'))).toBe(true);
  });

  test('that are gone fail once, and others are tried again', async () => {
    const gone = await refusal(read('404'));
    expect(gone.message).toContain('the server answered 404');
    expect(gone.code).toBe('FILE_UNREADABLE');
    expect(isRetried(gone)).toBe(false);
    for (const status of [429, 500, 503]) expect(isRetried(await refusal(read(String(status))))).toBe(true);
  });

  test('of a server that is away are tried again, and an abort is an abort', async () => {
    // Not a small fixed port: fetch refuses those without connecting.
    const closed = createServer();
    await new Promise<void>((resolve) => closed.listen(0, '127.0.0.1', resolve));
    const { port } = closed.address() as AddressInfo;
    await new Promise((resolve) => closed.close(resolve));
    const away = await refusal(
      new ImageSources().read({ url: `http://127.0.0.1:${port}/a.png` }, new AbortController().signal),
    );
    expect(away.code).toBe('FILE_UNREADABLE');
    expect(away.message).toContain('ECONNREFUSED');
    expect(isRetried(away)).toBe(true);
    const reason = new Error('stopped');
    expect(await rejection(read('', AbortSignal.abort(reason)))).toBe(reason);
  });

  test('keys need a store', async () => {
    const error = await refusal(new ImageSources().read({ key: 'a.png' }, new AbortController().signal));
    expect(error.message).toContain('as the worker has no store of images');
  });
});

test('probes say whether a worker lives and whether it takes jobs', async () => {
  let state: WorkerState = 'starting';
  const server = await answerProbes(0, '127.0.0.1', () => state);
  const { port } = server.address() as AddressInfo;
  const status = async (path: string) => (await fetch(`http://127.0.0.1:${port}${path}`)).status;
  try {
    expect([await status('/livez'), await status('/readyz'), await status('/other')]).toEqual([
      200, 503, 404,
    ]);
    state = 'ready';
    expect(await status('/readyz')).toBe(200);
    state = 'draining';
    expect([await status('/livez'), await status('/readyz')]).toEqual([200, 503]);
  } finally {
    await new Promise((resolve) => server.close(resolve));
  }
});
