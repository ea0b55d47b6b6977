import { chmodSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import fs from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { FileObjects } from '../../../lib/queue/objects.js';
import { S3Objects } from '../../../lib/queue/s3.js';
import { checkObjectStore } from '../../../lib/queue/stores.js';
import { expectKeyRefused } from '../../support/object-keys.js';
import { refusal } from '../../support/refusal.js';
import { rejection, thrown } from '../../support/sdk.js';

const folder = mkdtempSync(join(tmpdir(), 'cellroute-objects-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const store = new FileObjects(join(folder, 'store'));
const bytes = (text: string) => [Buffer.from(text)];
const files = (key: string) => readdirSync(join(store.folder, key));

test('writes a file once, whatever is put later', async () => {
  expect(await store.has('a/b.txt')).toBe(false);
  expect(await store.put('a/b.txt', bytes('first'))).toBe(true);
  const { ino } = statSync(join(store.folder, 'a/b.txt'));
  expect(await store.put('a/b.txt', bytes('second'))).toBe(false);
  expect(await store.has('a/b.txt')).toBe(true);
  expect(Buffer.from(await store.get('a/b.txt')).toString()).toBe('first');
  expect(statSync(join(store.folder, 'a/b.txt')).ino).toBe(ino);
  expect(files('a')).toEqual(['b.txt']);
});

test('of many that write one file at once, one does', async () => {
  const written = await Promise.all(
    Array.from({ length: 20 }, (_, i) => store.put('race/file', bytes(`writer ${i}`))),
  );
  expect(written.filter(Boolean)).toHaveLength(1);
  const winner = written.indexOf(true);
  expect(Buffer.from(await store.get('race/file')).toString()).toBe(`writer ${winner}`);
  expect(files('race')).toEqual(['file']);
});

test('on a file system without links, a file that is there is not replaced either', async () => {
  const none = jest
    .spyOn(fs, 'link')
    .mockRejectedValue(Object.assign(new Error('none'), { code: 'ENOTSUP' }));
  try {
    expect(await store.put('plain/file', bytes('first'))).toBe(true);
    expect(await store.put('plain/file', bytes('second'))).toBe(false);
    expect(none).toHaveBeenCalledTimes(2);
  } finally {
    none.mockRestore();
  }
  expect(Buffer.from(await store.get('plain/file')).toString()).toBe('first');
  expect(files('plain')).toEqual(['file']);
});

test('content that fails leaves nothing behind', async () => {
  async function* failing() {
    yield Buffer.from('half');
    throw new Error('the content failed');
  }
  expect((await rejection(store.put('c/d', failing()))).message).toBe('the content failed');
  expect(files('c')).toEqual([]);
});

test('a missing file has the code of the system, and is deleted without an error', async () => {
  const error = await refusal(store.get('none'));
  expect(error).toMatchObject({ code: 'FILE_UNREADABLE', cause: { code: 'ENOENT' } });
  await store.delete('none');
  await store.put('e', bytes('x'));
  await store.delete('e');
  expect(await store.has('e')).toBe(false);
});

test.each(['', '/a', 'a/', 'a//b', '../a', 'a/../../b', 'a/./b', 'a\\b', 'a\0b'])(
  'refuses the key %j',
  (key) => expectKeyRefused(store, key),
);

test('takes a folder, a bucket, or an object with the methods of a store', () => {
  expect(checkObjectStore('results', folder)).toBeInstanceOf(FileObjects);
  expect(checkObjectStore('results', 's3://lab/results')).toBeInstanceOf(S3Objects);
  expect(checkObjectStore('results', store)).toBe(store);
  const error = thrown(() => checkObjectStore('results', { get() {} }));
  expect(error.message).toContain(
    'a folder, a URL such as s3://bucket/prefix, or a store with has, get, put, delete for results',
  );
});

(process.getuid?.() === 0 ? test.skip : test)('a folder that cannot be written is reported', async () => {
  await store.put('locked/a', bytes('x'));
  chmodSync(join(store.folder, 'locked'), 0o500);
  expect((await refusal(store.put('locked/b', bytes('x')))).code).toBe('FILE_UNWRITABLE');
  chmodSync(join(store.folder, 'locked'), 0o700);
  expect(readFileSync(join(store.folder, 'locked/a'), 'utf8')).toBe('x');
});
