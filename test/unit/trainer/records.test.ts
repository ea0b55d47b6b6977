import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import type { LogLine } from '../../../lib/trainer/log.js';
import { Records } from '../../../lib/trainer/records.js';
import { RunFolder } from '../../../lib/trainer/run-folder.js';
import { runFolders } from '../../support/training.js';

const folder = runFolders();

const step = (at: number): LogLine => ({
  kind: 'step',
  time: at,
  epoch: 1,
  step: at,
  total: 1 / at,
  losses: { loss: 1 / at },
  lr: 0.01,
  momentum: 0.9,
  gradNorm: 1,
  imagesPerSecond: 3,
});

const listener = (name: string, failAt = Number.POSITIVE_INFINITY) => ({
  name,
  heard: [] as number[],
  closed: 0,
  record(line: LogLine) {
    if (line.step === failAt) throw new Error('the disk is full');
    this.heard.push(line.step);
  },
  async close() {
    this.closed++;
  },
});

async function openAt(name: string, bytes: number, ...listeners: ReturnType<typeof listener>[]) {
  const at = RunFolder.at(folder(name));
  await at.prepare();
  return { at, records: await Records.open(at, bytes, listeners) };
}

test('listeners receive the whole run, and again when it is resumed', async () => {
  const { at, records } = await openAt('again', 0);
  const bytes: number[] = [];
  for (const line of [step(1), step(2), step(3)]) {
    await records.write(line);
    bytes.push(records.bytes);
  }
  await records.close();
  const text = readFileSync(at.log, 'utf8');
  expect(bytes.at(-1)).toBe(Buffer.byteLength(text));
  // A kill truncated the last line.
  writeFileSync(at.log, text.slice(0, -10));

  const again = listener('again');
  const resumed = await openAt('again', bytes[1]!, again);
  expect(again.heard).toEqual([1, 2]);
  await resumed.records.write(step(3));
  await resumed.records.close();
  expect(again.heard).toEqual([1, 2, 3]);
  expect(again.closed).toBe(1);
  expect(readFileSync(at.log, 'utf8')).toBe(text);
});

test('a listener that fails is reported once, and stops neither the run nor other listeners', async () => {
  const bad = listener('bad', 2);
  const good = listener('good');
  const { records } = await openAt('bad', 0, bad, good);
  for (const at of [1, 2, 3]) await records.write(step(at));
  expect(await records.draw()).toEqual(['bad: the disk is full']);
  expect(await records.draw()).toEqual([]);
  expect(bad.heard).toEqual([1]);
  expect(good.heard).toEqual([1, 2, 3]);
  expect(await records.sample('epoch-001', () => Promise.reject(new Error('no image')))).toEqual([
    'Samples: no image',
  ]);
  await records.close();
});

test('a plot is drawn for one step, and for the number of a long run', async () => {
  const { at, records } = await openAt('plot', 0);
  await records.write(step(1));
  expect(await records.draw()).toEqual([]);
  for (let i = 2; i < 3000; i++) await records.write(step(i));
  expect(await records.draw()).toEqual([]);
  expect(existsSync(at.plot('loss'))).toBe(true);
  await records.close();
});
