// Segments images in worker threads and measures the cells there.
//
// All threads of a process share one queue per device, so workers do not make segmentation faster. They keep your own
// computations on the results away from the main thread.
//
//   node worker-pool.mjs IMAGE...
import { readFile } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { fileURLToPath } from 'node:url';
import { isMainThread, parentPort, Worker } from 'node:worker_threads';
import { RoutedEnsemble } from 'cellroute';

/** @typedef {{ path: string, cells: number, meanArea: number }} Measured */

async function main() {
  const paths = process.argv.slice(2);
  if (paths.length === 0) throw new Error('usage: node worker-pool.mjs IMAGE...');
  const remaining = paths.values();
  const count = Math.min(paths.length, 2, availableParallelism());
  await Promise.all(Array.from({ length: count }, () => runWorker(remaining)));
}

/**
 * Gives one path after the other to a worker.
 * @param {Iterator<string>} remaining
 * @returns {Promise<void>}
 */
function runWorker(remaining) {
  const worker = new Worker(fileURLToPath(import.meta.url));
  return new Promise((resolve, reject) => {
    const next = () => {
      const { done, value } = remaining.next();
      worker.postMessage(done ? null : value);
    };
    worker.on('message', (/** @type {Measured} */ { path, cells, meanArea }) => {
      console.log(`${path}: ${cells} cells, ${meanArea.toFixed(1)} pixels on average`);
      next();
    });
    worker.once('error', reject);
    worker.once('exit', () => resolve());
    next();
  });
}

async function work() {
  const port = parentPort;
  if (!port) return;
  const ensemble = await RoutedEnsemble.load();
  port.on('message', async (/** @type {string | null} */ path) => {
    if (path === null) {
      await ensemble.dispose();
      port.close();
      return;
    }
    const { cells } = await ensemble.segment(await readFile(path));
    const area = cells.areas.reduce((sum, value) => sum + value, 0);
    port.postMessage({ path, cells: cells.length, meanArea: cells.length > 0 ? area / cells.length : 0 });
  });
}

await (isMainThread ? main() : work());
