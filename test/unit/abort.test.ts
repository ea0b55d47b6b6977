import { getEventListeners } from 'node:events';
import { onAbort, untilAborted } from '../../lib/abort.js';
import { rejection } from '../support/sdk.js';

const listeners = (signal: AbortSignal) => getEventListeners(signal, 'abort').length;

describe('onAbort', () => {
  test('adds one event listener to a signal, however many calls share it, and removes it with the last', () => {
    const { signal } = new AbortController();
    const removals = Array.from({ length: 50 }, () => onAbort(signal, () => {}));
    expect(listeners(signal)).toBe(1);
    for (const remove of removals.slice(1)) remove();
    expect(listeners(signal)).toBe(1);
    removals[0]!();
    expect(listeners(signal)).toBe(0);
  });

  test('calls each listener once, in order, and no removed one', () => {
    const controller = new AbortController();
    const called: string[] = [];
    onAbort(controller.signal, () => called.push('a'));
    const remove = onAbort(controller.signal, () => called.push('b'));
    const twice = () => called.push('c');
    onAbort(controller.signal, twice);
    onAbort(controller.signal, twice);
    remove();
    controller.abort();
    controller.abort();
    expect(called).toEqual(['a', 'c', 'c']);
    expect(listeners(controller.signal)).toBe(0);
  });

  test('a listener may remove one that has not been called yet', () => {
    const controller = new AbortController();
    const called: string[] = [];
    let remove = () => {};
    onAbort(controller.signal, () => {
      called.push('a');
      remove();
    });
    remove = onAbort(controller.signal, () => called.push('b'));
    controller.abort();
    expect(called).toEqual(['a']);
  });

  test('a listener that is added after the abort is called at once', () => {
    let called = 0;
    onAbort(AbortSignal.abort(), () => called++)();
    expect(called).toBe(1);
  });

  test('a signal that lost its last listener can be used again', () => {
    const controller = new AbortController();
    onAbort(controller.signal, () => {})();
    let called = 0;
    onAbort(controller.signal, () => called++);
    controller.abort();
    expect(called).toBe(1);
  });
});

describe('untilAborted', () => {
  test('settles as the work does, and removes its listener', async () => {
    const { signal } = new AbortController();
    expect(await untilAborted(Promise.resolve(3), signal)).toBe(3);
    expect((await rejection(untilAborted(Promise.reject(new Error('no')), signal))).message).toBe('no');
    expect(await untilAborted(Promise.resolve(4), undefined)).toBe(4);
    expect(listeners(signal)).toBe(0);
  });

  test('rejects with the reason immediately, and a later failure of the work is not an unhandled rejection', async () => {
    const controller = new AbortController();
    let fail = (_: Error) => {};
    const work = new Promise<never>((_, reject) => {
      fail = reject;
    });
    const waiting = untilAborted(work, controller.signal);
    controller.abort(new Error('enough'));
    expect((await rejection(waiting)).message).toBe('enough');
    fail(new Error('late'));
    await new Promise((done) => setImmediate(done));
    expect((await rejection(untilAborted(Promise.resolve(1), controller.signal))).message).toBe('enough');
  });
});
