import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { open } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { FolderLock, LOCK_FILE, withFolderLock } from '../../lib/folder-lock.js';

/** Whether the tests let the operating system lock files. */
let locksAreSupported = true;
jest.mock('fs-native-extensions', () => {
  const actual = jest.requireActual('fs-native-extensions');
  return {
    tryLock: (...args: unknown[]) => {
      if (!locksAreSupported) throw Object.assign(new Error('not implemented'), { code: 'ENOSYS' });
      return actual.tryLock(...args);
    },
  };
});

const base = mkdtempSync(join(tmpdir(), 'cellroute-lock-'));
afterAll(() => rmSync(base, { recursive: true, force: true }));
let count = 0;
const fresh = () => join(base, `${count++}`);
const fileIn = (folder: string) => join(folder, LOCK_FILE);
const recordIn = (folder: string) => JSON.parse(readFileSync(fileIn(folder), 'utf8'));

/** Writes the lock file of an owner with some different fields, with the heartbeat some seconds ago. */
async function leave(folder: string, change: object, secondsAgo = 0): Promise<void> {
  const lock = await FolderLock.acquire(folder);
  const record = { ...recordIn(folder), token: 'another', host: 'elsewhere', ...change };
  await lock.release();
  writeFileSync(fileIn(folder), JSON.stringify(record));
  const then = new Date(Date.now() - secondsAgo * 1000);
  utimesSync(fileIn(folder), then, then);
}

const refusal = async (folder: string) => {
  const error = await FolderLock.acquire(folder).catch((reason) => reason);
  return { code: error.code, message: error.message, details: error.details };
};

