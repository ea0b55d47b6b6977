import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Handoff, RunFiles } from '../../lib/cli/run-files.js';
import type { RunResult } from '../../lib/export/formats.js';
import { cocoDatasetJson, kaggleCsv, Masks, summaryCsv } from '../../lib/index.js';
import { Outputs } from '../../lib/outputs.js';
import { resultOf } from '../support/result.js';

const folder = mkdtempSync(join(tmpdir(), 'cellroute-run-files-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const square = (x: number) => [[x, 2, x + 5, 2, x + 5, 7, x, 7]];
const results: RunResult[] = ['a', 'b', 'c'].map((stem, i) => ({
  name: `${stem}.png`,
  stem,
  result: resultOf(Masks.fromPolygons([10, 20, 30].slice(i).map(square), { width: 40, height: 30 })),
}));
const formats = ['json', 'coco', 'kaggle', 'summary'] as const;
const text = (out: string, name: string) => readFileSync(join(out, name), 'utf8');

test('files have what the writers of whole runs return', async () => {
  const out = join(folder, 'whole');
  const returned = await RunFiles.write(formats, out, new Outputs({}), async (files) => {
    for (const result of results) await files.add(result);
    expect(readdirSync(out).filter((name) => /^(coco|kaggle|summary)\.\w+$/.test(name))).toEqual([]);
    return 'done';
  });
  expect(returned).toBe('done');
  const named = (key: 'name' | 'stem') => results.map((one) => ({ id: one[key], result: one.result }));
  expect(text(out, 'coco.json')).toBe(cocoDatasetJson(named('name')));
  expect(text(out, 'kaggle.csv')).toBe(kaggleCsv(named('stem')));
  expect(text(out, 'summary.csv')).toBe(summaryCsv(named('name')));
});

test('without formats of a run, results are dropped', async () => {
  const out = join(folder, 'none');
  await RunFiles.write(['json'], out, new Outputs({}), (files) => files.add(results[0]!));
  expect(() => readdirSync(out)).toThrow(/ENOENT/);
});

test('an error of the work leaves no file', async () => {
  const out = join(folder, 'failed');
  const failure = new Error('no');
  const work = RunFiles.write(formats, out, new Outputs({}), async (files) => {
    await files.add(results[0]!);
    throw failure;
  });
  await expect(work).rejects.toBe(failure);
  expect(readdirSync(out)).toEqual([]);
});

test('a file that cannot be written ends the work', async () => {
  const out = join(folder, 'folder');
  mkdirSync(join(out, 'coco.json'), { recursive: true });
  const added: string[] = [];
  const work = RunFiles.write(formats, out, new Outputs({}), async (files) => {
    for (const result of results) {
      await files.add(result);
      added.push(result.stem);
    }
  });
  await expect(work).rejects.toMatchObject({ code: 'FILE_UNWRITABLE' });
  expect(added.length).toBeLessThan(3);
  expect(readdirSync(out)).toEqual(['coco.json']);
});

describe('a handoff', () => {
  test('holds one value until the consumer asks for the next', async () => {
    const handoff = new Handoff<number>();
    const values = handoff.values();
    let taken = 0;
    const put = async (value: number) => {
      await handoff.put(value);
      taken = value;
    };
    const first = put(1);
    expect(await values.next()).toEqual({ value: 1, done: false });
    await new Promise((resolve) => setImmediate(resolve));
    expect(taken).toBe(0);
    const second = values.next();
    await first;
    expect(taken).toBe(1);
    void put(2);
    expect(await second).toEqual({ value: 2, done: false });
    const end = values.next();
    handoff.end();
    expect(await end).toEqual({ value: undefined, done: true });
  });

  test('does not wait for a consumer that has stopped', async () => {
    const handoff = new Handoff<number>();
    const values = handoff.values();
    const put = handoff.put(1);
    await values.next();
    await values.return();
    await put;
    await handoff.put(2);
  });
});
