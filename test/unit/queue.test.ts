import { getEventListeners } from 'node:events';
import sharp from 'sharp';
import {
  CellSegmenter,
  decodeImage,
  queueState,
  type RawImage,
  RoutedEnsemble,
  setQueueLimits,
} from '../../lib/index.js';
import { native } from '../../lib/native/load.js';
import { imageBytes, rejection, testEnsemble, thrown } from '../support/sdk.js';

let ensemble: RoutedEnsemble;
/** Decoded, so that calls are queued in the turn in which they are made. */
let large: RawImage;
let limits: { maxQueuedBytes: number; maxQueuedCalls: number };
beforeAll(async () => {
  ensemble = await RoutedEnsemble.load(testEnsemble);
  large = await decodeImage(imageBytes('large'));
  const { maxQueuedBytes, maxQueuedCalls } = queueState();
  limits = { maxQueuedBytes, maxQueuedCalls };
});
afterEach(() => {
  jest.restoreAllMocks();
  setQueueLimits(limits);
});
afterAll(() => ensemble.dispose());

/** Adds a call's name to `order` when the call has settled. */
function track(order: string[], name: string, work: Promise<unknown>): Promise<unknown> {
  return work.then(
    () => order.push(name),
    () => order.push(`${name} rejected`),
  );
}

/** A call that runs on the owner thread: resolves to its promise, in an array, when its job reports progress. */
async function runningCall(owner: RoutedEnsemble = ensemble): Promise<[Promise<unknown>]> {
  let call!: Promise<unknown>;
  await new Promise<void>((started) => {
    call = owner.segment(large, { cellType: 'fluorescence', onProgress: () => started() });
    call.catch(() => {});
  });
  return [call];
}

const blob = (side: number): RawImage => ({
  data: new Uint8Array(side * side).map((_, i) =>
    Math.hypot((i % side) - side / 2, Math.floor(i / side) - side / 2) < side / 5 ? 220 : 20,
  ),
  width: side,
  height: side,
  channels: 1,
});

const nextTurn = () => new Promise((done) => setImmediate(done));
const empty = { bytes: 0, calls: 0 };

describe('abort', () => {
  test.each([
    ['the running one', 64],
    ['room in the queue', 1],
  ])('a call that waits for %s rejects before that one has finished', async (_what, maxQueuedCalls) => {
    setQueueLimits({ maxQueuedCalls });
    const order: string[] = [];
    const [first] = await runningCall();
    const stop = new AbortController();
    const calls = [
      track(order, 'first', first),
      track(order, 'second', ensemble.classifier.classify(blob(64), { signal: stop.signal })),
      track(order, 'third', ensemble.classifier.classify(blob(64))),
    ];
    await nextTurn();
    const reason = new Error('enough');
    stop.abort(reason);
    await Promise.all(calls);
    expect(order).toEqual(['second rejected', 'first', 'third']);
    expect(queueState()).toMatchObject(empty);
  });

  test('calls that share a signal add one listener to it, and take it off', async () => {
    const { signal } = new AbortController();
    const calls = Array.from({ length: 30 }, () => ensemble.classifier.classify(blob(32), { signal }));
    await nextTurn();
    expect(getEventListeners(signal, 'abort')).toHaveLength(1);
    await Promise.all(calls);
    expect(getEventListeners(signal, 'abort')).toHaveLength(0);
  });

  test('dispose rejects running calls, waiting calls and calls that wait for room', async () => {
    const own = await RoutedEnsemble.load(testEnsemble);
    setQueueLimits({ maxQueuedCalls: 2 });
    const [first] = await runningCall(own);
    const calls = [first, ...Array.from({ length: 4 }, () => own.segment(blob(64)))].map((call) =>
      rejection(call),
    );
    await nextTurn();
    await own.dispose();
    expect((await Promise.all(calls)).map(({ code }) => code)).toEqual(Array(5).fill('DISPOSED'));
    expect(queueState()).toMatchObject(empty);
  });
});

