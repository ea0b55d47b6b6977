import { untilAborted } from '../../lib/abort.js';
import { withListener } from '../../lib/listener.js';
import { rejection } from '../support/sdk.js';

const forever = new Promise<never>(() => {});
const mistake = new Error('in the listener');

test('reports to the listener and returns the result', async () => {
  const seen: number[] = [];
  const result = await withListener(
    (value: number) => seen.push(value),
    undefined,
    async (report) => {
      report(1);
      report(2);
      return 'done';
    },
  );
  expect([result, seen]).toEqual(['done', [1, 2]]);
});

test('an error of the listener reaches the work', async () => {
  const fail = () => {
    throw mistake;
  };
  expect(await rejection(withListener(fail, undefined, async (report) => report(1)))).toBe(mistake);
});

test.each([
  ['without a signal', undefined],
  ['with a signal', new AbortController().signal],
])('a promise of the listener that is rejected aborts the work, %s', async (_, signal) => {
  const fail = async () => {
    await Promise.resolve();
    throw mistake;
  };
  const work = withListener(fail, signal, (report, own) => {
    report(1);
    return untilAborted(forever, own);
  });
  expect(await rejection(work)).toBe(mistake);
});

test('one that is rejected after the work has ended is not an unhandled rejection', async () => {
  let fail = () => {};
  const late = new Promise<void>((_, reject) => {
    fail = () => reject(mistake);
  });
  await withListener(
    () => late,
    undefined,
    async (report) => report(1),
  );
  fail();
  await new Promise((done) => setImmediate(done));
});

test('the signal of the caller aborts the work', async () => {
  const stop = new AbortController();
  const work = withListener(
    () => {},
    stop.signal,
    (_report, own) => untilAborted(forever, own),
  );
  stop.abort(mistake);
  expect(await rejection(work)).toBe(mistake);
});
