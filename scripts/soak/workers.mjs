import { setTimeout as wait } from 'node:timers/promises';
import { isMainThread, parentPort, Worker } from 'node:worker_threads';
import { check, generator, image, isTime, library, report, root } from './common.mjs';

const { RoutedEnsemble } = library('./index.js');
const model = new URL('test/ensemble', root).pathname;

if (!isMainThread) {
  const ensemble = await RoutedEnsemble.load(model);
  parentPort.postMessage('loaded');
  for (;;) await ensemble.segment(image(96));
}

const random = generator(7);
let terminated = 0;
let calls = 0;
const ensemble = await RoutedEnsemble.load(model);
const expected = (await ensemble.segment(image(96))).cells.length;
do {
  const workers = Array.from(
    { length: 3 },
    () => new Worker(new URL(import.meta.url), { argv: process.argv.slice(2) }),
  );
  const errors = workers.map((worker) => new Promise((done) => worker.once('error', done)));
  await Promise.race([
    Promise.all(workers.map((worker) => new Promise((done) => worker.once('message', done)))),
    ...errors.map((error) => error.then((reason) => check(false, `a worker failed with ${reason?.stack}`))),
  ]);
  await Promise.all(
    workers.map(async (worker) => {
      await wait(random() * 300);
      await worker.terminate();
      terminated++;
    }),
  );
  const { cells } = await ensemble.segment(image(96));
  check(cells.length === expected, `an image had ${expected} cells and then ${cells.length}`);
  calls++;
} while (isTime());
await ensemble.dispose();
report({ terminated, calls });