test('an ensemble call is segmented before the routers of later calls run', async () => {
  const order: string[] = [];
  const [first] = await runningCall();
  await Promise.all([
    track(order, 'first', first),
    track(order, 'second', ensemble.segment(blob(64), { cellType: 'fluorescence' })),
    ...Array.from({ length: 20 }, () => track(order, 'classified', ensemble.classifier.classify(blob(64)))),
  ]);
  expect(order[0]).toBe('first');
  // Some routers may start while the second call's own is being reported, however slow this thread is, but not all.
  expect(order.at(-1)).toBe('classified');
});

test('an ensemble copies its image to native code once', async () => {
  const created = jest.spyOn(native(), 'createImage');
  await ensemble.segment(imageBytes('small'));
  expect(created).toHaveBeenCalledTimes(1);
});

describe('limits', () => {
  // Images of calls that hold room at the same time are decoded concurrently, so two of them may change places.
  test.each([
    [1, (order: string[]) => order],
    [2, (order: string[]) => [...order].sort()],
  ])('no more calls hold an image than the limit of %d, and all finish', async (limit, comparable) => {
    setQueueLimits({ maxQueuedCalls: limit });
    const order: string[] = [];
    const create = native().createImage;
    let most = 0;
    jest.spyOn(native(), 'createImage').mockImplementation((image) => {
      most = Math.max(most, queueState().calls);
      return create(image);
    });
    const names = Array.from({ length: 6 }, (_, i) => `call ${i}`);
    const calls = names.map((name) => track(order, name, ensemble.classifier.classify(imageBytes('small'))));
    await Promise.all(calls);
    expect(most).toBe(limit);
    expect(comparable(order)).toEqual(names);
    expect(queueState()).toMatchObject(empty);
  });

  test('an image larger than the limit runs when no other call holds one', async () => {
    setQueueLimits({ maxQueuedBytes: 1000 });
    const results = await Promise.all([1, 2].map(() => ensemble.classifier.classify(blob(64))));
    expect(results).toHaveLength(2);
  });

  test('whenBusy reject rejects with BUSY instead of waiting', async () => {
    setQueueLimits({ maxQueuedCalls: 1, maxQueuedBytes: 1_000_000 });
    const first = ensemble.segment(blob(64), { cellType: 'fluorescence' });
    const error = await rejection(ensemble.classifier.classify(blob(32), { whenBusy: 'reject' }));
    expect(error).toMatchObject({ code: 'BUSY' });
    expect(error.message).toMatch(
      /1 calls hold 4096 bytes.* 1024; .*maxQueuedCalls 1 and maxQueuedBytes 1000000/,
    );
    await first;
    expect((await ensemble.classifier.classify(blob(32), { whenBusy: 'reject' })).cellType).toBeDefined();
  });

  test('options are checked', async () => {
    expect(thrown(() => setQueueLimits({ maxQueuedCalls: 0 }))).toMatchObject({ code: 'INVALID_ARGUMENT' });
    expect(thrown(() => setQueueLimits({ maxBytes: 1 } as never))).toMatchObject({
      code: 'INVALID_ARGUMENT',
    });
    const wrong = ensemble.classifier.classify(blob(32), { whenBusy: 'later' as never });
    expect(await rejection(wrong)).toMatchObject({ code: 'INVALID_ARGUMENT' });
  });
});

