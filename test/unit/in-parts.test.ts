import { copyInParts, inParts, PART_BYTES } from '../../lib/in-parts.js';
import { rejection } from '../support/sdk.js';

/** Records the turns of the event loop until it is stopped. */
function turns() {
  let now = 0;
  let counting = true;
  const count = () => {
    now++;
    if (counting) setImmediate(count);
  };
  count();
  return {
    now: () => now,
    stop: () => {
      counting = false;
    },
  };
}

test('parts cover everything in order, and each has a separate turn, also beside other tasks', async () => {
  const loop = turns();
  const calls: { task: number; begin: number; end: number; turn: number }[] = [];
  const tasks = [0, 1, 2].map((task) =>
    inParts(1000, 300, (begin, end) => calls.push({ task, begin, end, turn: loop.now() })),
  );
  await Promise.all(tasks);
  loop.stop();
  const parts = [
    [0, 300],
    [300, 600],
    [600, 900],
    [900, 1000],
  ];
  for (const task of [0, 1, 2]) {
    expect(calls.filter((one) => one.task === task).map(({ begin, end }) => [begin, end])).toEqual(parts);
  }
  expect(new Set(calls.map(({ turn }) => turn)).size).toBe(calls.length);
});

test('a small task is done at once', () => {
  const calls: number[][] = [];
  void inParts(30, 300, (begin, end) => calls.push([begin, end]));
  void inParts(0, 300, (begin, end) => calls.push([begin, end]));
  expect(calls).toEqual([
    [0, 30],
    [0, 0],
  ]);
});

test('many small tasks, one after the other, have several turns', async () => {
  const loop = turns();
  const byTurn = new Map<number, number>();
  for (let i = 0; i < 100; i++) {
    await inParts(30, 300, () => byTurn.set(loop.now(), (byTurn.get(loop.now()) ?? 0) + 30));
  }
  loop.stop();
  expect(Math.max(...byTurn.values())).toBeLessThanOrEqual(600);
});

test('a cancelled task stops before its next part, and others continue', async () => {
  let parts = 0;
  const stopped = inParts(
    1000,
    100,
    () => parts++,
    () => {
      if (parts === 3) throw new Error('enough');
    },
  );
  let other = 0;
  const beside = inParts(1000, 100, () => other++);
  expect((await rejection(stopped)).message).toBe('enough');
  await beside;
  expect([parts, other]).toEqual([3, 10]);
});

test('copies bytes to their place', async () => {
  const from = Uint8Array.from({ length: 3 * PART_BYTES + 7 }, (_, i) => i % 251);
  const to = new Uint8Array(from.length + 10);
  await copyInParts(from, to, 4);
  expect(Buffer.compare(to.subarray(4, 4 + from.length), from)).toBe(0);
  expect([...to.subarray(0, 4), ...to.subarray(-6)]).toEqual(new Array(10).fill(0));
});
