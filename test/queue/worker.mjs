// A worker for scripts/queue.mjs whose stores fail on purpose. It prints a line of JSON per step.
//   node test/queue/worker.mjs '{"redis": ..., "queue": ..., "results": FOLDER, "images": FOLDER, ...}'
import { appendFileSync, existsSync } from 'node:fs';
import { join } from 'node:path';
import { CellrouteError, RoutedEnsemble } from '../../dist/index.mjs';
import { createQueue, createWorker, FileObjects } from '../../dist/queue.mjs';

const { redis, queue: name, results, images, model, exhaustedAbove, ...more } = JSON.parse(process.argv[2]);
const print = (line) => process.stdout.write(`${JSON.stringify(line)}\n`);

/** Images whose name says what happens when they are read. */
class Images extends FileObjects {
  async get(key, { signal }) {
    print({ reading: key });
    if (key.startsWith('poison')) {
      appendFileSync(join(images, 'deaths'), `${process.pid}\n`);
      process.kill(process.pid, 'SIGKILL');
    }
    // Read once a file of this name with .go is there.
    if (key.startsWith('held')) {
      while (!existsSync(this.pathOf(`${key}.go`))) {
        await new Promise((resolve) => setTimeout(resolve, 20));
        signal.throwIfAborted();
      }
    }
    return super.get(key, { signal });
  }
}

/** Results on a disk that is full while the file `full` is there. */
class Results extends FileObjects {
  async put(key, content) {
    if (existsSync(join(images, 'full'))) {
      print({ full: key });
      // What FileObjects throws where the file system is full.
      const cause = Object.assign(new Error('no space left on device'), { code: 'ENOSPC' });
      throw new CellrouteError(
        'FILE_UNWRITABLE',
        `${key}: no space left on device`,
        { file: key },
        { cause },
      );
    }
    return super.put(key, content);
  }
}

const ensemble = await RoutedEnsemble.load(model);
// Tiles of slides above this size need too much memory.
if (exhaustedAbove !== undefined) {
  const network = ensemble.slideNetwork.bind(ensemble);
  ensemble.slideNetwork = (plan) => {
    const size = plan.tiling.size / plan.tiling.scale;
    if (size <= exhaustedAbove) return network(plan);
    print({ exhausted: size });
    throw new CellrouteError('OUT_OF_MEMORY', `tiles of ${size} pixels need too much memory`);
  };
}
const inBucket = (place) => place.startsWith('s3://');
const queue = await createQueue({ redis, name });
const worker = await createWorker(queue, {
  ensemble,
  results: inBucket(results) ? results : new Results(results),
  images: inBucket(images) ? images : new Images(images),
  fullSeconds: 0.2,
  onWork: ({ name: image, step, row, result, error }) =>
    print({ image, step, row, created: result?.created, code: error?.code ?? error?.message }),
  ...more,
});
print({ ready: true });
process.once('SIGTERM', async () => {
  await worker.close();
  await queue.close();
  await ensemble.dispose();
  print({ closed: true });
});
