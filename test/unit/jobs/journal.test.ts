import { appendFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Journal } from '../../../lib/jobs/journal.js';
import { refusal } from '../../support/refusal.js';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'cellroute-journal-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const file = () => join(folder, 'journal.jsonl');
const text = () => readFileSync(file(), 'utf8');

/** What the journal has when it is opened again. */
async function reopened(): Promise<unknown[]> {
  const { journal, records } = await Journal.open(folder);
  await journal.close();
  return records;
}

test('a record is in the file when its append has resolved, in the order of the calls', async () => {
  const { journal, records } = await Journal.open(join(folder));
  expect(records).toEqual([]);
  await Promise.all(Array.from({ length: 50 }, (_, i) => journal.append({ i })));
  expect(text()).toBe(Array.from({ length: 50 }, (_, i) => `{"i":${i}}\n`).join(''));
  expect(journal.lines).toBe(50);
  await journal.append({ text: 'ä, two bytes' });
  await journal.close();
  expect((await reopened()).at(-1)).toEqual({ text: 'ä, two bytes' });
});

test('drops the last line that a crash cut off, and continues after the one before', async () => {
  writeFileSync(file(), '{"a":"é"}\n{"b":2}\n{"c":');
  const { journal, records } = await Journal.open(folder);
  expect(records).toEqual([{ a: 'é' }, { b: 2 }]);
  await journal.append({ d: 4 });
  await journal.close();
  expect(await reopened()).toEqual([{ a: 'é' }, { b: 2 }, { d: 4 }]);
});

test('refuses a damaged line before the last one, and names it', async () => {
  writeFileSync(file(), '{"a":1}\nnonsense\n{"b":2}\n');
  const error = await refusal(Journal.open(folder));
  expect(error).toMatchObject({ code: 'DATA_INVALID', details: { file: file() } });
  expect(error.message).toContain('Line 2 of ');
  writeFileSync(file(), '{"a":1}\n[2]\n');
  expect((await refusal(Journal.open(folder))).message).toContain('Line 2 of ');
  // The refusal has released the lock.
  writeFileSync(file(), '{"a":1}\n');
  expect(await reopened()).toEqual([{ a: 1 }]);
});

test('refuses bytes that are not UTF-8, and leaves the file as it is', async () => {
  const bytes = Buffer.from('{"a":"\xff\xfe"}\n{"b":2}\n', 'latin1');
  writeFileSync(file(), bytes);
  expect(await refusal(Journal.open(folder))).toMatchObject({
    code: 'DATA_INVALID',
    details: { file: file() },
  });
  expect(readFileSync(file())).toEqual(bytes);
});

test('one process at a time has it open', async () => {
  const { journal } = await Journal.open(folder);
  expect((await refusal(Journal.open(folder))).code).toBe('RUN_LOCKED');
  await journal.close();
  expect(await reopened()).toEqual([]);
});

test('rewriting replaces all records, and counts what waits to be appended as included', async () => {
  const { journal } = await Journal.open(folder);
  await journal.append({ a: 1 });
  let state = 1;
  const rewritten = journal.rewrite(() => [{ state }]);
  state = 2;
  const appended = journal.append({ b: 2 });
  await Promise.all([rewritten, appended]);
  await journal.append({ c: 3 });
  await journal.close();
  expect(await reopened()).toEqual([{ state: 2 }, { c: 3 }]);
});

test('records that cannot be written are refused, and those after them are written', async () => {
  const { journal } = await Journal.open(folder);
  await journal.append({ a: 1 });
  // A full disk, for the handle of this journal alone.
  const { open } = jest.requireActual<typeof import('node:fs/promises')>('node:fs/promises');
  const probe = await open(file(), 'r');
  const handles = Object.getPrototypeOf(probe) as { write: (...args: unknown[]) => Promise<unknown> };
  await probe.close();
  const full = jest.spyOn(handles, 'write').mockImplementationOnce(async () => {
    appendFileSync(file(), '{"b"');
    throw Object.assign(new Error('no space left on device'), { code: 'ENOSPC' });
  });
  const error = await refusal(journal.append({ b: 2 }));
  expect(error).toMatchObject({ code: 'FILE_UNWRITABLE', cause: { code: 'ENOSPC' } });
  full.mockRestore();
  await journal.append({ c: 3 });
  await journal.close();
  expect(await reopened()).toEqual([{ a: 1 }, { c: 3 }]);
});

test('a file that cannot be opened after it was replaced is opened by a later append', async () => {
  const { journal } = await Journal.open(folder);
  const files = jest.requireActual<typeof import('node:fs/promises')>('node:fs/promises');
  const { open } = files;
  const opening = jest.spyOn(files, 'open').mockImplementation((path, flags, mode) => {
    if (path !== file()) return open(path, flags, mode);
    return Promise.reject(Object.assign(new Error('too many open files'), { code: 'EMFILE' }));
  });
  await journal.rewrite(() => [{ a: 1 }]);
  expect(await refusal(journal.append({ b: 2 }))).toMatchObject({ code: 'FILE_UNWRITABLE' });
  opening.mockRestore();
  await journal.append({ c: 3 });
  await journal.close();
  expect(await reopened()).toEqual([{ a: 1 }, { c: 3 }]);
});
