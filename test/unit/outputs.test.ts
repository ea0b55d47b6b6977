import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, dirname, extname, join } from 'node:path';
import { MANIFEST_FILE, Outputs } from '../../lib/outputs.js';
import { isTemporary } from '../../lib/weights/atomic.js';
import { refusal } from '../support/refusal.js';

const base = mkdtempSync(join(tmpdir(), 'cellroute-outputs-'));
afterAll(() => rmSync(base, { recursive: true, force: true }));
let count = 0;
const fresh = () => join(base, `${count++}`);

async function* partsOf(...parts: (string | Uint8Array | Error)[]) {
  for (const part of parts) {
    if (part instanceof Error) throw part;
    yield part;
  }
}

test.each([
  ['text', () => 'a µm\n'],
  ['bytes', () => Buffer.from('a µm\n')],
  ['an iterable', () => ['a ', Buffer.from('µm'), '', '\n']],
  ['an async iterable', () => partsOf('a ', Buffer.from('µm'), '', '\n')],
])('writes %s', async (_, content) => {
  const folder = fresh();
  const path = join(folder, 'file.txt');
  await new Outputs({}).write(path, content());
  expect(readFileSync(path, 'utf8')).toBe('a µm\n');
  expect(readdirSync(folder).sort()).toEqual([MANIFEST_FILE, 'file.txt']);
  // Its own file may be written again.
  await new Outputs({}).write(path, partsOf('b'));
  expect(readFileSync(path, 'utf8')).toBe('b');
});

test('a part is written before the next one is requested', async () => {
  const folder = fresh();
  let isWritten = false;
  const parts = async function* () {
    yield 'first';
    const [name] = readdirSync(folder);
    isWritten = readFileSync(join(folder, name!), 'utf8') === 'first';
  };
  await new Outputs({}).write(join(folder, 'file.txt'), parts());
  expect(isWritten).toBe(true);
});

test('an error of the iterable is passed on, and the previous file stays', async () => {
  const folder = fresh();
  const path = join(folder, 'file.txt');
  const outputs = new Outputs({});
  const error = new RangeError('no more');
  await expect(outputs.write(path, partsOf('a', error))).rejects.toBe(error);
  expect(existsSync(path)).toBe(false);
  await outputs.write(path, 'old');
  await expect(outputs.write(path, partsOf('new', error))).rejects.toBe(error);
  expect(readFileSync(path, 'utf8')).toBe('old');
  expect(readdirSync(folder).sort()).toEqual([MANIFEST_FILE, 'file.txt']);
});

describe('names of files', () => {
  const path = (length: number) => join(fresh(), `${'ä'.repeat((length - 5) / 2)}.json`);

  test('may be as long as the file system allows', async () => {
    const [written, placed] = [path(255), path(255)];
    const outputs = new Outputs({});
    await outputs.write(written, 'a');
    await outputs.place(placed, async (temporary) => {
      expect(isTemporary(basename(temporary))).toBe(true);
      expect(extname(temporary)).toBe('.json');
      writeFileSync(temporary, 'a');
    });
    for (const file of [written, placed]) {
      expect(readFileSync(file, 'utf8')).toBe('a');
      expect(readdirSync(dirname(file)).sort()).toEqual([MANIFEST_FILE, basename(file)].sort());
    }
  });

  test.each([false, true])(
    'that are too long are refused before work on them begins; force: %s',
    async (force) => {
      const file = path(257);
      expect(await refusal(new Outputs({ force }).check([file]))).toMatchObject({
        code: 'FILE_UNWRITABLE',
        details: { file },
      });
    },
  );
});
