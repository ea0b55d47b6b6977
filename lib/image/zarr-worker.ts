/** The thread that decodes chunks of OME-Zarr; see zarr-thread. */
import { parentPort } from 'node:worker_threads';
import { onAbort } from '../abort.js';
import { guardCodecs } from './zarr-codecs.js';
import { type ByteRange, loadZarrita, reasonOf, type Sample, type Store } from './zarr-store.js';
import type { ArrayInThread, FromZarrThread, ToZarrThread } from './zarr-thread.js';

type SampleArray = import('zarrita').Array<Sample, Required<Store>>;

const port = parentPort!;
const arrays = new Map<number, Promise<SampleArray>>();
const reads = new Map<number, AbortController>();

interface Load {
  resolve(bytes: Uint8Array | undefined): void;
  reject(error: Error): void;
}
const loads = new Map<number, Load>();
let count = 0;

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
  else if (message.kind === 'loaded') {
    const load = loads.get(message.load);
    if ('problem' in message) load?.reject(new Error(message.problem));
    else load?.resolve(message.bytes);
    loads.delete(message.load);
  } else void answer(message);
});

async function openArray({ id, path, version }: ArrayInThread): Promise<SampleArray> {
  const { open, root } = await zarrita;
  const location = root(storeOf(id)).resolve(path);
  const opened = version === 3 ? open.v3 : open.v2;
  return (await opened(location, { kind: 'array' })) as SampleArray;
}

/** A store whose files the other thread reads. */
const storeOf = (array: number): Required<Store> => ({
  get: (key, { signal } = {}) => loadBytes(array, key, undefined, signal),
  getRange: (key, range, { signal } = {}) =>
    // zarrita keeps the index of a shard for all readers: an abort of the first must not fail the others.
    loadBytes(array, key, range, 'suffixLength' in range ? undefined : signal),
});

async function loadBytes(
  array: number,
  key: `/${string}`,
  range: ByteRange | undefined,
  signal: AbortSignal | undefined,
): Promise<Uint8Array | undefined> {
  signal?.throwIfAborted();
  const load = count++;
  const bytes = new Promise<Uint8Array | undefined>((resolve, reject) => {
    loads.set(load, { resolve, reject });
  });
  send({ kind: 'load', load, array, key, range });
  const remove = signal && onAbort(signal, () => send({ kind: 'stop', load }));
  return bytes.finally(remove);
}

async function answer({ request, array, coordinates }: ToZarrThread & { kind: 'read' }): Promise<void> {
  const stop = new AbortController();
  reads.set(request, stop);
  try {
    const chunk = await (await arrays.get(array)!).getChunk(coordinates, { signal: stop.signal });
    // A part of a larger buffer would be sent with all of it.
    const { data } = chunk;
    const own = data.byteLength === data.buffer.byteLength ? data : data.slice();
    send({ kind: 'read', request, chunk: { ...chunk, data: own } }, [own.buffer as ArrayBuffer]);
  } catch (error) {
    send({ kind: 'read', request, problem: reasonOf(error) });
  } finally {
    reads.delete(request);
  }
}

function send(message: FromZarrThread, moved: ArrayBuffer[] = []): void {
  port.postMessage(message, moved);
}
