import { setTimeout as wait } from 'node:timers/promises';
import { check, generator, image, isTime, library, report, root } from './common.mjs';

const { CellrouteError, RoutedEnsemble } = library('./index.js');
const model = new URL('test/ensemble', root).pathname;
const random = generator();
const figures = { calls: 0, aborted: 0, refused: 0, reloads: 0 };
const BAD = [Buffer.alloc(0), Buffer.from('not an image'), { width: 3 }, null, 5];
/** Calls before memory is measured, while code is compiled and pools fill. */
const WARM_UP = 30;
const MAX_GROWTH_MB = 200;

let ensemble = await RoutedEnsemble.load(model);
let settled;
const rss = () => Math.round(process.memoryUsage.rss() / 2 ** 20);
const expected = (await ensemble.segment(image(96))).cells.length;
for (let i = 0; isTime() || i <= WARM_UP; i++) {
  const stop = new AbortController();
  const kind = i % 5;
  const input = kind === 1 ? BAD[Math.floor(random() * BAD.length)] : image(96);
  if (kind === 2) void wait(random() * 30).then(() => stop.abort());
  try {
    const { cells } = await ensemble.segment(input, { signal: stop.signal });
    check(kind !== 1, 'a bad image was segmented');
    check(cells.length === expected, `an image had ${expected} cells and then ${cells.length}`);
    figures.calls++;
  } catch (error) {
    if (error === stop.signal.reason) figures.aborted++;
    else if (error instanceof CellrouteError) figures.refused++;
    else check(false, `a call failed with ${error?.stack ?? error}`);
  }
  if (i % 50 === 49) {
    await ensemble.dispose();
    ensemble = await RoutedEnsemble.load(model);
    figures.reloads++;
  }
  if (i === WARM_UP) {
    global.gc?.();
    settled = rss();
  }
}
await ensemble.dispose();
global.gc?.();
const growth = rss() - settled;
check(growth < MAX_GROWTH_MB, `memory grew by ${growth} MB`);
report({ ...figures, 'RSS MB': rss(), 'growth MB': growth });
