// Terminates workers during native work. The process survives, and the main thread can still segment.
const { readFileSync } = require('node:fs');
const { join } = require('node:path');
const { Worker } = require('node:worker_threads');

const [cellroute, image] = process.argv.slice(2);
const { RoutedEnsemble } = require(cellroute);
const model = join(__dirname, '../../ensemble');

/** Terminates a worker some time after it reported that it has started. */
function terminateAfter(delay) {
  return new Promise((done, failed) => {
    const worker = new Worker(join(__dirname, 'worker.cjs'), {
      workerData: { cellroute, image, forever: true },
    });
    worker.on('error', failed);
    worker.once('message', () => setTimeout(() => worker.terminate().then(done, failed), delay));
  });
}

async function main() {
  const statuses = [];
  // Alone, so that the owner thread ends with the worker's environment too.
  for (const delay of [0, 20, 100]) statuses.push(await terminateAfter(delay));
  const ensemble = await RoutedEnsemble.load(model);
  const pending = ensemble.segment(readFileSync(image));
  statuses.push(...(await Promise.all([terminateAfter(10), terminateAfter(60)])));
  const { cells } = await pending;
  const again = await ensemble.segment(readFileSync(image));
  console.log(JSON.stringify({ statuses, same: cells.length === again.cells.length, cells: cells.length }));
  await ensemble.dispose();
}

main().catch((error) => {
  console.error(error);
  process.exitCode = 1;
});
