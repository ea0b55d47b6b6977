import { type FileHandle, mkdir, open, readdir, rm } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { crc32c } from '../crc32c.js';
import type { LogLine } from './log.js';
import type { Listener } from './records.js';

/**
 * Writer of TensorBoard event files: records of a length, its checksum, a protobuf `Event` and its checksum. A resumed
 * run replaces the file and writes the lines of the log again, so that no step appears twice.
 */
export class TensorBoard implements Listener {
  readonly name = 'TensorBoard';
  readonly #folder: string;
  #file: FileHandle | undefined;

  constructor(folder: string) {
    this.#folder = folder;
  }

  async record(line: LogLine): Promise<void> {
    const scalars = scalarsOf(line);
    if (scalars.length === 0) return;
    this.#file ??= await this.#open(line.time);
    await this.#file.appendFile(framed(scalarEvent(line.time, line.step, scalars)));
  }

  async close(): Promise<void> {
    await this.#file?.close();
    this.#file = undefined;
  }

  async #open(time: number): Promise<FileHandle> {
    await mkdir(this.#folder, { recursive: true });
    for (const name of await readdir(this.#folder)) {
      if (name.includes('.tfevents.')) await rm(join(this.#folder, name));
    }
    // TensorBoard reads files in order of name.
    const name = `events.out.tfevents.${String(Math.floor(Date.now() / 1000)).padStart(10, '0')}.${hostname()}.${process.pid}`;
    const file = await open(join(this.#folder, name), 'a');
    await file.appendFile(framed(versionEvent(time)));
    return file;
  }
}

export type Scalar = readonly [tag: string, value: number];

/** Values of a log line with their names in TensorBoard and Weights & Biases. */
export function scalarsOf(line: LogLine): Scalar[] {
  const losses = (prefix: string, values: Record<string, number>): Scalar[] =>
    Object.entries(values).map(([name, value]) => [`${prefix}/${name}`, value]);
  switch (line.kind) {
    case 'step':
      return [
        ['train/total', line.total],
        ...losses('train', line.losses),
        ['rate/lr', line.lr],
        ['rate/momentum', line.momentum],
        ['gradient/norm', line.gradNorm],
        ['speed/images_per_second', line.imagesPerSecond],
      ];
    case 'epoch':
      return [['epoch/total', line.total], ...losses('epoch', line.losses)];
    case 'validation':
      return losses('validation', { ...line.figures, [line.metric]: line.score });
    default:
      return [];
  }
}

// Protobuf: a field is a tag (number * 8 + wire type) and a value.
const VARINT = 0;
const FIXED64 = 1;
const BYTES = 2;
const FIXED32 = 5;

function varint(value: number): Buffer {
  const bytes: number[] = [];
  let rest = value;
  for (; rest >= 0x80; rest = Math.floor(rest / 0x80)) bytes.push((rest % 0x80) | 0x80);
  return Buffer.from([...bytes, rest]);
}

const tag = (field: number, wire: number) => varint(field * 8 + wire);
const bytesField = (field: number, value: Buffer) =>
  Buffer.concat([tag(field, BYTES), varint(value.length), value]);

function doubleField(field: number, value: number): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeDoubleLE(value);
  return Buffer.concat([tag(field, FIXED64), bytes]);
}

function floatField(field: number, value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeFloatLE(value);
  return Buffer.concat([tag(field, FIXED32), bytes]);
}

/** Event { wall_time = 1, file_version = 3 } */
const versionEvent = (time: number) =>
  Buffer.concat([doubleField(1, time), bytesField(3, Buffer.from('brain.Event:2'))]);

/** Event { wall_time = 1, step = 2, summary = 5 { value = 1 { tag = 1, simple_value = 2 } } } */
function scalarEvent(time: number, step: number, scalars: readonly Scalar[]): Buffer {
  const values = scalars.map(([name, value]) =>
    bytesField(1, Buffer.concat([bytesField(1, Buffer.from(name)), floatField(2, value)])),
  );
  return Buffer.concat([
    doubleField(1, time),
    tag(2, VARINT),
    varint(step),
    bytesField(5, Buffer.concat(values)),
  ]);
}

/** A TFRecord frame. */
function framed(data: Buffer): Buffer {
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(data.length));
  return Buffer.concat([length, checksum(length), data, checksum(data)]);
}

/** Masked CRC-32C, as TFRecord defines it: rotated, plus a constant. */
function checksum(data: Buffer): Buffer {
  const crc = crc32c(data);
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE((((crc >>> 15) | (crc << 17)) + 0xa282ead8) >>> 0);
  return bytes;
}
