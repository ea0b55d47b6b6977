import { monitorEventLoopDelay } from 'node:perf_hooks';
import { setTimeout as wait } from 'node:timers/promises';
import { check, generator, image, isTime, library, quantiles, report, root } from './common.mjs';

const { RoutedEnsemble } = library('./index.js');
const random = generator(3);
const ensemble = await RoutedEnsemble.load(new URL('test/ensemble', root).pathname);
const expected = (await ensemble.segment(image(96))).cells.length;
const delay = monitorEventLoopDelay({ resolution: 5 });
delay.enable();
let calls = 0;
const waits = [];
do {
  const stop = new AbortController();
  const all = Array.from({ length: 40 }, (_, i) => {
    const call = ensemble.segment(image(96), i % 2 === 0 ? { signal: stop.signal } : {});
    return call.then(
      ({ cells }) =>
        check(cells.length === expected, `an image had ${expected} cells and then ${cells.length}`),
      (error) => {
        if (error === stop.signal.reason) waits.push(performance.now() - aborted);
        else check(false, `a call failed with ${error?.stack ?? error}`);
      },
    );
  });
  let aborted = Number.NaN;
  await wait(random() * 200);
  aborted = performance.now();
  stop.abort();
  await Promise.all(all);
  calls += all.length;
} while (isTime());
await ensemble.dispose();
report({
  calls,
  aborted: waits.length,
  ...quantiles('abort', waits),
  'event loop max ms': Math.round(delay.max / 1e6),
});
