// Three workers and the main thread segment concurrently with equal results.
const { readFileSync } = require('node:fs');
const { join } = require('node:path');
const { Worker } = require('node:worker_threads');

const [cellroute, image] = process.argv.slice(2);
const { RoutedEnsemble } = require(cellroute);
const model = join(__dirname, '../../ensemble');

function work() {
  return new Promise((done, failed) => {
    const worker = new Worker(join(__dirname, 'worker.cjs'), { workerData: { cellroute, image } });
    worker.on('message', (message) => {
      if (message.state === 'done') done(message.cells);
      if (message.state === 'failed') failed(new Error(message.message));
    });
    worker.on('error', failed);
  });
}

async function main() {
  const ensemble = await RoutedEnsemble.load(model);
  const own = ensemble.segment(readFileSync(image)).then(({ cells }) => cells.length);
  const counts = await Promise.all([own, work(), work(), work()]);
  await ensemble.dispose();
  console.log(JSON.stringify(counts));
}

main().catch((error) => {
  console.error(error);
  process.exitCode = 1;
});
