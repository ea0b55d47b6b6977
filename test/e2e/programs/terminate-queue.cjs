// Terminates a worker that holds the only room of the queue, and one that waits for it. The main thread can still segment.
const { readFileSync } = require('node:fs');
const { join } = require('node:path');
const { Worker } = require('node:worker_threads');

const [cellroute, image] = process.argv.slice(2);
const { RoutedEnsemble, queueState, setQueueLimits } = require(cellroute);
const model = join(__dirname, '../../ensemble');

/** A worker that segments until it is terminated, once it does so. */
function segmentingWorker() {
  return new Promise((done, failed) => {
    const worker = new Worker(join(__dirname, 'worker.cjs'), {
      workerData: { cellroute, image, forever: true },
    });
    worker.on('error', failed);
    worker.once('message', () => done(worker));
  });
}

async function main() {
  const ensemble = await RoutedEnsemble.load(model);
  setQueueLimits({ maxQueuedCalls: 1 });
  const workers = [await segmentingWorker(), await segmentingWorker()];
  const { calls } = queueState();
  await Promise.all(workers.map((worker) => worker.terminate()));
  const { cells } = await ensemble.segment(readFileSync(image));
  console.log(JSON.stringify({ held: calls, cells: cells.length, after: queueState().calls }));
  await ensemble.dispose();
}

main().catch((error) => {
  console.error(error);
  process.exitCode = 1;
});
