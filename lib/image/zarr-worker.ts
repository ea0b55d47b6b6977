/** The thread that reads and decodes chunks of OME-Zarr; see zarr-thread. */
import { parentPort } from 'node:worker_threads';
import { guardCodecs } from './zarr-codecs.js';
import { loadZarrita, reasonOf, storeAt, type ZarrArray } from './zarr-store.js';
import type { ArrayInThread, FromZarrThread, ToZarrThread } from './zarr-thread.js';

const port = parentPort!;
const arrays = new Map<number, Promise<ZarrArray>>();
const reads = new Map<number, AbortController>();

const zarrita = loadZarrita().then((loaded) => {
  guardCodecs(loaded);
  return loaded;
});

port.on('message', (message: ToZarrThread) => {
  if (message.kind === 'open') {
    const opened = openArray(message.array);
    // Each reading reports it.
    opened.catch(() => {});
    arrays.set(message.array.id, opened);
  } else if (message.kind === 'close') arrays.delete(message.array);
  else if (message.kind === 'cancel') reads.get(message.request)?.abort();
  else void answer(message);
});

async function openArray({ place, path, metadata }: ArrayInThread): Promise<ZarrArray> {
  const { open, root } = await zarrita;
  const store = storeAt(await zarrita, 'folder' in place ? place.folder : new URL(place.url), metadata);
  const version = metadata.get(`${path}/zarr.json`) ? open.v3 : open.v2;
  return (await version(root(store).resolve(path), { kind: 'array' })) as ZarrArray;
}

async function answer({ request, array, coordinates }: ToZarrThread & { kind: 'read' }): Promise<void> {
  const stop = new AbortController();
  reads.set(request, stop);
  try {
    const chunk = await (await arrays.get(array)!).getChunk(coordinates, { signal: stop.signal });
    // A part of a larger buffer would be sent with all of it.
    const { data } = chunk;
    const own = data.byteLength === data.buffer.byteLength ? data : data.slice();
    send({ request, chunk: { ...chunk, data: own } }, [own.buffer as ArrayBuffer]);
  } catch (error) {
    send({ request, problem: reasonOf(error) });
  } finally {
    reads.delete(request);
  }
}

function send(message: FromZarrThread, moved: ArrayBuffer[] = []): void {
  port.postMessage(message, moved);
}
