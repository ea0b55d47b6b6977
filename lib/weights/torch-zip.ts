import type { BoundedFile } from './bounded-file.js';
import { type Checkpoint, MAX_PICKLE_BYTES, type StoragePlace } from './checkpoint.js';
import { damaged, notWeights, refused } from './errors.js';
import { foreignArchive } from './foreign-files.js';
import { ByteCursor } from './pickle/cursor.js';
import { storageOf } from './pickle/globals.js';
import { PickleMachine } from './pickle/machine.js';
import type { StorageRef } from './pickle/values.js';
import { itemBytes } from './table.js';
import { ZipRecords } from './zip-records.js';

/** Entry in which cellroute, like TorchScript, stores texts. */
export const METADATA_RECORD = 'extra/metadata.json';
const MAX_METADATA_BYTES = 1 << 24;
const MAX_VERSION = 10;

/** Reads a checkpoint in torch.save's format since 1.6: a zip archive with a pickle and one entry per storage. */
export async function readTorchZip(file: BoundedFile): Promise<Checkpoint> {
  const zip = await ZipRecords.open(file);
  const foreign = foreignArchive(zip.names());
  if (foreign !== undefined) throw notWeights({ file: file.path }, `the zip archive is ${foreign}`);
  const prefix = archiveName(zip, file.path);
  await checkVersion(zip, prefix, file.path);
  await checkByteOrder(zip, prefix, file.path);

  const pickle = await zip.find(`${prefix}/data.pkl`);
  if (!pickle) throw notWeights({ file: file.path }, `the zip archive has no ${prefix}/data.pkl`);
  const storages = new Map<string, StorageRef>();
  const cursor = new ByteCursor(await zip.read(pickle, MAX_PICKLE_BYTES), file.path, pickle.start);
  const machine = new PickleMachine(cursor, (id, position) => {
    const storage = storageOf(id, { file: file.path, position });
    const known = storages.get(storage.key);
    if (!known) storages.set(storage.key, storage);
    else if (known.length !== storage.length || known.dtype !== storage.dtype) {
      throw damaged({ file: file.path, position }, `storage ${storage.key} has two different descriptions`);
    }
    return known ?? storage;
  });
  const root = machine.run();

  const places = new Map<string, StoragePlace>();
  for (const storage of storages.values()) places.set(storage.key, await place(zip, prefix, storage, file));
  checkApart([...places.values()], file.path);
  return {
    root,
    storage: ({ key }) => places.get(key)!,
    skippedCalls: machine.skippedCalls,
    metadata: await readMetadata(zip, prefix, file.path),
  };
}

/** PyTorch puts all entries into one folder, named after the file to which they were first saved. */
function archiveName(zip: ZipRecords, file: string): string {
  const [first = ''] = zip.names();
  const slash = first.indexOf('/');
  if (slash <= 0) throw notWeights({ file }, 'the zip archive was not written by PyTorch');
  return first.slice(0, slash);
}

async function smallText(zip: ZipRecords, name: string, limit = 64): Promise<string | undefined> {
  const record = await zip.find(name);
  return record && (await zip.read(record, limit)).toString('utf8');
}

async function checkVersion(zip: ZipRecords, prefix: string, file: string): Promise<void> {
  const text =
    (await smallText(zip, `${prefix}/version`)) ?? (await smallText(zip, `${prefix}/.data/version`));
  if (text === undefined) return;
  const version = Number(text);
  if (!/^\d+\s*$/.test(text) || version < 1 || version > MAX_VERSION) {
    throw damaged({ file }, `the archive has the version ${JSON.stringify(text)}`);
  }
}

async function checkByteOrder(zip: ZipRecords, prefix: string, file: string): Promise<void> {
  const order = await smallText(zip, `${prefix}/byteorder`);
  if (order === undefined || order === 'little') return;
  if (order === 'big') throw refused({ file }, 'big-endian files are not supported');
  throw damaged({ file }, `the byte order is ${JSON.stringify(order)}`);
}

async function place(
  zip: ZipRecords,
  prefix: string,
  { key, dtype, length, position }: StorageRef,
  file: BoundedFile,
): Promise<StoragePlace> {
  const record = await zip.find(`${prefix}/data/${key}`);
  const where = { file: file.path, position };
  if (!record) throw damaged(where, `storage ${key} is not in the archive`);
  const bytes = length * (dtype ? itemBytes(dtype) : 1);
  if (record.end - record.start !== bytes) {
    throw damaged(where, `storage ${key} has ${record.end - record.start} bytes instead of ${bytes}`);
  }
  return record;
}

/** Refuses overlapping storages, with which a small archive could claim to be a large one. */
function checkApart(places: StoragePlace[], file: string): void {
  places.sort((a, b) => a.start - b.start || a.end - b.end);
  for (const [i, { start }] of places.entries()) {
    if (i > 0 && start < places[i - 1]!.end) throw damaged({ file, position: start }, 'two storages overlap');
  }
}

async function readMetadata(zip: ZipRecords, prefix: string, file: string): Promise<Record<string, string>> {
  const name = `${prefix}/${METADATA_RECORD}`;
  const text = await smallText(zip, name, MAX_METADATA_BYTES);
  if (text === undefined) return {};
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch (error) {
    throw damaged({ file }, `${name} is not valid JSON`, error);
  }
  const texts = typeof parsed === 'object' && parsed !== null ? Object.entries(parsed) : [];
  return Object.fromEntries(texts.filter((pair): pair is [string, string] => typeof pair[1] === 'string'));
}
