// Aborts running calls at random times: each must stop soon, and the next call must find the same cells.
import { setTimeout as wait } from 'node:timers/promises';
import { check, generator, image, isTime, library, quantiles, report, root } from './common.mjs';

const { CellSegmenter } = library('./index.js');
const random = generator(11);
const segmenter = await CellSegmenter.load(new URL('test/ensemble/fluorescence.safetensors', root).pathname);
const input = image(256);
const started = performance.now();
const expected = (await segmenter.segment(input)).cells.length;
const whole = performance.now() - started;

const delays = [];
let calls = 0;
do {
  const stop = new AbortController();
  let aborted = Number.NaN;
  const call = segmenter.segment(input, { signal: stop.signal }).then(
    ({ cells }) =>
      check(cells.length === expected, `an image had ${expected} cells and then ${cells.length}`),
    (error) => {
      if (error === stop.signal.reason) delays.push(performance.now() - aborted);
      else check(false, `a call failed with ${error?.stack ?? error}`);
    },
  );
  await wait(random() * whole);
  aborted = performance.now();
  stop.abort();
  await call;
  calls++;
  if (calls % 10 === 0) {
    const { cells } = await segmenter.segment(input);
    check(cells.length === expected, `an image had ${expected} cells and then ${cells.length}`);
  }
} while (isTime());
await segmenter.dispose();
report({ calls, aborted: delays.length, ...quantiles('abort', delays) });
