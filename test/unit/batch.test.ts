import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { eachImage } from '../../lib/cli/batch.js';
import { withNames } from '../../lib/cli/images.js';
import { StopSignals } from '../../lib/cli/stop-signals.js';
import { CellrouteError } from '../../lib/index.js';

const folder = mkdtempSync(join(tmpdir(), 'cellroute-batch-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const images = withNames(
  Array.from({ length: 30 }, (_, i) => {
    const path = join(folder, `${i}.png`);
    writeFileSync(path, String(i));
    return path;
  }),
);
const turns = async (count: number) => {
  for (let i = 0; i < count; i++) await new Promise((resolve) => setImmediate(resolve));
};

let stop: StopSignals;
beforeEach(() => {
  stop = new StopSignals();
});
afterEach(() => stop.close());

test('results are taken in the order of the images, and few are held', async () => {
  let held = 0;
  let most = 0;
  const taken: string[] = [];
  const { done, failures } = await eachImage(images, {
    device: 'cpu',
    stop,
    async work(bytes, { name }) {
      // Every third image takes longer than those after it.
      await turns(Number(name) % 3 === 0 ? 20 : 1);
      if (name === '7') throw new Error('damaged');
      most = Math.max(most, ++held);
      return bytes.toString();
    },
    async take({ name }, result) {
      await turns(3);
      held--;
      taken.push(result);
      return `${name} is ${result}`;
    },
  });
  const expected = images.map(({ name }) => name).filter((name) => name !== '7');
  expect(taken).toEqual(expected);
  expect(done.map(({ result }) => result)).toEqual(expected.map((name) => `${name} is ${name}`));
  expect(failures).toEqual([{ image: images[7], reason: 'damaged' }]);
  // Four in progress, each with two results that may wait.
  expect(most).toBeLessThanOrEqual(8);
});

test('after a signal, every result whose work has ended is taken', async () => {
  const worked: string[] = [];
  const taken: string[] = [];
  await eachImage(images, {
    device: 'cpu',
    stop,
    async work(_, { name }, signal) {
      await turns(name === '4' ? 60 : 2);
      signal.throwIfAborted();
      worked.push(name);
      if (worked.length === 7) process.emit('SIGTERM', 'SIGTERM');
      return name;
    },
    take: (_, name) => void taken.push(name),
  });
  expect(stop.received).toBe(true);
  expect(taken).toEqual(worked.toSorted((a, b) => Number(a) - Number(b)));
  expect(taken.length).toBeLessThan(30);
});

test('a file that cannot be written ends the batch', async () => {
  const failure = new CellrouteError('FILE_UNWRITABLE', 'full', { file: 'x' });
  const batch = eachImage(images, {
    device: 'cpu',
    stop,
    work: async () => {
      throw failure;
    },
    take: () => {},
  });
  await expect(batch).rejects.toBe(failure);
});

test('a second signal has its default effect', () => {
  const before = process.listenerCount('SIGINT');
  process.emit('SIGTERM', 'SIGTERM');
  expect(process.listenerCount('SIGINT')).toBe(before - 1);
  stop.setExitCode();
  expect(process.exitCode).toBe(143);
  process.exitCode = undefined;
});
