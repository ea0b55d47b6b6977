import { getEventListeners } from 'node:events';
import { setTimeout as wait } from 'node:timers/promises';
import { mapAll, type Outcome, type ProcessOptions, processAll, resultsOf } from '../../lib/pool.js';
import { rejection } from '../support/sdk.js';

/** Work whose end the test decides. */
function controlled() {
  const open = new Map<number, { resolve: (value: string) => void; reject: (error: unknown) => void }>();
  const signals: AbortSignal[] = [];
  const work = (input: number, signal: AbortSignal) =>
    new Promise<string>((resolve, reject) => {
      open.set(input, { resolve, reject });
      signals.push(signal);
      signal.addEventListener('abort', () => reject(signal.reason));
    });
  return { open, signals, work };
}

const settle = () => wait(0);
const outcomeOf = ({ input, ...rest }: Outcome<number, string>) => [
  input,
  'error' in rest ? rest.error : rest.result,
];

test.each<[boolean, number[]]>([
  [true, [0, 1, 2]],
  [false, [2, 0, 1]],
])('ordered: %s', async (ordered, order) => {
  const { open, work } = controlled();
  const run = processAll([0, 1, 2], work, { concurrency: 3, ordered });
  const seen: unknown[] = [];
  const reading = (async () => {
    for await (const outcome of run) seen.push(outcomeOf(outcome));
  })();
  await settle();
  for (const input of [2, 0, 1]) {
    open.get(input)!.resolve(`r${input}`);
    await settle();
  }
  await reading;
  expect(seen).toEqual(order.map((input) => [input, `r${input}`]));
});

test('no more inputs are taken than the concurrency allows, and none before the consumer is ready', async () => {
  let taken = 0;
  async function* source() {
    for (let i = 0; i < 100; i++) {
      taken++;
      yield i;
    }
  }
  const run = processAll(source(), async (input) => `r${input}`, { concurrency: 4 });
  await settle();
  expect(taken).toBe(0);
  await run.next();
  await settle();
  expect(taken).toBeLessThanOrEqual(5);
  for (let i = 0; i < 10; i++) await run.next();
  await settle();
  expect(taken).toBeLessThanOrEqual(15);
  let rest = 11;
  for await (const _ of run) rest++;
  expect(rest).toBe(100);
});

test('an outcome is yielded while the source is waiting', async () => {
  let release = () => {};
  async function* source() {
    yield 1;
    await new Promise<void>((resolve) => {
      release = resolve;
    });
    yield 2;
  }
  const run = processAll(source(), async (input) => `r${input}`, { concurrency: 4 });
  expect(outcomeOf((await run.next()).value as Outcome<number, string>)).toEqual([1, 'r1']);
  const second = run.next();
  release();
  expect(outcomeOf((await second).value as Outcome<number, string>)).toEqual([2, 'r2']);
  expect((await run.next()).done).toBe(true);
});

test('an input that fails does not stop others, even if it throws undefined', async () => {
  const seen: unknown[] = [];
  const work = async (input: number) => {
    if (input === 1) throw new Error('broken');
    if (input === 2) throw undefined;
    return `r${input}`;
  };
  for await (const outcome of processAll([0, 1, 2, 3], work, {})) {
    seen.push('error' in outcome ? ['error', outcome.error] : outcome.result);
  }
  expect(seen).toEqual(['r0', ['error', new Error('broken')], ['error', undefined], 'r3']);
});

test.each<[string, ProcessOptions]>([
  ['in order', { ordered: true }],
  ['as they finish', { ordered: false }],
])('an abort throws the reason and cancels inputs in progress, %s', async (_, options) => {
  const { signals, work } = controlled();
  const stop = new AbortController();
  const reason = new Error('enough');
  const run = processAll([0, 1, 2, 3], work, { concurrency: 2, ...options, signal: stop.signal });
  const reading = rejection(run.next());
  await settle();
  stop.abort(reason);
  expect(await reading).toBe(reason);
  expect(signals.map(({ aborted }) => aborted)).toEqual([true, true]);
  expect((await run.next()).done).toBe(true);
});

test('a timer can abort a long source of inputs that fail at once', async () => {
  const stop = new AbortController();
  function* many() {
    for (let i = 0; i < 1e6; i++) yield i;
  }
  const fail = async () => {
    throw new Error('invalid');
  };
  setTimeout(() => stop.abort('enough'), 1);
  const read = async () => {
    for await (const _ of processAll(many(), fail, { signal: stop.signal }));
  };
  expect(await rejection(read())).toBe('enough');
});

