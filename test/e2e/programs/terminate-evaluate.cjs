// Terminates workers during evaluation. The process survives, and the main thread can still evaluate.
const { isMainThread, parentPort, Worker, workerData } = require('node:worker_threads');

const cellroute = isMainThread ? process.argv[2] : workerData;
const { Masks } = require(cellroute);
const { evaluate } = require(cellroute.replace(/index\.js$/, 'metrics.js'));

const size = { width: 8, height: 8 };
const masks = Masks.fromKaggle(['1 3', '20 4'], size);
const images = Array.from({ length: 50 }, (_, i) => ({
  id: `${i}`,
  groundTruth: masks,
  predicted: masks,
  scores: [0.5, 0.9],
}));

function terminateAfter(delay) {
  return new Promise((done, failed) => {
    const worker = new Worker(__filename, { workerData: cellroute });
    worker.on('error', failed);
    worker.once('message', () => setTimeout(() => worker.terminate().then(done, failed), delay));
  });
}

async function main() {
  const statuses = [];
  for (const delay of [0, 20, 100]) statuses.push(await terminateAfter(delay));
  const [{ aji }] = await Promise.all([evaluate(images), terminateAfter(10)]);
  console.log(JSON.stringify({ statuses, aji }));
}

if (isMainThread) {
  main().catch((error) => {
    console.error(error);
    process.exitCode = 1;
  });
} else {
  // Would take minutes without cancellation.
  evaluate(images, { bootstrap: { samples: 1_000_000 } });
  parentPort.postMessage('working');
}
