import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { ZipFile } from 'yazl';
import { CellrouteError } from '../../lib/errors.js';
import { openWeights } from '../../lib/weights/open.js';
import { TensorReader } from '../../lib/weights/read-tensor.js';
import type { DType, TensorEntry, WeightsFile } from '../../lib/weights/table.js';

/** A folder that is deleted after the tests of this file. */
export function temporaryFolder(): (name: string) => string {
  const folder = mkdtempSync(join(tmpdir(), 'cellroute-weights-'));
  afterAll(() => rmSync(folder, { recursive: true, force: true }));
  return (name) => join(folder, name);
}

/** Bytes of every tensor by name, in row-major order. */
export async function readAll(weights: WeightsFile): Promise<Map<string, Uint8Array>> {
  const reader = await TensorReader.open(weights.path);
  try {
    const all = new Map<string, Uint8Array>();
    for (const entry of weights.tensors) all.set(entry.name, await reader.read(entry));
    return all;
  } finally {
    await reader.close();
  }
}

/** The error with which a file is refused. */
export async function refusalOf(path: string): Promise<CellrouteError> {
  const error = await openWeights(path).then(
    () => undefined,
    (reason: unknown) => reason,
  );
  if (!(error instanceof CellrouteError))
    throw new Error(`${path}: expected a CellrouteError, got ${String(error)}`);
  return error;
}

/** Types by their names in PyTorch, as in the goldens. */
export const torchTypes: Record<string, DType> = {
  float64: 'F64',
  float32: 'F32',
  float16: 'F16',
  bfloat16: 'BF16',
  int64: 'I64',
  int32: 'I32',
  int16: 'I16',
  int8: 'I8',
  uint8: 'U8',
  bool: 'BOOL',
};

/** A golden's description of a checkpoint's tensors, by name. */
export type CheckpointGolden = Record<string, { dtype: string; shape: number[]; values: number[] }>;

/** Bytes per element, independent of the library's table. */
export const ITEM_BYTES: Readonly<Record<DType, number>> = {
  F64: 8,
  F32: 4,
  F16: 2,
  BF16: 2,
  I64: 8,
  I32: 4,
  I16: 2,
  I8: 1,
  U8: 1,
  BOOL: 1,
};

/** Slow check that every element of an entry is inside its storage and the file. */
export function liesInside(entry: TensorEntry, fileSize: number): boolean {
  const size = ITEM_BYTES[entry.dtype];
  if (entry.shape.includes(0))
    return entry.offset >= 0 && entry.offset <= entry.storageEnd && entry.storageEnd <= fileSize;
  let first = BigInt(entry.offset);
  let last = first;
  for (const [axis, length] of entry.shape.entries()) {
    const reach = BigInt(length - 1) * BigInt(entry.strides[axis]!) * BigInt(size);
    if (reach < 0n) first += reach;
    else last += reach;
  }
  return first >= 0n && last + BigInt(size) <= BigInt(entry.storageEnd) && entry.storageEnd <= fileSize;
}

/** Slow reference for decoding a tensor's bytes. */
export function numbers(bytes: Uint8Array, dtype: DType): number[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const decode: Record<DType, (at: number) => number> = {
    F64: (at) => view.getFloat64(at, true),
    F32: (at) => view.getFloat32(at, true),
    F16: (at) => halfValue(view.getUint16(at, true)),
    BF16: (at) => {
      const wide = new DataView(new ArrayBuffer(4));
      wide.setUint16(0, view.getUint16(at, true));
      return wide.getFloat32(0);
    },
    I64: (at) => Number(view.getBigInt64(at, true)),
    I32: (at) => view.getInt32(at, true),
    I16: (at) => view.getInt16(at, true),
    I8: (at) => view.getInt8(at),
    U8: (at) => view.getUint8(at),
    BOOL: (at) => view.getUint8(at),
  };
  return Array.from({ length: bytes.byteLength / ITEM_BYTES[dtype] }, (_, i) =>
    decode[dtype](i * ITEM_BYTES[dtype]),
  );
}

/** Value of a float16 by definition. */
export function halfValue(bits: number): number {
  const sign = bits >> 15 ? -1 : 1;
  const exponent = (bits >> 10) & 31;
  const fraction = bits & 1023;
  if (exponent === 31) return fraction ? Number.NaN : sign * Number.POSITIVE_INFINITY;
  return exponent === 0 ? sign * fraction * 2 ** -24 : sign * (1024 + fraction) * 2 ** (exponent - 25);
}

