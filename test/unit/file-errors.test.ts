import { mkdtempSync, rmSync } from 'node:fs';
import { readFile, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { unreadable, unwritable } from '../../lib/file-errors.js';
import { rejection } from '../support/sdk.js';

const folder = mkdtempSync(join(tmpdir(), 'cellroute-file-errors-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const missing = join(folder, 'missing.png');

test('a frequent error of the file system is reported in words', async () => {
  const error = await rejection(stat(missing).catch(unreadable(missing)));
  expect(error).toMatchObject({ code: 'FILE_UNREADABLE', cause: { code: 'ENOENT' } });
  expect(error.message).toBe(`${missing}: there is no such file or folder`);
  expect((await rejection(readFile(folder).catch(unreadable('a.json')))).message).toBe(
    'a.json: it is a folder, and a file is expected',
  );
});

test('the file of the failed call is named where it is another one', async () => {
  const error = await rejection(stat(missing).catch(unwritable(folder)));
  expect(error.message).toBe(`${folder}: there is no such file or folder: ${missing}`);
});

test('another error keeps its message', async () => {
  const error = Object.assign(new Error('EMFILE: too many open files'), { code: 'EMFILE' });
  const failed = Promise.reject(error).catch(unreadable('a.png'));
  expect((await rejection(failed)).message).toBe('a.png: EMFILE: too many open files');
});