describe('the memory of an image', () => {
  test('is copied in parts, one per turn of the event loop', async () => {
    const append = jest.spyOn(native(), 'appendPixels');
    let turns = 0;
    let counting = true;
    const count = () => {
      turns++;
      if (counting) setImmediate(count);
    };
    setImmediate(count);
    const image = { ...blob(8), data: new Uint8Array(2048 * 2048), width: 2048, height: 2048 };
    await ensemble.classifier.classify(image);
    counting = false;
    const parts = append.mock.calls.map(([, , begin, end]) => end - begin);
    expect(parts.reduce((sum, part) => sum + part, 0)).toBe(2048 * 2048);
    expect(Math.max(...parts)).toBeLessThanOrEqual(512 * 1024);
    expect(turns).toBeGreaterThanOrEqual(parts.length - 1);
  });

  test('copies of several images alternate', async () => {
    const append = jest.spyOn(native(), 'appendPixels');
    const image = { ...blob(8), data: new Uint8Array(1024 * 1024), width: 1024, height: 1024 };
    const inTurn: number[] = [];
    let now = 0;
    let counting = true;
    const count = () => {
      inTurn.push(append.mock.calls.length - now);
      now = append.mock.calls.length;
      if (counting) setImmediate(count);
    };
    const calls = [1, 2, 3, 4].map(() => ensemble.classifier.classify(image));
    await nextTurn();
    now = append.mock.calls.length;
    count();
    await Promise.all(calls);
    counting = false;
    expect(Math.max(...inTurn)).toBeLessThanOrEqual(1);
  });

  test('is unchanged after the call: raw pixels and encoded bytes', async () => {
    const bytes = imageBytes('small');
    const copy = Buffer.from(bytes);
    const raw = await decodeImage(bytes);
    const before = raw.data.slice();
    await ensemble.classifier.classify(bytes);
    await ensemble.classifier.classify(raw);
    expect(bytes.equals(copy)).toBe(true);
    expect(raw.data).toEqual(before);
  });

  test.each(['raw pixels', 'encoded bytes'])(
    '%s that are transferred while the call waits are refused',
    async (kind) => {
      setQueueLimits({ maxQueuedCalls: 1 });
      const [first] = await runningCall();
      const raw = blob(64);
      const encoded = new Uint8Array(
        await sharp(raw.data, { raw: { width: 64, height: 64, channels: 1 } })
          .png()
          .toBuffer(),
      );
      const own = new Uint8Array(encoded);
      const data = kind === 'raw pixels' ? raw.data : own;
      const waiting = rejection(ensemble.classifier.classify(kind === 'raw pixels' ? raw : own));
      // The header has been read and the call waits for room.
      for (let turn = 0; turn < 50; turn++) await nextTurn();
      structuredClone(data, { transfer: [data.buffer as ArrayBuffer] });
      expect(await waiting).toMatchObject({ code: 'INVALID_ARGUMENT' });
      await first;
    },
  );

  test('may be changed after the call has settled', async () => {
    const image = blob(64);
    const before = await ensemble.classifier.classify(image);
    image.data.fill(0);
    const after = await ensemble.classifier.classify(image);
    expect(after.logits).not.toEqual(before.logits);
  });
});

test('segmenter and classifier have the same results as for a copy', async () => {
  await using segmenter = await CellSegmenter.load(`${testEnsemble}/fluorescence.safetensors`);
  const raw = await decodeImage(imageBytes('small'));
  const [encoded, decoded] = [await segmenter.segment(imageBytes('small')), await segmenter.segment(raw)];
  expect(decoded.cells.masks.toCoco()).toEqual(encoded.cells.masks.toCoco());
});

test('a result is the same to the bit alone and among others', async () => {
  await using segmenter = await CellSegmenter.load(`${testEnsemble}/fluorescence.safetensors`);
  // Of one size, of another, and the first again: what could share a batch and what could not.
  const inputs = [blob(64), { ...blob(64), data: blob(64).data.map((value) => 255 - value) }, blob(80)];
  const found = async (image: RawImage) => {
    const { cells } = await segmenter.segment(image, { minScore: 0 });
    return [Array.from(cells.scores), Array.from(cells.boxes), cells.masks.toCoco()];
  };
  const alone: unknown[] = [];
  for (const image of inputs) alone.push(await found(image));
  const together = await Promise.all([...inputs, ...inputs, ...inputs].map(found));
  expect(together).toEqual([...alone, ...alone, ...alone]);
});