test('an abort does not wait for a source that never answers', async () => {
  const stop = new AbortController();
  const source = { [Symbol.asyncIterator]: () => ({ next: () => new Promise<never>(() => {}) }) };
  const reading = rejection(processAll(source, async () => '', { signal: stop.signal }).next());
  await settle();
  stop.abort('enough');
  expect(await reading).toBe('enough');
});

test('leaving the loop cancels inputs in progress, waits for them and closes the source', async () => {
  const events: string[] = [];
  async function* source() {
    try {
      for (let i = 0; ; i++) yield i;
    } finally {
      events.push('closed');
    }
  }
  const work = async (input: number, signal: AbortSignal) => {
    if (input === 0) return 'r0';
    await new Promise((resolve) => signal.addEventListener('abort', resolve));
    events.push(`stopped ${input}`);
    return '';
  };
  for await (const _ of processAll(source(), work, { concurrency: 2 })) break;
  await settle();
  expect(events.sort()).toEqual(['closed', 'stopped 1']);
});

test('an error of the source is thrown after earlier outcomes', async () => {
  async function* source() {
    yield 0;
    throw new Error('the disk is gone');
  }
  const run = processAll(source(), async (input) => `r${input}`, {});
  expect(outcomeOf((await run.next()).value as Outcome<number, string>)).toEqual([0, 'r0']);
  expect((await rejection(run.next())).message).toBe('the disk is gone');
});

test('work continues between two outcomes, up to the number of outcomes that may be held', async () => {
  const { open, work } = controlled();
  const run = processAll([0, 1, 2, 3, 4, 5], work, { concurrency: 2, held: 4 });
  const first = run.next();
  await settle();
  expect([...open.keys()]).toEqual([0, 1]);
  open.get(0)!.resolve('r0');
  await first;
  // The consumer holds one outcome: three more may be made meanwhile, two at a time.
  await settle();
  expect([...open.keys()]).toEqual([0, 1, 2]);
  open.get(1)!.resolve('r1');
  open.get(2)!.resolve('r2');
  await settle();
  expect([...open.keys()]).toEqual([0, 1, 2, 3]);
  open.get(3)!.resolve('r3');
  await settle();
  expect([...open.keys()]).toEqual([0, 1, 2, 3]);
  await run.return(undefined);
});

test('mapAll returns results in order and limits the concurrency', async () => {
  let running = 0;
  let most = 0;
  const results = await mapAll([30, 5, 20, 1], 2, async (delay, index) => {
    most = Math.max(most, ++running);
    await wait(delay);
    running--;
    return index;
  });
  expect(results).toEqual([0, 1, 2, 3]);
  expect(most).toBe(2);
  expect(await mapAll([], 2, async () => 1)).toEqual([]);
});

test('mapAll ends with the first failure, after the started work', async () => {
  const finished: number[] = [];
  const started: number[] = [];
  const failing = mapAll([0, 1, 2, 3, 4], 2, async (input) => {
    started.push(input);
    if (input === 0) throw new Error('first');
    await wait(20);
    finished.push(input);
  });
  expect((await rejection(failing)).message).toBe('first');
  expect(finished).toEqual(started.filter((input) => input !== 0));
  expect(started).not.toContain(4);
});

test('resultsOf throws the first error in order', async () => {
  const outcomes = processAll([1, 2, 3], async (n) => Promise.reject(new Error(String(n))), {
    concurrency: 3,
  });
  expect((await rejection(resultsOf(outcomes).next())).message).toBe('1');
});

test('a source whose iterator cannot be made leaves no listener', async () => {
  const stop = new AbortController();
  const source = {
    [Symbol.asyncIterator]: (): AsyncIterator<number> => {
      throw new Error('no iterator');
    },
  };
  const run = processAll(source, async (input) => input, { signal: stop.signal });
  await expect(run.next()).rejects.toThrow('no iterator');
  expect(getEventListeners(stop.signal, 'abort')).toHaveLength(0);
});

test('a source whose iterator gives no objects ends with an error', async () => {
  const source = { [Symbol.asyncIterator]: () => ({ next: async () => 5 as never }) };
  const run = processAll(source as AsyncIterable<number>, async (input) => input, {});
  expect((await rejection(run.next())).code).toBe('INVALID_ARGUMENT');
});
