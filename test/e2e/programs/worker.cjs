// Segments one image in this worker, optionally in a loop, and posts the number of cells.
const { readFileSync } = require('node:fs');
const { join } = require('node:path');
const { parentPort, workerData } = require('node:worker_threads');
const { RoutedEnsemble } = require(workerData.cellroute);
const model = join(__dirname, '../../ensemble');

async function main() {
  const ensemble = await RoutedEnsemble.load(model);
  const bytes = readFileSync(workerData.image);
  do {
    parentPort.postMessage({ state: 'working' });
    const { cells } = await ensemble.segment(bytes);
    parentPort.postMessage({ state: 'done', cells: cells.length });
  } while (workerData.forever);
  await ensemble.dispose();
}

main().catch((error) => parentPort.postMessage({ state: 'failed', message: String(error) }));
