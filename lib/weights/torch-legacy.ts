import type { BoundedFile } from './bounded-file.js';
import { type Checkpoint, MAX_PICKLE_BYTES, type StoragePlace } from './checkpoint.js';
import { damaged, EndOfBytes, notWeights, refused } from './errors.js';
import { ByteCursor } from './pickle/cursor.js';
import { storageOf } from './pickle/globals.js';
import { PickleMachine } from './pickle/machine.js';
import { PyDict, PyList, type StorageRef, type Value } from './pickle/values.js';
import { itemBytes, type Refusal } from './table.js';

/** Magic number of torch.save, pickled as a ten-byte integer with protocol 2. */
export const LEGACY_START = Buffer.from('80028a0a6cfc9c46f9206aa850192e', 'hex');
const PROTOCOL_VERSION = 1001;
const FIRST_WINDOW = 1 << 20;

interface Head {
  root: Value;
  /** Keys of the storages, in the order in which they follow in the file. */
  keys: string[];
  storages: Map<string, StorageRef>;
  skippedCalls: Map<string, Refusal>;
  /** Position of the first storage. */
  end: number;
}

/**
 * Reads a checkpoint in torch.save's format before 1.6: five pickles (magic number, protocol, system, value, storage keys),
 * followed by each storage with its length.
 */
export async function readTorchLegacy(file: BoundedFile): Promise<Checkpoint> {
  const { root, keys, storages, skippedCalls, end } = await readHead(file);
  const places = new Map<string, StoragePlace>();
  let position = end;
  for (const key of keys) {
    const where = { file: file.path, position };
    const storage = storages.get(key);
    if (!storage) throw damaged(where, `storage ${key} is listed but not described`);
    if (places.has(key)) throw damaged(where, `storage ${key} is listed twice`);
    const length = Number((await file.bytes(position, 8)).readBigInt64LE());
    if (length !== storage.length) {
      throw damaged(where, `storage ${key} has ${length} elements instead of ${storage.length}`);
    }
    const start = position + 8;
    position = start + length * (storage.dtype ? itemBytes(storage.dtype) : 1);
    if (position > file.size) throw damaged(where, `storage ${key} extends beyond the end of the file`);
    places.set(key, { start, end: position });
  }
  for (const { key, position: named } of storages.values()) {
    if (!places.has(key))
      throw damaged({ file: file.path, position: named }, `storage ${key} is not in the file`);
  }
  return { root, storage: ({ key }) => places.get(key)!, skippedCalls, metadata: {} };
}

/** Reads the pickles at the start. Their length is not stored, so more bytes are read until they are complete. */
async function readHead(file: BoundedFile): Promise<Head> {
  for (let window = FIRST_WINDOW; ; window *= 4) {
    const bytes = await file.bytes(0, Math.min(window, MAX_PICKLE_BYTES, file.size));
    try {
      return parseHead(bytes, file.path);
    } catch (error) {
      if (!(error instanceof EndOfBytes) || bytes.length === file.size) throw error;
      if (bytes.length === MAX_PICKLE_BYTES) {
        throw refused({ file: file.path }, `its pickles have more than ${MAX_PICKLE_BYTES} bytes`);
      }
    }
  }
}

function parseHead(bytes: Buffer, file: string): Head {
  const cursor = new ByteCursor(bytes, file, 0);
  const storages = new Map<string, StorageRef>();
  const noStorages = (_: Value, position: number) => {
    throw damaged({ file, position }, 'a persistent id is not allowed here');
  };
  const next = (load = noStorages as (id: Value, position: number) => Value) =>
    new PickleMachine(cursor, load);

  if (!cursor.take(LEGACY_START.length).equals(LEGACY_START))
    throw notWeights({ file }, 'the file does not start with torch.save’s magic number');
  const protocol = next().run();
  if (protocol !== PROTOCOL_VERSION)
    throw refused(cursor.where(), `torch.save’s protocol ${describe(protocol)} is not supported`);
  const system = next().run();
  if (!(system instanceof PyDict)) throw damaged(cursor.where(), 'the description of the system is missing');
  if (system.get('little_endian') !== true)
    throw refused(cursor.where(), 'big-endian files are not supported');

  const machine = next((id, position) => {
    const storage = storageOf(id, { file, position });
    const known = storages.get(storage.key);
    if (!known) storages.set(storage.key, storage);
    else if (known.length !== storage.length || known.dtype !== storage.dtype) {
      throw damaged({ file, position }, `storage ${storage.key} has two different descriptions`);
    }
    return storage;
  });
  const root = machine.run();
  const where = cursor.where();
  const keys = next().run();
  if (!(keys instanceof PyList) || !keys.items.every((key) => typeof key === 'string')) {
    throw damaged(where, 'the list of storages is missing');
  }
  return { root, keys: keys.items, storages, skippedCalls: machine.skippedCalls, end: cursor.position };
}

const describe = (value: Value) => (typeof value === 'number' ? String(value) : 'unknown');