describe.each([
  ['if the operating system locks files', true],
  ['if the file system has no locks', false],
])('%s', (_, supported) => {
  beforeEach(() => {
    locksAreSupported = supported;
  });

  test('what a process that was killed left unfinished is deleted, and nothing else', async () => {
    const folder = fresh();
    mkdirSync(folder);
    const left = ['a.png.0123456789ab.part', 'a.0123456789ab.part.safetensors'];
    const kept = ['a.png', 'thesis.part', '0123456789ab.part', 'a.0123456789ab.safetensors'];
    for (const name of [...left, ...kept]) writeFileSync(join(folder, name), 'half');
    await (await FolderLock.acquire(folder)).release();
    expect(
      readdirSync(folder)
        .filter((name) => name !== LOCK_FILE)
        .sort(),
    ).toEqual(kept.sort());
  });

  test('a folder is created, locked, refused to others, and released', async () => {
    const folder = join(fresh(), 'deep', 'er');
    const lock = await FolderLock.acquire(folder);
    expect(await refusal(folder)).toMatchObject({
      code: 'RUN_LOCKED',
      message: expect.stringContaining(`${folder} is in use by process ${process.pid} on `),
      details: { file: folder, owner: { pid: process.pid } },
    });
    await lock.verify();
    await lock.release();
    expect(readdirSync(folder)).toEqual([]);
    await (await FolderLock.acquire(folder)).release();
  });

  test('of many concurrent attempts, one succeeds', async () => {
    const folder = fresh();
    const results = await Promise.allSettled(Array.from({ length: 20 }, () => FolderLock.acquire(folder)));
    const locks = results.flatMap((result) => (result.status === 'fulfilled' ? [result.value] : []));
    expect(locks).toHaveLength(1);
    await locks[0]!.release();
    expect(readdirSync(folder)).toEqual([]);
  });

  test('a lock of another machine with a heartbeat is respected', async () => {
    const folder = fresh();
    await leave(folder, { machine: 'another boot', pid: 4711 }, 10);
    expect(await refusal(folder)).toMatchObject({
      code: 'RUN_LOCKED',
      message: expect.stringMatching(/process 4711 on elsewhere .*the lock expires 30 seconds after it$/),
      details: { owner: { pid: 4711, host: 'elsewhere' } },
    });
    expect(recordIn(folder).token).toBe('another');
  });

  test('a lock of another machine without a heartbeat is taken over', async () => {
    const folder = fresh();
    await leave(folder, { machine: 'another boot' }, 60);
    const lock = await FolderLock.acquire(folder);
    expect(recordIn(folder)).toMatchObject({ pid: process.pid });
    expect(readdirSync(folder)).toEqual([LOCK_FILE]);
    await lock.release();
  });

  test('a lock of this machine whose process has ended is taken over immediately', async () => {
    const folder = fresh();
    // Larger than any process id.
    await leave(folder, { pid: 2 ** 30 });
    await (await FolderLock.acquire(folder)).release();
    expect(existsSync(fileIn(folder))).toBe(false);
  });

  test('a file that is not a lock is replaced', async () => {
    const folder = fresh();
    mkdirSync(folder);
    writeFileSync(fileIn(folder), 'x'.repeat(5000));
    const lock = await FolderLock.acquire(folder);
    await lock.verify();
    await lock.release();
    expect(readdirSync(folder)).toEqual([]);
  });

  test('a lock that was taken over is reported, and the new owner keeps its file', async () => {
    const folder = fresh();
    const lock = await FolderLock.acquire(folder);
    const other = { ...recordIn(folder), token: 'another', pid: 4711, host: 'elsewhere' };
    writeFileSync(fileIn(folder), JSON.stringify(other));
    await expect(lock.verify()).rejects.toMatchObject({
      code: 'RUN_LOCKED',
      message: expect.stringMatching(/^The lock of this process is lost: .*process 4711 on elsewhere/),
    });
    await lock.release();
    expect(recordIn(folder).token).toBe('another');
  });

  test('a folder below a file is FILE_UNWRITABLE', async () => {
    const file = fresh();
    writeFileSync(file, '');
    expect(await refusal(join(file, 'run'))).toMatchObject({
      code: 'FILE_UNWRITABLE',
      details: { file: join(file, 'run') },
    });
  });

  test('a function within a locked folder may lock it again, one outside may not', async () => {
    const folder = fresh();
    const order: string[] = [];
    let finish = () => {};
    const locked = new Promise<void>((done) => {
      finish = done;
    });
    await withFolderLock(folder, async () => {
      await withFolderLock(`${folder}/.`, async () => {
        order.push('inner');
      });
      await (await FolderLock.acquire(folder)).release();
      expect(existsSync(fileIn(folder))).toBe(true);
      order.push('outer');
    });
    let outside = Promise.resolve();
    await new Promise<void>((started) => {
      outside = withFolderLock(folder, () => {
        started();
        return locked;
      });
    });
    await expect(FolderLock.acquire(folder)).rejects.toMatchObject({ code: 'RUN_LOCKED' });
    finish();
    await outside;
    expect(order).toEqual(['inner', 'outer']);
    expect(readdirSync(folder)).toEqual([]);
    await expect(
      withFolderLock(folder, async () => {
        throw new Error('from the action');
      }),
    ).rejects.toThrow('from the action');
    expect(readdirSync(folder)).toEqual([]);
  });
});

test('without locks, a reused process id is not the owner', async () => {
  locksAreSupported = false;
  const folder = fresh();
  await leave(folder, { processStart: '1' });
  if (process.platform === 'linux') await (await FolderLock.acquire(folder)).release();
});

test('a lease that cannot be written leaves no file', async () => {
  locksAreSupported = false;
  const folder = fresh();
  mkdirSync(folder);
  const handle = await open(base, 'r');
  const write = jest
    .spyOn(Object.getPrototypeOf(handle), 'write')
    .mockRejectedValueOnce(Object.assign(new Error('no space'), { code: 'ENOSPC' }));
  await handle.close();
  expect((await refusal(folder)).code).toBe('FILE_UNWRITABLE');
  write.mockRestore();
  expect(readdirSync(folder)).toEqual([]);
});

test('a lease is respected where locks are supported', async () => {
  locksAreSupported = false;
  const folder = fresh();
  const lease = await FolderLock.acquire(folder);
  locksAreSupported = true;
  expect(await refusal(folder)).toMatchObject({
    code: 'RUN_LOCKED',
    details: { owner: { pid: process.pid } },
  });
  await lease.release();
});