/** A pickle from parts: strings are ASCII opcodes, numbers single bytes. */
export function pickle(...parts: (string | number | Uint8Array)[]): Buffer {
  return Buffer.concat(
    parts.map((part) =>
      typeof part === 'number'
        ? Buffer.from([part])
        : typeof part === 'string'
          ? Buffer.from(part, 'latin1')
          : Buffer.from(part),
    ),
  );
}

/** BINUNICODE */
export function text(value: string): Buffer {
  const bytes = Buffer.from(value);
  const head = Buffer.alloc(5, 'X');
  head.writeUInt32LE(bytes.length, 1);
  return Buffer.concat([head, bytes]);
}

/** LONG1 of 8 bytes */
export function long(value: number | bigint): Buffer {
  const bytes = Buffer.from([0x8a, 8, 0, 0, 0, 0, 0, 0, 0, 0]);
  bytes.writeBigInt64LE(BigInt(value), 2);
  return bytes;
}

export const tuple = (...parts: Uint8Array[]): Buffer => pickle('(', ...parts, 't');

/** A tensor pickled like torch.save. */
export function tensor(fields: {
  key?: string;
  storage?: string;
  length: number | bigint;
  offset?: number | bigint;
  shape: (number | bigint)[];
  strides: (number | bigint)[];
}): Buffer {
  const { key = '0', storage = 'FloatStorage', length, offset = 0, shape, strides } = fields;
  return pickle(
    'ctorch._utils\n_rebuild_tensor_v2\n((',
    text('storage'),
    `ctorch\n${storage}\n`,
    text(key),
    text('cpu'),
    long(length),
    'tQ',
    long(offset),
    tuple(...shape.map(long)),
    tuple(...strides.map(long)),
    0x89,
    'ccollections\nOrderedDict\n)RtR',
  );
}

/** A dict of pickled values. */
export const dict = (entries: Record<string, Uint8Array>): Buffer =>
  pickle(0x80, 2, '}(', ...Object.entries(entries).flatMap(([key, value]) => [text(key), value]), 'u.');

interface ZipEntries {
  [name: string]: Uint8Array;
}

/** A zip archive that was not written by cellroute. */
export async function zip(entries: ZipEntries, { compress = false, zip64 = false } = {}): Promise<Buffer> {
  const archive = new ZipFile();
  for (const [name, bytes] of Object.entries(entries)) {
    archive.addBuffer(Buffer.from(bytes), name, { compress, forceZip64Format: zip64 });
  }
  archive.end({ forceZip64Format: zip64, comment: '' });
  return buffer(archive.outputStream);
}

/** A torch zip checkpoint around a pickle and its storages' bytes. */
export function torchZip(
  pickled: Uint8Array,
  storages: Uint8Array[] = [],
  extra: ZipEntries = {},
): Promise<Buffer> {
  const data = Object.fromEntries(storages.map((bytes, i) => [`t/data/${i}`, bytes]));
  return zip({ 't/data.pkl': pickled, ...data, 't/version': Buffer.from('3\n'), ...extra });
}

/** A safetensors file with a header, given as text or as a value for JSON. */
export function safetensors(header: unknown, data: Uint8Array = Buffer.alloc(0)): Buffer {
  const json = Buffer.from(typeof header === 'string' ? header : JSON.stringify(header));
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(json.length));
  return Buffer.concat([length, json, data]);
}

/** Python of the reference (torch, safetensors), if CELLROUTE_REFERENCE_PYTHON is set. */
export const referencePython = process.env.CELLROUTE_REFERENCE_PYTHON;

/** `test` if the reference is installed, otherwise a skipped test with the reason. */
export function testReference(title: string, body: () => Promise<void>): void {
  if (referencePython) test(title, body);
  else test.skip(`${title} (set CELLROUTE_REFERENCE_PYTHON to a Python with torch and safetensors)`, body);
}

/** Runs a script in the reference's Python and parses its output as JSON. */
export function runReference<T>(script: string, ...args: string[]): T {
  const { status, stdout, stderr } = spawnSync(referencePython!, ['-c', script, ...args], {
    encoding: 'utf8',
    maxBuffer: 1 << 28,
  });
  if (status !== 0) throw new Error(`the reference failed:\n${stderr}`);
  return JSON.parse(stdout) as T;
}

/** Random numbers that are the same in every run (mulberry32), in [0, 1). */
export function random(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let z = Math.imul(state ^ (state >>> 15), state | 1);
    z ^= z + Math.imul(z ^ (z >>> 7), z | 61);
    return ((z ^ (z >>> 14)) >>> 0) / 2 ** 32;
  };
}

export const save = (path: string, bytes: Uint8Array): string => {
  writeFileSync(path, bytes);
  return path;
};

export const load = (path: string): Buffer => readFileSync(path);
