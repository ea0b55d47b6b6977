// Prepares samples on the thread pool: in this thread, in workers, and while threads and the process end.
const { createHash } = require('node:crypto');
const { join } = require('node:path');
const { Worker, isMainThread, parentPort, workerData } = require('node:worker_threads');

const [dist, what] = isMainThread ? process.argv.slice(2) : [workerData.dist, workerData.what];
const { Masks } = require(join(dist, 'index.js'));
const { datasetFrom, transforms } = require(join(dist, 'train.js'));
const { SegmentLoader } = require(join(dist, 'data/loader.js'));

/** Noise with one cell per row, so large that preparing a sample takes some time. */
async function loader() {
  const [width, height] = [900, 700];
  const data = Uint8Array.from({ length: width * height }, (_, i) => (i * 2654435761) >>> 24);
  const cells = Array.from({ length: 40 }, (_, i) => [i * 11, 9, 13, 20, width * height - i * 11 - 42]);
  const image = (id) => ({
    id: `p${id}`,
    image: { data, width, height, channels: 1 },
    masks: Masks.fromCounts(cells, { width, height }),
  });
  const dataset = await datasetFrom(Array.from({ length: 6 }, (_, i) => image(i)));
  return new SegmentLoader(dataset, {
    batchSize: 2,
    shuffle: true,
    seed: 3,
    intensity: { kind: 'percentile', low: 1, high: 99 },
    transforms: [
      transforms.scaleJitter({ min: 0.8, max: 1.4 }),
      transforms.quarterTurns(),
      transforms.intensity({ contrast: 0.2, gamma: 0.5 }),
    ],
    threads: 4,
  });
}

async function digest() {
  const hash = createHash('sha256');
  for await (const { samples } of (await loader()).batches(0)) {
    for (const { pixels, masks, labels } of samples) hash.update(pixels).update(masks.counts).update(labels);
  }
  return hash.digest('hex');
}

const work = () => new Worker(__filename, { workerData: { dist, what } });

/** Terminates a worker some time after it reported that it has started. */
function terminateAfter(delay) {
  return new Promise((done, failed) => {
    const worker = work();
    worker.on('error', failed);
    worker.once('message', () => setTimeout(() => worker.terminate().then(done, failed), delay));
  });
}

const programs = {
  async terminate() {
    const before = await digest();
    const ended = [];
    for (const delay of [0, 1, 5, 20, 60]) ended.push(await terminateAfter(delay));
    ended.push(...(await Promise.all([10, 30, 50].map(terminateAfter))));
    console.log(JSON.stringify({ ended, same: before === (await digest()) }));
  },
  async together() {
    const workers = Array.from({ length: 3 }, () => new Promise((done) => work().on('message', done)));
    console.log(JSON.stringify(await Promise.all([digest(), ...workers])));
  },
  async exit() {
    const batches = (await loader()).batches(0);
    batches.next().catch(() => {});
    setTimeout(() => process.exit(7), 30);
  },
  async leave() {
    for await (const _ of (await loader()).batches(0)) break;
    console.log('left');
  },
};

const inWorker = {
  async terminate() {
    const endless = await loader();
    parentPort.postMessage('working');
    for (let epoch = 0; ; epoch++) for await (const _ of endless.batches(epoch));
  },
  async together() {
    parentPort.postMessage(await digest());
  },
};

(isMainThread ? programs : inWorker)[what]().catch((error) => {
  console.error(error);
  process.exitCode = 1;
});
